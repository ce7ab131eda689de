package sink_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/analytics/sink"
	"github.com/vitascope/vitascope/internal/eventlog"
)

func (r *rig) requireVerified() {
	r.t.Helper()
	_, found, err := r.db.Verify(r.t.Context(), warehouseScope(r))
	require.NoError(r.t, err)
	require.Empty(r.t, found)
}

func TestThoseWhoRewriteTakeTurns(t *testing.T) {
	t.Parallel()
	r, rnd := newRig(t, 2, 23_400), random(t)
	list := visits(r, rnd, 40)
	r.start(sinkConfig(), r.store, nil)
	sendAll(r, rnd, list)
	r.drained()
	ctx := context.Background()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			_, err := r.db.Rebuild(ctx, warehouseScope(r))
			assert.NoError(t, err)
		})
		wg.Go(func() {
			_, err := r.db.MarkBusy(ctx, 10)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	require.Greater(t, r.days(), uint64(10))
	r.requireVerified()
	requireRanges(t, r, rnd, list)
}

// TestSinksGetTheirTurnBetweenPauses has a sink that tries again, as sinks do, some time
// after it was refused, when somebody has long asked for the next pause.
func TestSinksGetTheirTurnBetweenPauses(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t, 1, 23_400), t.Context()
	for n := range int64(5) {
		batch := sink.Batch{Topic: eventlog.TopicBeacons, First: 10 * n, Last: 10*n + 9}
		resume, err := r.db.Pause(ctx)
		require.NoError(t, err)
		_, err = r.store.Begin(ctx, batch, "a sink")
		require.ErrorIs(t, err, sink.ErrPaused)
		require.NoError(t, resume())

		paused := make(chan error, 2)
		for range 2 {
			go func() {
				resume, err := r.db.Pause(ctx)
				if err == nil {
					err = resume()
				}
				paused <- err
			}()
		}
		refused := 0
		for again := time.NewTicker(50 * time.Millisecond); ; refused++ {
			<-again.C
			begun, err := r.store.Begin(ctx, batch, "a sink")
			if !errors.Is(err, sink.ErrPaused) {
				require.NoError(t, err)
				require.Equal(t, batch.Last, begun.Last)
				break
			}
		}
		require.Zero(t, refused, "batch %d", n)
		require.Empty(t, paused, "while the batch is under way")
		require.NoError(t, r.store.Done(ctx, batch, "a sink"))
		require.NoError(t, <-paused)
		require.NoError(t, <-paused)
	}
}
