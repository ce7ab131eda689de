//go:build cluster

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/eventlog"
)

// openLog leads to the real broker. Its topics are shared by all tests.
func openLog(t *testing.T) *eventlog.Log {
	t.Helper()
	cfg := eventlog.DefaultConfig()
	cfg.Brokers = strings.Split(os.Getenv("TEST_KAFKA_BROKERS"), ",")
	log, err := eventlog.Open(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(log.Close)
	return log
}

func TestProcessesMakeTheTopicsTogether(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for range 4 {
		log := openLog(t)
		wg.Go(func() {
			if err := log.EnsureTopics(t.Context()); err != nil {
				t.Errorf("ensure topics: %v", err)
			}
		})
	}
	wg.Wait()
	log := openLog(t)
	for _, topic := range []string{eventlog.TopicBeacons, eventlog.TopicRejected} {
		partitions, err := log.Partitions(t.Context(), topic)
		require.NoError(t, err)
		require.Len(t, partitions, 8)
	}
}

func TestApacheKafkaKeepsWhatItAcknowledgedInOrder(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	require.NoError(t, log.EnsureTopics(t.Context()))
	before, err := log.Offsets(t.Context(), eventlog.TopicBeacons)
	require.NoError(t, err)
	const writers, each = 8, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			p := log.Producer()
			defer p.Close()
			for i := range each {
				m := eventlog.Message{Key: fmt.Append(nil, t.Name(), w), Value: fmt.Append(nil, i), Headers: []eventlog.Header{{Key: "h", Value: []byte("v")}}}
				if err := p.Write(context.Background(), eventlog.TopicBeacons, m); err != nil {
					t.Errorf("write: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	require.False(t, t.Failed())
	after, err := log.Offsets(t.Context(), eventlog.TopicBeacons)
	require.NoError(t, err)
	next := map[string]int{}
	for partition, r := range after {
		for at := before[partition].End; at < r.End; {
			chunk, err := log.Reader(eventlog.TopicBeacons, partition).Read(t.Context(), at, 1<<16, time.Second)
			require.NoError(t, err)
			for _, m := range chunk.Messages {
				require.Equal(t, at, m.Offset)
				at++
				if key := string(m.Key); strings.HasPrefix(key, t.Name()) {
					require.Equal(t, fmt.Sprint(next[key]), string(m.Value))
					require.Equal(t, []eventlog.Header{{Key: "h", Value: []byte("v")}}, m.Headers)
					next[key]++
				}
			}
		}
	}
	require.Len(t, next, writers)
	for key, n := range next {
		require.Equal(t, each, n, key)
	}
}

func TestApacheKafkaTakesTheLargestRecordAndReadsFromAnyOffset(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	require.NoError(t, log.EnsureTopics(t.Context()))
	p := log.Producer()
	defer p.Close()
	key := []byte(t.Name())
	large := eventlog.Message{Key: key, Value: []byte(strings.Repeat("x", eventlog.MaxMessage-1024))}
	require.NoError(t, p.Write(t.Context(), eventlog.TopicRejected, large))
	var batch []eventlog.Message
	for i := range 10 {
		batch = append(batch, eventlog.Message{Key: key, Value: fmt.Append(nil, i)})
	}
	require.NoError(t, p.Write(t.Context(), eventlog.TopicRejected, batch...))
	offsets, err := log.Offsets(t.Context(), eventlog.TopicRejected)
	require.NoError(t, err)
	for partition, r := range offsets {
		if r.End < 11 {
			continue
		}
		reader := log.Reader(eventlog.TopicRejected, partition)
		chunk, err := reader.Read(t.Context(), r.End-3, 1<<20, time.Second)
		require.NoError(t, err)
		require.Len(t, chunk.Messages, 3)
		require.Equal(t, "7", string(chunk.Messages[0].Value))
		chunk, err = reader.Read(t.Context(), r.End-11, 1<<20, time.Second)
		require.NoError(t, err)
		require.Len(t, chunk.Messages[0].Value, len(large.Value))
		_, err = reader.Read(t.Context(), r.End+5, 1<<20, 20*time.Millisecond)
		require.ErrorIs(t, err, eventlog.ErrOutOfRange)
		return
	}
	t.Fatal("the batch is in no partition")
}

func TestAReaderWaitsAtTheEndOfApacheKafkasLog(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	require.NoError(t, log.EnsureTopics(t.Context()))
	offsets, err := log.Offsets(t.Context(), eventlog.TopicBeacons)
	require.NoError(t, err)
	key, got := t.Name(), make(chan string, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for partition, r := range offsets {
		go func() {
			for at := r.End; ctx.Err() == nil; {
				chunk, err := log.Reader(eventlog.TopicBeacons, partition).Read(ctx, at, 1<<20, 5*time.Second)
				if err != nil {
					return // the test is over
				}
				for _, m := range chunk.Messages {
					at = m.Offset + 1
					if string(m.Key) == key {
						got <- string(m.Value)
					}
				}
			}
		}()
	}
	p := log.Producer()
	defer p.Close()
	require.NoError(t, p.Write(ctx, eventlog.TopicBeacons, eventlog.Message{Key: []byte(key), Value: []byte("late")}))
	select {
	case v := <-got:
		require.Equal(t, "late", v)
	case <-ctx.Done():
		t.Fatal("no waiting read saw the write")
	}
}
