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

// flight is what one request carries. landed is closed when its fate is known, or
// when its time is over; outcome then says what became of a slot's messages.
type flight struct {
	loads  map[slot]*load
	size   int
	timer  *time.Timer // nil: nobody has set a time
	landed chan struct{}

	mu     sync.Mutex
	over   bool // what is added now is not heard of
	lost   bool // its time was over
	failed map[slot]error
	then   []then
}

// load is what a flight carries for one slot.
type load struct {
	messages []Message
	size     int
}

// then is who is told of one message's landing.
type then struct {
	slot slot
	tell Landing
}

func newFlight() *flight {
	return &flight{loads: map[slot]*load{}, landed: make(chan struct{})}
}

// land tells who waits. What is told first stays.
func (f *flight) land(p *Producer, lost bool, failed map[slot]error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return
	}
	f.over, f.lost, f.failed = true, lost, failed
	close(f.landed)
	if then := f.then; len(then) > 0 {
		p.done.Go(func() { // the next flight need not wait for them
			for _, t := range then {
				t.tell.Landed(f.outcome(t.slot))
			}
		})
	}
}

// board puts a message on the flight, unless that is over. The lane is locked.
func (f *flight) board(s slot, m Message, size, usual int, tell Landing) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	to := f.loads[s]
	if f.over || to != nil && to.size+size > MaxMessage {
		return false
	}
	if to == nil {
		to = &load{messages: make([]Message, 0, usual)}
		f.loads[s] = to
	}
	to.messages = append(to.messages, m)
	to.size += size
	f.size += size
	if tell != nil {
		f.then = append(f.then, then{s, tell})
	}
	return true
}

func (f *flight) outcome(s slot) error {
	if f.lost {
		return ErrLate
	}
	return f.failed[s]
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
	usual  int  // how many messages a slot had lately
	awake  bool // wake was told and not heard
	closed bool
}

// add puts a message on the next flight that has room for it. Its flight lands
// within the time that the first message which has one was given; 0 is none. tell may
// be nil.
func (l *lane) add(s slot, m Message, within time.Duration, tell Landing) (ticket, error) {
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
	if !f.board(s, m, size, l.usual, tell) {
		f = newFlight()
		l.later = append(l.later, f)
		f.board(s, m, size, l.usual, tell)
	}
	if f.timer == nil && within > 0 {
		f.timer = time.AfterFunc(within, func() { f.land(l.producer, true, nil) })
	}
	l.queued += size
	if !l.awake {
		l.awake = true
		l.wake <- struct{}{}
	}
	return ticket{f, s}, nil
}

func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if !l.awake {
		l.awake = true
		l.wake <- struct{}{}
	}
}

// run sends flights until the lane is closed and empty. What comes while one is
// under way, and for the linger after it, shares the next.
func (l *lane) run() {
	for range l.wake {
		l.mu.Lock()
		l.awake = false
		l.mu.Unlock()
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
	l.usual = 0
	for _, to := range f.loads {
		l.usual = min(max(l.usual, len(to.messages)), 256)
	}
	if more = len(l.later) > 0; more {
		l.next = l.later[0] // by itself: Delete clears what it takes out
		l.later = slices.Delete(l.later, 0, 1)
	} else {
		l.next = newFlight()
	}
	return f, more, l.closed
}

// isOver tells whether nobody waits for the flight any more.
func (f *flight) isOver() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.over
}

// fly sends a flight, and what failed of it again, and lets it land. When its time is
// over it is not sent: those who waited put it elsewhere, and who closes the producer
// does not wait for a broker that is frozen.
func (l *lane) fly(f *flight) {
	const attempts = 3
	if f.timer != nil {
		defer f.timer.Stop()
	}
	wait := 20 * time.Millisecond
	open := f.loads
	for attempt := 1; !f.isOver(); attempt++ {
		failed := l.send(open)
		if len(failed) == 0 {
			f.land(l.producer, false, nil)
			return
		}
		l.producer.routes.forget()
		if attempt == attempts {
			f.land(l.producer, false, failed)
			return
		}
		again := map[slot]*load{}
		for s := range failed {
			again[s] = open[s]
		}
		open = again
		time.Sleep(wait)
		wait *= 5
	}
}

// send makes one request and returns what failed.
func (l *lane) send(loads map[slot]*load) map[slot]error {
	cfg := l.producer.log.cfg
	req := &produceapi.Request{Acks: int16(kafka.RequireAll), Timeout: int32(cfg.WriteTimeout.Milliseconds())}
	byTopic := map[string]int{}
	for s, load := range loads {
		at, ok := byTopic[s.topic]
		if !ok {
			at = len(req.Topics)
			byTopic[s.topic] = at
			req.Topics = append(req.Topics, produceapi.RequestTopic{Topic: s.topic})
		}
		req.Topics[at].Partitions = append(req.Topics[at].Partitions, produceapi.RequestPartition{
			Partition: int32(s.partition),
			RecordSet: protocol.RecordSet{Attributes: protocol.Attributes(kafka.Lz4), Records: newRecords(load.messages)},
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), cfg.WriteTimeout)
	defer cancel()
	answer, err := l.producer.log.transport.RoundTrip(ctx, l.producer.log.client.Addr, req)
	failed := map[slot]error{}
	if err != nil {
		for s := range loads {
			failed[s] = err
		}
		return failed
	}
	res, ok := answer.(*produceapi.Response)
	if !ok {
		err = fmt.Errorf("the broker answered a write with %T", answer)
	}
	for s := range loads { // what is not answered for has failed
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
