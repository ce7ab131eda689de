package sink_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
