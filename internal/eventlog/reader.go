package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
)

// ErrOutOfRange is returned by Read when the partition does not hold the offset
// asked for: retention removed it, or the log is shorter than it was.
var ErrOutOfRange = errors.New("offset is not in the log")

// PartitionReader reads one partition. It keeps no position.
type PartitionReader struct {
	client    *kafka.Client
	topic     string
	partition int
}

// Reader returns a reader of one partition of a topic.
func (l *Log) Reader(topic string, partition int) *PartitionReader {
	return &PartitionReader{client: l.client, topic: topic, partition: partition}
}

// Chunk is the answer to one Read.
type Chunk struct {
	Messages []Message // in order of offset, none before the one asked for
	End      int64     // high watermark when the broker answered
}

// Read returns messages from offset on, about maxBytes of them and at least one
// if there is one. With none it waits up to maxWait and then returns an empty
// Chunk. The error matches [ErrOutOfRange] when the log cannot hold offset;
// offset == End is not out of range.
func (r *PartitionReader) Read(ctx context.Context, offset int64, maxBytes int, maxWait time.Duration) (Chunk, error) {
	res, err := r.client.Fetch(ctx, &kafka.FetchRequest{
		Topic: r.topic, Partition: r.partition, Offset: offset,
		MinBytes: 1, MaxBytes: int64(maxBytes), MaxWait: max(maxWait, time.Millisecond),
	})
	if err == nil {
		err = res.Error
	}
	switch {
	case errors.Is(err, kafka.OffsetOutOfRange):
		return Chunk{}, fmt.Errorf("read %s/%d at %d: %w", r.topic, r.partition, offset, ErrOutOfRange)
	case err != nil:
		return Chunk{}, fmt.Errorf("read %s/%d at %d: %w", r.topic, r.partition, offset, err)
	}
	chunk := Chunk{End: res.HighWatermark}
	for {
		rec, err := res.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return chunk, nil
		}
		if err != nil {
			return Chunk{}, fmt.Errorf("read %s/%d at %d: %w", r.topic, r.partition, offset, err)
		}
		m, err := r.message(rec)
		if err != nil {
			return Chunk{}, fmt.Errorf("read %s/%d at %d: %w", r.topic, r.partition, rec.Offset, err)
		}
		if m.Offset >= offset { // brokers answer whole batches, which may begin earlier
			chunk.Messages = append(chunk.Messages, m)
		}
	}
}

func (r *PartitionReader) message(rec *kafka.Record) (Message, error) {
	m := Message{Partition: r.partition, Offset: rec.Offset, Time: rec.Time}
	var err error
	if m.Key, err = drain(rec.Key); err != nil {
		return m, err
	}
	if m.Value, err = drain(rec.Value); err != nil {
		return m, err
	}
	for _, h := range rec.Headers {
		m.Headers = append(m.Headers, Header{Key: h.Key, Value: h.Value})
	}
	return m, nil
}

func drain(b kafka.Bytes) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	defer b.Close()
	return kafka.ReadAll(b)
}
