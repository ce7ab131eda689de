// Package eventlog is the durable, ordered log between collect and sink: any
// broker that speaks the Kafka protocol, from Apache Kafka 4 to the embedded
// one.
//
// Topics, version 1:
//   - [TopicBeacons]: one beacon.Record per accepted batch, key = view id;
//   - [TopicRejected]: bodies and records that were refused, byte for byte, with
//     headers that say why (see [Rejected]).
//
// A [Producer] returns when every in-sync replica has the record. It is not
// idempotent: a write that was retried, or that timed out and was repeated by
// the caller, may be in the log twice, and readers must drop repeats. A key
// always goes to the same partition while the number of partitions stays.
//
// A [PartitionReader] reads one named partition from a named offset. There are
// no consumer groups and no commits: a reader's position is kept where its
// results are. kafka-go caches the list of topics; it is refreshed each second
// here, and EnsureTopics returns only when the cache knows the topics.
//
// A Log, its Producer and its PartitionReaders are safe for concurrent use.
package eventlog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"
)

// Topics of schema version 1.
const (
	TopicBeacons  = "vitascope.beacons.v1"
	TopicRejected = "vitascope.beacons.rejected.v1"
)

// MaxMessage is the largest record in bytes a topic takes: a beacon body with
// its enrichment, with room to spare.
const MaxMessage = 1 << 20

// Message is one record. Partition, Offset and Time are filled in by readers.
type Message struct {
	Key, Value []byte
	Headers    []Header
	Partition  int
	Offset     int64
	Time       time.Time
}

// Header is one named value of a Message.
type Header struct {
	Key   string
	Value []byte
}

// Log is a connection pool to the brokers.
type Log struct {
	cfg       Config
	log       *slog.Logger
	client    *kafka.Client
	transport *kafka.Transport
}

// Open checks cfg and returns a Log. It connects to nothing yet. Close it after
// its producer.
func Open(cfg Config, log *slog.Logger) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("event log: %w", err)
	}
	transport := &kafka.Transport{
		ClientID: "vitascope", DialTimeout: 3 * time.Second, IdleTimeout: time.Minute, MetadataTTL: time.Second,
	}
	if cfg.TLS {
		transport.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if cfg.User != "" {
		transport.SASL = plain.Mechanism{Username: cfg.User, Password: cfg.Password}
	}
	client := &kafka.Client{Addr: kafka.TCP(cfg.Brokers...), Transport: transport, Timeout: 10 * time.Second}
	return &Log{cfg: cfg, log: log, client: client, transport: transport}, nil
}

// Close drops idle connections.
func (l *Log) Close() { l.transport.CloseIdleConnections() }

// EnsureTopics creates the topics that are missing and waits until they can be
// used. Running it again, or at the same time elsewhere, does no harm.
func (l *Log) EnsureTopics(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req := &kafka.CreateTopicsRequest{}
	for _, topic := range []string{TopicBeacons, TopicRejected} {
		req.Topics = append(req.Topics, kafka.TopicConfig{
			Topic: topic, NumPartitions: l.cfg.Partitions, ReplicationFactor: l.cfg.ReplicationFactor,
			ConfigEntries: []kafka.ConfigEntry{
				{ConfigName: "retention.ms", ConfigValue: strconv.FormatInt(l.cfg.Retention.Milliseconds(), 10)},
				{ConfigName: "retention.bytes", ConfigValue: strconv.FormatInt(l.cfg.RetentionBytes, 10)},
				{ConfigName: "cleanup.policy", ConfigValue: "delete"},
				{ConfigName: "max.message.bytes", ConfigValue: strconv.Itoa(2 * MaxMessage)},
			},
		})
	}
	res, err := l.client.CreateTopics(ctx, req)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	for topic, err := range res.Errors {
		if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	for _, t := range req.Topics {
		if err := l.awaitTopic(ctx, t.Topic); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) awaitTopic(ctx context.Context, topic string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := l.Offsets(ctx, topic)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for topic %s: %w", topic, errors.Join(err, context.Cause(ctx)))
		case <-tick.C:
		}
	}
}

// ErrNoTopic is returned for a topic that EnsureTopics has not made yet.
var ErrNoTopic error = kafka.UnknownTopicOrPartition

// Partitions returns the numbers of a topic's partitions, or ErrNoTopic.
func (l *Log) Partitions(ctx context.Context, topic string) ([]int, error) {
	res, err := l.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, fmt.Errorf("partitions of %s: %w", topic, err)
	}
	for _, t := range res.Topics {
		if t.Name != topic {
			continue
		}
		if t.Error != nil {
			return nil, fmt.Errorf("partitions of %s: %w", topic, t.Error)
		}
		numbers := make([]int, 0, len(t.Partitions))
		for _, p := range t.Partitions {
			numbers = append(numbers, p.ID)
		}
		return numbers, nil
	}
	return nil, fmt.Errorf("partitions of %s: %w", topic, ErrNoTopic)
}

// Range is what a partition holds: offsets First up to, not including, End.
type Range struct{ First, End int64 }

// Offsets returns what each partition of a topic holds. End is the high
// watermark: End minus a reader's next offset is how far it lags.
func (l *Log) Offsets(ctx context.Context, topic string) (map[int]Range, error) {
	partitions, err := l.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	ask := make([]kafka.OffsetRequest, 0, 2*len(partitions))
	for _, p := range partitions {
		ask = append(ask, kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p))
	}
	res, err := l.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: ask}})
	if err != nil {
		return nil, fmt.Errorf("offsets of %s: %w", topic, err)
	}
	ranges := make(map[int]Range, len(partitions))
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("offsets of %s/%d: %w", topic, p.Partition, p.Error)
		}
		ranges[p.Partition] = Range{First: p.FirstOffset, End: p.LastOffset}
	}
	return ranges, nil
}
