package engines

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	backoffMin   = 100 * time.Millisecond
	backoffMax   = 10 * time.Second
	healthyAfter = 30 * time.Second // up for so long, an engine's next death starts from backoffMin again
	probeEvery   = 5 * time.Second
	probeTimeout = 2 * time.Second
	startTries   = 5 // deaths before the first answer that make Start give up
)

var (
	errStarting = errors.New("starting")
	errStopped  = errors.New("stopped")
)

// runner is one engine.
type runner interface {
	name() string
	// run starts the engine, calls ready once it answers, and returns when it
	// has ended: nil after ctx was cancelled, else why it died. It may be
	// called again after it returned.
	run(ctx context.Context, ready func()) error
	// probe asks the running engine whether it answers.
	probe(ctx context.Context) error
	// release gives up what outlives a run, after the last one.
	release()
}

// supervised is a runner that is kept alive.
type supervised struct {
	runner
	log    *slog.Logger
	cancel context.CancelFunc
	done   chan struct{} // closed when the engine is down for good
	first  chan error    // one value: nil at the first answer, or why there is none

	mu  sync.Mutex
	err error
}

// supervise starts r and returns at once.
func supervise(r runner, log *slog.Logger) *supervised {
	ctx, cancel := context.WithCancel(context.Background())
	s := &supervised{
		runner: r, log: log.With("engine", r.name()), cancel: cancel,
		done: make(chan struct{}), first: make(chan error, 1), err: errStarting,
	}
	go s.loop(ctx)
	return s
}

// health is nil while the engine answers, else why not.
func (s *supervised) health() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *supervised) setHealth(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// loop runs the engine until ctx ends, or until it failed to start for the
// first time too often.
func (s *supervised) loop(ctx context.Context) {
	defer close(s.done)
	defer s.setHealth(errStopped)
	defer s.release()
	pause, answered := backoffMin, false
	for try := 1; ; try++ {
		begin := time.Now()
		up, err := s.once(ctx)
		if ctx.Err() != nil {
			if err != nil {
				s.log.Warn("engine did not stop cleanly", "err", err)
			}
			return
		}
		if err == nil {
			err = errors.New("ended by itself")
		}
		answered = answered || up
		if !answered && try == startTries {
			s.first <- err
			return
		}
		if time.Since(begin) >= healthyAfter {
			pause = backoffMin
		}
		s.setHealth(err)
		s.log.Warn("engine died, starting it again", "err", err, "pause_ms", pause.Milliseconds())
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, backoffMax)
	}
}

// once runs the engine until it ends and tells whether it ever answered.
func (s *supervised) once(ctx context.Context) (up bool, err error) {
	begin := time.Now()
	watching, stopWatching := context.WithCancel(ctx)
	var watch sync.WaitGroup
	err = s.run(ctx, func() {
		up = true
		s.setHealth(nil)
		s.log.Info("engine answers", "took_ms", time.Since(begin).Milliseconds())
		select {
		case s.first <- nil:
		default: // Start has its answer
		}
		watch.Go(func() { s.watch(watching) })
	})
	stopWatching()
	watch.Wait()
	return up, err
}

// watch probes the engine until ctx ends. A failing probe makes it unhealthy
// but does not restart it: a busy engine must not be killed for being slow.
func (s *supervised) watch(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		probe, cancel := context.WithTimeout(ctx, probeTimeout)
		err := s.probe(probe)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			err = fmt.Errorf("does not answer: %w", err)
		}
		if (err == nil) != (s.health() == nil) {
			s.log.Warn("engine health changed", "err", err)
		}
		s.setHealth(err)
	}
}

// stop ends the engine and waits for it, at most until ctx ends.
func (s *supervised) stop(ctx context.Context) error {
	s.cancel()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop %s: %w", s.name(), context.Cause(ctx))
	}
}
