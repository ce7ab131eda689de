package eventlog_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/vitascope/vitascope/internal/eventlog"
)

// open starts a broker with its log on disk, synced before each ack, as the
// embedded one is.
func open(t *testing.T, partitions int) *eventlog.Log {
	t.Helper()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(t.TempDir()), kfake.SyncWrites())
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	cfg := eventlog.DefaultConfig()
	cfg.Brokers, cfg.Partitions = broker.ListenAddrs(), partitions
	log, err := eventlog.Open(cfg, slog.New(slog.NewTextHandler(io.Discard, nil)))
	require.NoError(t, err)
	t.Cleanup(log.Close)
	require.NoError(t, log.EnsureTopics(t.Context()))
	return log
}

func produce(t *testing.T, log *eventlog.Log) *eventlog.Producer {
	t.Helper()
	p := log.Producer()
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func TestTopicsCanBeEnsuredTwiceAndUsedAtOnce(t *testing.T) {
	t.Parallel()
	log := open(t, 3)
	require.NoError(t, log.EnsureTopics(t.Context()))
	partitions, err := log.Partitions(t.Context(), eventlog.TopicBeacons)
	require.NoError(t, err)
	require.ElementsMatch(t, []int{0, 1, 2}, partitions)
	require.NoError(t, produce(t, log).Write(t.Context(), eventlog.TopicRejected, eventlog.Message{Value: []byte("x")}))
	_, err = log.Partitions(t.Context(), "no.such.topic")
	require.Error(t, err)
}

func TestEveryAcknowledgedMessageIsReadBackInOrderOfItsKey(t *testing.T) {
	t.Parallel()
	log := open(t, 4)
	p := produce(t, log)
	const writers, each = 8, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				m := eventlog.Message{Key: fmt.Append(nil, "view-", w), Value: fmt.Append(nil, i), Headers: []eventlog.Header{{Key: "h", Value: []byte("v")}}}
				if err := p.Write(context.Background(), eventlog.TopicBeacons, m); err != nil {
					t.Errorf("write: %v", err)
				}
			}
		})
	}
	wg.Wait()
	ranges, err := log.Offsets(t.Context(), eventlog.TopicBeacons)
	require.NoError(t, err)
	next, where := map[string]int{}, map[string]int{}
	for partition, r := range ranges {
		reader := log.Reader(eventlog.TopicBeacons, partition)
		for at := r.First; at < r.End; {
			chunk, err := reader.Read(t.Context(), at, 1<<16, time.Second)
			require.NoError(t, err)
			require.Equal(t, r.End, chunk.End)
			for _, m := range chunk.Messages {
				require.Equal(t, at, m.Offset)
				require.Equal(t, []eventlog.Header{{Key: "h", Value: []byte("v")}}, m.Headers)
				key := string(m.Key)
				require.Equal(t, fmt.Sprint(next[key]), string(m.Value))
				if next[key]++; next[key] > 1 {
					require.Equal(t, where[key], partition, "a key stays in its partition")
				}
				where[key] = partition
				at++
			}
		}
	}
	require.Len(t, next, writers)
	for key, n := range next {
		require.Equal(t, each, n, key)
	}
}

func TestReadingFromTheMiddleOfABatchStartsThere(t *testing.T) {
	t.Parallel()
	log := open(t, 1)
	var batch []eventlog.Message
	for i := range 10 {
		batch = append(batch, eventlog.Message{Value: fmt.Append(nil, i)})
	}
	require.NoError(t, produce(t, log).Write(t.Context(), eventlog.TopicBeacons, batch...))
	chunk, err := log.Reader(eventlog.TopicBeacons, 0).Read(t.Context(), 7, 1<<20, time.Second)
	require.NoError(t, err)
	require.Len(t, chunk.Messages, 3)
	require.Equal(t, int64(7), chunk.Messages[0].Offset)
}

func TestReadingAtTheEndWaitsAndBeyondItIsOutOfRange(t *testing.T) {
	t.Parallel()
	log := open(t, 1)
	reader := log.Reader(eventlog.TopicBeacons, 0)
	chunk, err := reader.Read(t.Context(), 0, 1<<20, 20*time.Millisecond)
	require.NoError(t, err)
	require.Empty(t, chunk.Messages)
	_, err = reader.Read(t.Context(), 5, 1<<20, 20*time.Millisecond)
	require.ErrorIs(t, err, eventlog.ErrOutOfRange)

	got := make(chan eventlog.Chunk, 1)
	go func() {
		c, err := reader.Read(context.Background(), 0, 1<<20, time.Hour)
		if err != nil {
			t.Errorf("read: %v", err)
		}
		got <- c
	}()
	require.NoError(t, produce(t, log).Write(t.Context(), eventlog.TopicBeacons, eventlog.Message{Value: []byte("late")}))
	select {
	case c := <-got:
		require.Len(t, c.Messages, 1)
	case <-time.After(2 * time.Minute):
		t.Fatal("the waiting read did not see the write")
	}
}

func TestWritesFailWhenTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	cfg := eventlog.DefaultConfig()
	cfg.Brokers = []string{"127.0.0.1:1"}
	log, err := eventlog.Open(cfg, slog.New(slog.NewTextHandler(io.Discard, nil)))
	require.NoError(t, err)
	t.Cleanup(log.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	require.Error(t, produce(t, log).Write(ctx, eventlog.TopicBeacons, eventlog.Message{Value: []byte("x")}))
}

// A broker that is frozen takes what it is sent and does not answer.
func TestWhatNobodyWaitsForIsNotSentAgain(t *testing.T) {
	t.Parallel()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	cfg := eventlog.DefaultConfig()
	cfg.Brokers, cfg.Partitions, cfg.WriteTimeout = broker.ListenAddrs(), 1, 3*time.Second
	log, err := eventlog.Open(cfg, slog.New(slog.NewTextHandler(io.Discard, nil)))
	require.NoError(t, err)
	t.Cleanup(log.Close)
	require.NoError(t, log.EnsureTopics(t.Context()))
	p := log.Producer()
	require.NoError(t, p.Write(t.Context(), eventlog.TopicBeacons, eventlog.Message{Value: []byte("before")}))
	var sent atomic.Int64
	thaw := make(chan struct{})
	t.Cleanup(func() { close(thaw) })
	broker.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		broker.KeepControl()
		sent.Add(1)
		broker.SleepControl(func() { <-thaw })
		return nil, nil, false
	})
	for range 3 {
		err := p.WriteWithin(500*time.Millisecond, eventlog.TopicBeacons, eventlog.Message{Value: []byte("late")})
		require.ErrorIs(t, err, eventlog.ErrLate)
	}
	require.NoError(t, p.Close())
	require.EqualValues(t, 1, sent.Load())
}

func TestConfigReportsAllItsProblems(t *testing.T) {
	t.Parallel()
	require.NoError(t, func() error { c := eventlog.DefaultConfig(); c.Brokers = []string{"b:9092"}; return c.Validate() }())
	err := eventlog.Config{}.Validate()
	for _, key := range []string{"brokers", "partitions", "replication_factor", "retention", "retention_bytes", "write_timeout"} {
		require.ErrorContains(t, err, key)
	}
}
