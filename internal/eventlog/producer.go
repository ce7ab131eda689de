package eventlog

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// Producer writes to the log. Close it when nothing writes any more.
type Producer struct {
	writer *kafka.Writer
}

// Producer returns a producer. One per process is enough: concurrent writes
// share requests, which is what makes them cheap.
func (l *Log) Producer() *Producer {
	linger := max(l.cfg.Linger, time.Nanosecond) // kafka-go takes 0 for its default of 1 s
	return &Producer{writer: &kafka.Writer{
		Addr: l.client.Addr, Transport: l.transport,
		// The partitioner of the Java client: tools in other languages agree on
		// where a key lives.
		Balancer:     kafka.Murmur2Balancer{Consistent: true},
		RequiredAcks: kafka.RequireAll, Compression: kafka.Lz4,
		BatchSize: 1000, BatchBytes: MaxMessage, BatchTimeout: linger,
		MaxAttempts: 3, WriteBackoffMin: 20 * time.Millisecond, WriteBackoffMax: 500 * time.Millisecond,
		ReadTimeout: l.cfg.WriteTimeout, WriteTimeout: l.cfg.WriteTimeout,
	}}
}

// Write appends messages to a topic and returns when every in-sync replica has
// them. After an error, also one of ctx, each may or may not be in the log.
func (p *Producer) Write(ctx context.Context, topic string, messages ...Message) error {
	out := make([]kafka.Message, len(messages))
	for i, m := range messages {
		out[i] = kafka.Message{Topic: topic, Key: m.Key, Value: m.Value}
		for _, h := range m.Headers {
			out[i].Headers = append(out[i].Headers, kafka.Header{Key: h.Key, Value: h.Value})
		}
	}
	if err := p.writer.WriteMessages(ctx, out...); err != nil {
		return fmt.Errorf("write %d messages to %s: %w", len(messages), topic, err)
	}
	return nil
}

// Close waits for the writes under way.
func (p *Producer) Close() error { return p.writer.Close() }

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
