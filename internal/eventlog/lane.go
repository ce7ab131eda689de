package eventlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	produceapi "github.com/segmentio/kafka-go/protocol/produce"
)

// slot is one partition of one topic.
type slot struct {
	topic     string
	partition int
}

// flight is what one request carries. landed is closed when its fate is known;
// failed then says what became of each slot, nothing when it is in the log.
type flight struct {
	messages map[slot][]*Message
	sizes    map[slot]int
	size     int
	landed   chan struct{}
	failed   map[slot]error
}

func newFlight() *flight {
	return &flight{messages: map[slot][]*Message{}, sizes: map[slot]int{}, landed: make(chan struct{})}
}

// ticket is one message's place in a flight.
type ticket struct {
	flight *flight
	slot   slot
}

// lane carries the writes to one broker, one request at a time.
type lane struct {
	producer *Producer
	wake     chan struct{}

	mu     sync.Mutex
	next   *flight
	later  []*flight // after next, which is full
	queued int
	closed bool
}

// add puts a message on the next flight that has room for it.
func (l *lane) add(s slot, m *Message) (ticket, error) {
	size := len(m.Key) + len(m.Value) + 64
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ticket{}, errors.New("the producer is closed")
	}
	if l.queued+size > maxQueued {
		return ticket{}, ErrBusy
	}
	f := l.next
	if len(l.later) > 0 {
		f = l.later[len(l.later)-1]
	}
	if f.sizes[s] > 0 && f.sizes[s]+size > MaxMessage {
		f = newFlight()
		l.later = append(l.later, f)
	}
	f.messages[s] = append(f.messages[s], m)
	f.sizes[s] += size
	f.size += size
	l.queued += size
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return ticket{f, s}, nil
}

func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run sends flights until the lane is closed and empty. What comes while one is
// under way, and for the linger after it, shares the next.
func (l *lane) run() {
	for range l.wake {
		if linger := l.producer.log.cfg.Linger; linger > 0 {
			time.Sleep(linger)
		}
		for {
			f, more, closed := l.take()
			if f == nil {
				if closed {
					return
				}
				break
			}
			l.fly(f)
			l.mu.Lock()
			l.queued -= f.size
			l.mu.Unlock()
			if !more && !closed {
				break
			}
		}
	}
}

// take returns the next flight that carries something, whether a full one waits
// behind it, and whether the lane is closed.
func (l *lane) take() (f *flight, more, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f = l.next
	if f.size == 0 {
		return nil, false, l.closed
	}
	if more = len(l.later) > 0; more {
		l.next, l.later = l.later[0], slices.Delete(l.later, 0, 1)
	} else {
		l.next = newFlight()
	}
	return f, more, l.closed
}

// fly sends a flight, and what failed of it again, and lets it land.
func (l *lane) fly(f *flight) {
	const attempts = 3
	defer close(f.landed)
	wait := 20 * time.Millisecond
	open := f.messages
	for attempt := 1; ; attempt++ {
		f.failed = l.send(open)
		if len(f.failed) == 0 {
			return
		}
		l.producer.routes.forget()
		if attempt == attempts {
			return
		}
		again := map[slot][]*Message{}
		for s := range f.failed {
			again[s] = open[s]
		}
		open = again
		time.Sleep(wait)
		wait *= 5
	}
}

// send makes one request and returns what failed.
func (l *lane) send(messages map[slot][]*Message) map[slot]error {
	cfg := l.producer.log.cfg
	req := &produceapi.Request{Acks: int16(kafka.RequireAll), Timeout: int32(cfg.WriteTimeout.Milliseconds())}
	byTopic := map[string]int{}
	for s, list := range messages {
		at, ok := byTopic[s.topic]
		if !ok {
			at = len(req.Topics)
			byTopic[s.topic] = at
			req.Topics = append(req.Topics, produceapi.RequestTopic{Topic: s.topic})
		}
		// Made anew for each request: one that was given up may still be read from.
		records := make([]protocol.Record, len(list))
		for i, m := range list {
			records[i] = m.record()
		}
		req.Topics[at].Partitions = append(req.Topics[at].Partitions, produceapi.RequestPartition{
			Partition: int32(s.partition),
			RecordSet: protocol.RecordSet{Attributes: protocol.Attributes(kafka.Lz4), Records: protocol.NewRecordReader(records...)},
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), cfg.WriteTimeout)
	defer cancel()
	answer, err := l.producer.log.transport.RoundTrip(ctx, l.producer.log.client.Addr, req)
	failed := map[slot]error{}
	if err != nil {
		for s := range messages {
			failed[s] = err
		}
		return failed
	}
	res, ok := answer.(*produceapi.Response)
	if !ok {
		err = fmt.Errorf("the broker answered a write with %T", answer)
	}
	for s := range messages { // what is not answered for has failed
		failed[s] = errors.Join(errors.New("the broker did not answer for the partition"), err)
	}
	if !ok {
		return failed
	}
	for _, t := range res.Topics {
		for _, p := range t.Partitions {
			s := slot{t.Topic, int(p.Partition)}
			if p.ErrorCode == 0 {
				delete(failed, s)
			} else if _, asked := failed[s]; asked {
				failed[s] = kafka.Error(p.ErrorCode)
			}
		}
	}
	return failed
}

func (m *Message) record() protocol.Record {
	r := protocol.Record{Time: m.Time, Value: protocol.NewBytes(m.Value)}
	if m.Key != nil {
		r.Key = protocol.NewBytes(m.Key)
	}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, protocol.Header{Key: h.Key, Value: h.Value})
	}
	return r
}
