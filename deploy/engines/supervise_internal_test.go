package engines

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// fakeRunner answers at once, lives for as long as lifetimes says and dies.
type fakeRunner struct {
	begun     time.Time
	starts    []time.Duration // since begun
	lifetimes []time.Duration // of each run; after the last, until ctx ends
	mute      bool            // dies without an answer
	released  int
}

func (f *fakeRunner) name() string                { return "fake" }
func (f *fakeRunner) probe(context.Context) error { return nil }
func (f *fakeRunner) release()                    { f.released++ }

func (f *fakeRunner) run(ctx context.Context, ready func()) error {
	n := len(f.starts)
	f.starts = append(f.starts, time.Since(f.begun))
	if !f.mute {
		ready()
	}
	if n >= len(f.lifetimes) {
		<-ctx.Done()
		return nil
	}
	select {
	case <-time.After(f.lifetimes[n]):
		return errors.New("died")
	case <-ctx.Done():
		return nil
	}
}

func TestSupervisorPausesLongerUntilTheEngineStaysUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRunner{begun: time.Now(), lifetimes: []time.Duration{0, 0, 0, 0, 0, 0, 0, 0, 0, time.Minute}}
		s := supervise(f, slog.New(slog.DiscardHandler))
		require.NoError(t, <-s.first)
		time.Sleep(5 * time.Minute)
		require.NoError(t, s.stop(t.Context()))
		var pauses []time.Duration
		for i := 1; i < len(f.starts)-1; i++ {
			pauses = append(pauses, f.starts[i]-f.starts[i-1])
		}
		ms := time.Millisecond
		require.Equal(t, []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 10000 * ms, 10000 * ms}, pauses)
		require.Equal(t, time.Minute+100*ms, f.starts[10]-f.starts[9], "after a minute of health the pause is short again")
		require.Equal(t, 1, f.released)
		require.ErrorIs(t, s.health(), errStopped)
	})
}

func TestSupervisorGivesUpAnEngineThatNeverAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRunner{begun: time.Now(), lifetimes: make([]time.Duration, 100), mute: true}
		s := supervise(f, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, <-s.first, "died")
		<-s.done
		require.Len(t, f.starts, startTries)
		require.Equal(t, 1, f.released)
	})
}
