package sink

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/vitascope/vitascope/internal/eventlog"
)

// Rejects is where records that cannot be read are put aside.
type Rejects interface {
	Write(ctx context.Context, topic string, messages ...eventlog.Message) error
}

// Leases shares partitions between processes. A nil Leases means that Config
// says which partitions are ours.
type Leases interface {
	// AcquireLease takes or renews a lease and reports whether holder has it.
	AcquireLease(ctx context.Context, resource, holder string, ttl time.Duration) (bool, error)
	// ReleaseLease gives a lease back.
	ReleaseLease(ctx context.Context, resource, holder string) error
	// LeaseHolders returns who holds each live lease under a prefix.
	LeaseHolders(ctx context.Context, prefix string) (map[string]string, error)
}

// Sink moves one topic into one store.
type Sink struct {
	cfg     Config
	events  *eventlog.Log
	rejects Rejects
	store   Store
	leases  Leases
	metrics *metrics
	log     *slog.Logger
	writing *semaphore.Weighted // bytes of rows that partitions write at once
}

// New checks cfg and returns a Sink that starts nothing. leases may be nil.
func New(cfg Config, events *eventlog.Log, rejects Rejects, store Store, leases Leases, reg prometheus.Registerer, log *slog.Logger) (*Sink, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("sink: %w", err)
	}
	if cfg.Holder == "" {
		cfg.Holder = "sink-" + rand.Text()
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, fmt.Errorf("sink: %w", err)
	}
	return &Sink{cfg: cfg, events: events, rejects: rejects, store: store, leases: leases, metrics: m, log: log, writing: semaphore.NewWeighted(int64(cfg.WriteBytes))}, nil
}

// Run works until ctx is done, then finishes the batches under way. It returns
// nil after that, and an error only when the configuration cannot be met.
func (s *Sink) Run(ctx context.Context) error {
	partitions, err := s.partitions(ctx)
	if err != nil || len(partitions) == 0 {
		return err
	}
	crew := &crew{sink: s, working: map[int]*shift{}}
	defer crew.stopAll()
	if s.leases != nil {
		return s.share(ctx, partitions, crew)
	}
	for _, p := range partitions {
		crew.start(ctx, p)
	}
	<-ctx.Done()
	return nil
}

// partitions asks the log until it answers.
func (s *Sink) partitions(ctx context.Context) ([]int, error) {
	for wait := newBackoff(); ; {
		all, err := s.events.Partitions(ctx, eventlog.TopicBeacons)
		if err == nil {
			if s.leases != nil || len(s.cfg.Partitions) == 0 {
				return all, nil
			}
			for _, p := range s.cfg.Partitions {
				if !slices.Contains(all, p) {
					return nil, fmt.Errorf("sink_partitions: the topic has no partition %d", p)
				}
			}
			return s.cfg.Partitions, nil
		}
		if ctx.Err() != nil {
			return nil, nil
		}
		s.log.WarnContext(ctx, "event log does not answer", "err", err)
		if !wait.sleep(ctx) {
			return nil, nil
		}
	}
}

// crew is the partitions this process works on. Only one goroutine calls it.
type crew struct {
	sink    *Sink
	working map[int]*shift
}

type shift struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func (c *crew) start(ctx context.Context, partition int) {
	if c.working[partition] != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	sh := &shift{cancel: cancel, done: make(chan struct{})}
	c.working[partition] = sh
	c.sink.metrics.owned.Inc()
	go func() {
		defer close(sh.done)
		c.sink.keepWorking(ctx, partition)
	}()
}

func (c *crew) stop(partition int) {
	if sh := c.working[partition]; sh != nil {
		sh.cancel()
		<-sh.done
		delete(c.working, partition)
		c.sink.metrics.owned.Dec()
	}
}

func (c *crew) stopAll() {
	var wg sync.WaitGroup
	for _, sh := range c.working {
		sh.cancel()
		wg.Go(func() { <-sh.done })
	}
	wg.Wait()
	c.sink.metrics.owned.Sub(float64(len(c.working)))
	clear(c.working)
}

// keepWorking works on a partition until ctx is done, starting over after
// errors: a new worker trusts nothing but the store.
func (s *Sink) keepWorking(ctx context.Context, partition int) {
	wait := newBackoff()
	for ctx.Err() == nil {
		started := time.Now()
		err := s.work(ctx, partition)
		switch {
		case ctx.Err() != nil:
			if err != nil && !errors.Is(err, context.Canceled) {
				s.log.WarnContext(ctx, "partition left in the middle of a batch; it will be taken up again", "partition", partition, "err", err)
			}
			return
		case errors.Is(err, ErrOvertaken):
			s.log.InfoContext(ctx, "partition has another owner; reading its position again", "partition", partition)
		case err != nil:
			s.log.WarnContext(ctx, "partition starts over", "partition", partition, "err", err)
		}
		if time.Since(started) > time.Minute {
			wait = newBackoff()
		}
		wait.sleep(ctx)
	}
}

// backoff doubles from 100 ms to 5 s.
type backoff struct{ next time.Duration }

func newBackoff() *backoff { return &backoff{next: 100 * time.Millisecond} }

// sleep waits and reports whether ctx is still alive.
func (b *backoff) sleep(ctx context.Context) bool {
	timer := time.NewTimer(b.next)
	defer timer.Stop()
	b.next = min(2*b.next, 5*time.Second)
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
