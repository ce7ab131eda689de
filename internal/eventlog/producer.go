package eventlog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

// ErrBusy is returned by Write when too much waits for the brokers already.
var ErrBusy = errors.New("too much waits for the event log")

// ErrLate is returned by WriteWithin when the time is over.
var ErrLate = errors.New("the event log did not acknowledge in time")

// maxQueued bounds the bytes that wait for one broker.
const maxQueued = 64 << 20

// Producer writes to the log. Close it when nothing writes any more.
//
// Writes to all partitions a broker leads share its requests: while one is under
// way the next gathers, so that one synced write of the broker serves as many as
// came meanwhile.
type Producer struct {
	log    *Log
	routes routes

	mu     sync.RWMutex
	lanes  map[int]*lane // by the broker's id
	closed bool
	done   sync.WaitGroup
}

// Producer returns a producer. One per process is enough.
func (l *Log) Producer() *Producer {
	return &Producer{log: l, routes: routes{log: l}, lanes: map[int]*lane{}}
}

// Write appends messages to a topic and returns when every in-sync replica has
// them. After an error, also one of ctx, each may or may not be in the log; the
// error matches [ErrBusy] when none is.
func (p *Producer) Write(ctx context.Context, topic string, messages ...Message) error {
	leaders, err := p.routes.of(ctx, topic)
	if err == nil {
		err = p.write(ctx, leaders, 0, topic, messages)
	}
	if err != nil {
		return fmt.Errorf("write %d messages to %s: %w", len(messages), topic, err)
	}
	return nil
}

// WriteWithin is Write for those who wait for a time and for nothing else, which
// costs less than a context does. What shares a request shares the time that its
// first message was given. The error matches [ErrLate] when that was over.
func (p *Producer) WriteWithin(within time.Duration, topic string, messages ...Message) error {
	leaders := p.routes.known(topic)
	if leaders == nil {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		var err error
		if leaders, err = p.routes.of(ctx, topic); err != nil {
			return fmt.Errorf("write %d messages to %s: %w", len(messages), topic, err)
		}
	}
	if err := p.write(context.Background(), leaders, within, topic, messages); err != nil {
		return fmt.Errorf("write %d messages to %s: %w", len(messages), topic, err)
	}
	return nil
}

// Landing is told what became of a message: no error when every in-sync replica
// has it.
type Landing interface{ Landed(err error) }

// WriteThen is WriteWithin for those who have better to do than to wait: tell is told
// once, by another goroutine, which it must not hold up. With an error nothing was
// written and nothing will be told. It never blocks, so it fails when it would have to
// ask who leads the partition.
func (p *Producer) WriteThen(within time.Duration, topic string, m Message, tell Landing) error {
	leaders := p.routes.known(topic)
	if leaders == nil {
		return ErrBusy
	}
	partition := leaders.partition(m.Key)
	_, err := p.lane(leaders.of[partition]).add(slot{topic, partition}, m, within, tell)
	return err
}

