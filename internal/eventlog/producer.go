package eventlog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// ErrBusy is returned by Write when too much waits for the brokers already.
var ErrBusy = errors.New("too much waits for the event log")

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

	mu     sync.Mutex
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
	if err != nil {
		return fmt.Errorf("write %d messages to %s: %w", len(messages), topic, err)
	}
	var one [1]ticket
	tickets := one[:0]
	for i := range messages {
		partition := leaders.partition(messages[i].Key)
		t, err := p.lane(leaders.of[partition]).add(slot{topic, partition}, &messages[i])
		if err != nil {
			return fmt.Errorf("write %d messages to %s: %w", len(messages), topic, err)
		}
		tickets = append(tickets, t)
	}
	for _, t := range tickets {
		select {
		case <-t.flight.landed:
			if err := t.flight.failed[t.slot]; err != nil {
				return fmt.Errorf("write %d messages to %s: %w", len(messages), topic, err)
			}
		case <-ctx.Done():
			return fmt.Errorf("write %d messages to %s: %w", len(messages), topic, context.Cause(ctx))
		}
	}
	return nil
}

func (p *Producer) lane(broker int) *lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lanes[broker]
	if l == nil {
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
	mu     sync.Mutex
	topics map[string]*leaders
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

func (r *routes) of(ctx context.Context, topic string) (*leaders, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.topics[topic]
	if known != nil && time.Since(known.read) < leadersLife {
		return known, nil
	}
	fresh, err := r.log.leaders(ctx, topic)
	if err != nil {
		if known != nil { // old ones are better than none: writing will tell
			known.read = time.Now().Add(time.Second - leadersLife)
			return known, nil
		}
		return nil, err
	}
	if r.topics == nil {
		r.topics = map[string]*leaders{}
	}
	r.topics[topic] = fresh
	return fresh, nil
}

// forget makes the next write ask again.
func (r *routes) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, known := range r.topics {
		known.read = time.Time{}
	}
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
