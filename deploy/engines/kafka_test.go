package engines_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/deploy/engines"
)

const (
	topic      = "vitascope.test.v1"
	partitions = 2
)

func createTopic(t *testing.T, broker string) {
	t.Helper()
	conn, err := kafka.DialContext(t.Context(), "tcp", broker)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.CreateTopics(kafka.TopicConfig{
		Topic: topic, NumPartitions: partitions, ReplicationFactor: 1,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "604800000"}},
	}))
}

func newWriter(broker string) *kafka.Writer {
	return &kafka.Writer{
		Addr: kafka.TCP(broker), Topic: topic, Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll,
		Compression: kafka.Lz4, BatchTimeout: time.Millisecond, MaxAttempts: 1, WriteTimeout: 2 * time.Second,
		Transport: &kafka.Transport{MetadataTTL: time.Second},
	}
}

func closeWriter(t *testing.T, w *kafka.Writer) {
	t.Helper()
	require.NoError(t, w.Close())
	transport, ok := w.Transport.(*kafka.Transport)
	require.True(t, ok)
	transport.CloseIdleConnections()
}

// readAll reads every partition by offset and returns how often each key is
// there.
func readAll(t *testing.T, broker string) map[string]int {
	t.Helper()
	keys := map[string]int{}
	for p := range partitions {
		conn, err := kafka.DialLeader(t.Context(), "tcp", broker, topic, p)
		require.NoError(t, err)
		first, end, err := conn.ReadOffsets()
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{broker}, Topic: topic, Partition: p, MaxWait: 50 * time.Millisecond})
		require.NoError(t, r.SetOffset(first))
		for at := first; at < end; {
			m, err := r.ReadMessage(t.Context())
			require.NoError(t, err)
			require.Equal(t, at, m.Offset)
			at = m.Offset + 1
			keys[string(m.Key)]++
		}
		require.NoError(t, r.Close())
	}
	return keys
}

func TestKafkaKeepsRecordsOverARestart(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, t.TempDir())
	cfg.Kafka = true
	e, err := engines.New(cfg, testSecret(), testLog(t))
	require.NoError(t, err)
	var offsets map[string]int
	for round := range 3 {
		endpoints, err := e.Start(t.Context())
		require.NoError(t, err)
		broker := endpoints.KafkaBrokers[0]
		if round == 0 {
			createTopic(t, broker)
		} else {
			require.Equal(t, offsets, readAll(t, broker))
		}
		w := newWriter(broker)
		for i := range 10 {
			key := fmt.Sprintf("%d-%d", round, i)
			require.NoError(t, w.WriteMessages(t.Context(), kafka.Message{Key: []byte(key), Value: []byte("v")}))
		}
		closeWriter(t, w)
		offsets = readAll(t, broker)
		require.Len(t, offsets, 10*(round+1))
		require.Equal(t, map[string]error{"kafka": nil}, e.Health())
		require.NoError(t, e.Stop(context.Background()))
		require.Empty(t, e.Health())
	}
}

func TestKafkaKeepsAcknowledgedRecordsOverKills(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, t.TempDir())
	cfg.Kafka = true
	acked := map[string]bool{}
	for round := range 3 {
		h := startHelper(t, cfg)
		broker := h.endpoints.KafkaBrokers[0]
		if round == 0 {
			createTopic(t, broker)
		}
		w := newWriter(broker)
		enough := make(chan struct{})
		var producer sync.WaitGroup
		producer.Go(func() {
			for i := 0; ; i++ {
				var batch []kafka.Message
				for j := range 20 {
					batch = append(batch, kafka.Message{Key: fmt.Appendf(nil, "%d-%d-%d", round, i, j), Value: make([]byte, 250)})
				}
				if w.WriteMessages(t.Context(), batch...) != nil {
					return
				}
				for _, m := range batch {
					acked[string(m.Key)] = true
				}
				if i == 50 {
					close(enough)
				}
			}
		})
		<-enough
		h.kill(t) // in the middle of writing
		producer.Wait()
		closeWriter(t, w)
	}
	h := startHelper(t, cfg)
	there := readAll(t, h.endpoints.KafkaBrokers[0])
	lost := 0
	for key := range acked {
		if there[key] != 1 {
			lost++
		}
	}
	require.Zero(t, lost, "of %d acknowledged records", len(acked))
	h.stop(t)
}