func (p *Producer) write(ctx context.Context, leaders *leaders, within time.Duration, topic string, messages []Message) error {
	var one [1]ticket
	tickets := one[:0]
	for i := range messages {
		partition := leaders.partition(messages[i].Key)
		t, err := p.lane(leaders.of[partition]).add(slot{topic, partition}, messages[i], within, nil)
		if err != nil {
			return err
		}
		tickets = append(tickets, t)
	}
	for _, t := range tickets {
		if err := t.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (t ticket) wait(ctx context.Context) error {
	if ctx.Done() == nil {
		<-t.flight.landed
		return t.flight.outcome(t.slot)
	}
	select {
	case <-t.flight.landed:
		return t.flight.outcome(t.slot)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *Producer) lane(broker int) *lane {
	p.mu.RLock()
	l := p.lanes[broker]
	p.mu.RUnlock()
	if l != nil {
		return l
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if l = p.lanes[broker]; l == nil {
		l = &lane{producer: p, next: newFlight(), wake: make(chan struct{}, 1), closed: p.closed}
		p.lanes[broker] = l
		if !p.closed {
			p.done.Go(l.run)
		}
	}
	return l
}

// Close waits for the writes under way.
func (p *Producer) Close() error {
	p.mu.Lock()
	p.closed = true
	for _, l := range p.lanes {
		l.close()
	}
	p.mu.Unlock()
	p.done.Wait()
	return nil
}

// routes knows which broker leads each partition.
type routes struct {
	log    *Log
	topics atomic.Pointer[map[string]*leaders] // replaced, never changed
	mu     sync.Mutex                          // held while it is replaced
}

// leaders of the partitions of one topic, numbered from 0 without a gap.
type leaders struct {
	of      []int
	numbers []int
	read    time.Time
}

// The partitioner of the Java client: tools in other languages agree on where a
// key lives.
var balancer = kafka.Murmur2Balancer{Consistent: true}

func (l *leaders) partition(key []byte) int {
	return balancer.Balance(kafka.Message{Key: key}, l.numbers...)
}

const leadersLife = 30 * time.Second

// known returns the leaders as they were read lately, or nil.
func (r *routes) known(topic string) *leaders {
	if l := r.last(topic); l != nil && time.Since(l.read) < leadersLife {
		return l
	}
	return nil
}

// last returns the leaders as they were read last, or nil.
func (r *routes) last(topic string) *leaders {
	if topics := r.topics.Load(); topics != nil {
		return (*topics)[topic]
	}
	return nil
}

func (r *routes) of(ctx context.Context, topic string) (*leaders, error) {
	if known := r.known(topic); known != nil {
		return known, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.known(topic); known != nil {
		return known, nil
	}
	fresh, err := r.log.leaders(ctx, topic)
	if err != nil {
		old := r.last(topic)
		if old == nil {
			return nil, err
		}
		// Old ones are better than none: writing will tell.
		fresh = &leaders{of: old.of, numbers: old.numbers, read: time.Now().Add(time.Second - leadersLife)}
	}
	r.replace(func(topics map[string]*leaders) { topics[topic] = fresh })
	return fresh, nil
}

// forget makes the next write ask again.
func (r *routes) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replace(func(topics map[string]*leaders) {
		for topic, l := range topics {
			topics[topic] = &leaders{of: l.of, numbers: l.numbers}
		}
	})
}

// replace changes a copy of what is known. mu is held.
func (r *routes) replace(change func(map[string]*leaders)) {
	topics := map[string]*leaders{}
	if now := r.topics.Load(); now != nil {
		maps.Copy(topics, *now)
	}
	change(topics)
	r.topics.Store(&topics)
}

func (l *Log) leaders(ctx context.Context, topic string) (*leaders, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.WriteTimeout)
	defer cancel()
	res, err := l.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, err
	}
	for _, t := range res.Topics {
		if t.Name != topic || t.Error != nil || len(t.Partitions) == 0 {
			continue
		}
		found := &leaders{of: make([]int, len(t.Partitions)), numbers: make([]int, len(t.Partitions)), read: time.Now()}
		for _, p := range t.Partitions {
			if p.ID < 0 || p.ID >= len(found.of) {
				return nil, fmt.Errorf("partitions of %s are not numbered from 0", topic)
			}
			found.of[p.ID], found.numbers[p.ID] = p.Leader.ID, p.ID
		}
		return found, nil
	}
	return nil, fmt.Errorf("topic %s: %w", topic, kafka.UnknownTopicOrPartition)
}

// Rejected returns the message that puts something refused aside: the bytes as
// they came (cut to half of MaxMessage), with headers reason (a stable code),
// source (which role refused it), detail, and at_ms; from, when given, names
// where in the log they were, "topic/partition/offset".
func Rejected(source, reason, detail, from string, at time.Time, raw []byte) Message {
	m := Message{Value: raw[:min(len(raw), MaxMessage/2)], Headers: []Header{
		{Key: "reason", Value: []byte(reason)},
		{Key: "source", Value: []byte(source)},
		{Key: "detail", Value: []byte(detail)},
		{Key: "at_ms", Value: strconv.AppendInt(nil, at.UnixMilli(), 10)},
	}}
	if from != "" {
		m.Headers = append(m.Headers, Header{Key: "from", Value: []byte(from)})
		m.Key = []byte(from)
	}
	return m
}
