package sink_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/analytics/query"
	"github.com/vitascope/vitascope/internal/warehouse"
)

// requireRanges compares the graphs of ranges of time with a recount: open and closed
// ones, of whole months, of whole days, and of any moments.
func requireRanges(t *testing.T, r *rig, rnd *rand.Rand, list []*visit) {
	t.Helper()
	now := time.Now().UTC()
	day := now.Truncate(24 * time.Hour)
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	moments := []time.Time{{}, now.Add(time.Hour), day, day.AddDate(0, 0, -1), month, month.AddDate(0, -1, 0), month.AddDate(0, -2, 0)}
	for range 8 {
		at := now.Add(-time.Duration(rnd.Int64N(int64(50 * 24 * time.Hour)))).Truncate(time.Millisecond)
		moments = append(moments, at, at.Truncate(24*time.Hour))
	}
	for _, v := range list[:4] { // the moment itself is in what begins with it, and not in what ends
		moments = append(moments, v.opened)
	}
	for range 60 {
		f := query.Filter{From: moments[rnd.IntN(len(moments))], To: moments[rnd.IntN(len(moments))]}
		if !f.To.IsZero() && !f.From.Before(f.To) {
			continue
		}
		var some []*playback
		for _, v := range passing(list, func(v *visit) bool { return !v.opened.Before(f.From) && (f.To.IsZero() || v.opened.Before(f.To)) }) {
			some = append(some, v.playback)
		}
		graph, err := r.stats().Engagement(t.Context(), r.account, r.media, f)
		require.NoError(t, err)
		want := recount(r, some)
		require.Equal(t, want.first, graph.Engagement, "%s to %s", f.From, f.To)
		require.Equal(t, want.repeat, graph.Rewatches, "%s to %s", f.From, f.To)
		left := 0
		for _, n := range graph.DropOff {
			left += n
		}
		require.Equal(t, want.views-finishedViews(r, some), left, "%s to %s", f.From, f.To)
	}
}

func finishedViews(r *rig, list []*playback) (n int) {
	for _, p := range list {
		one := recount(r, []*playback{p})
		n += min(one.views, one.finished)
	}
	return n
}

func (r *rig) days() (n uint64) {
	r.t.Helper()
	require.NoError(r.t, r.db.QueryRow(r.t.Context(), "SELECT uniqExact(bucket) FROM heat WHERE grain = 'day' AND kind != 'busy'").Scan(&n))
	return n
}

func TestRangesOfTimeAgreeWithARecountBeforeAndAfterAMediaIsBusy(t *testing.T) {
	t.Parallel()
	r, rnd := newRig(t, 2, 23_400), random(t)
	list := visits(r, rnd, 80) // of the last 45 days
	ctx := t.Context()
	r.start(sinkConfig(), r.store, nil)
	sendAll(r, rnd, list[:40])
	r.drained()
	requireRanges(t, r, rnd, list[:40])
	marked, err := r.db.MarkBusy(ctx, 1000)
	require.NoError(t, err)
	require.Empty(t, marked)
	require.Zero(t, r.days())

	sent := make(chan struct{})
	go func() { // beacons keep coming
		defer close(sent)
		sendAll(r, rand.New(rand.NewPCG(1, 2)), list[40:])
	}()
	marked, err = r.db.MarkBusy(ctx, 10)
	require.NoError(t, err)
	require.Equal(t, []warehouse.Key{{Account: r.account, Media: r.media}}, marked)
	<-sent
	r.drained()
	require.Greater(t, r.days(), uint64(20))
	requireRanges(t, r, rnd, list)
	r.requireVerified()
	marked, err = r.db.MarkBusy(ctx, 10)
	require.NoError(t, err)
	require.Empty(t, marked, "it is already")

	require.NoError(t, r.db.Exec(ctx, "DELETE FROM heat WHERE grain = 'day' AND kind = 'first' AND cell > 3"))
	_, found, err := r.db.Verify(ctx, warehouseScope(r))
	require.NoError(t, err)
	require.Len(t, found, 1)
	_, err = r.db.Rebuild(ctx, warehouseScope(r))
	require.NoError(t, err)
	r.requireVerified()
	requireRanges(t, r, rnd, list)

	require.NoError(t, r.db.Exec(ctx, "DELETE FROM heat WHERE grain = 'day' AND kind = 'busy'")) // as when MarkBusy dies before its end
	_, found, err = r.db.Verify(ctx, warehouseScope(r))
	require.NoError(t, err)
	require.Len(t, found, 1)
	requireRanges(t, r, rnd, list)
	marked, err = r.db.MarkBusy(ctx, 10)
	require.NoError(t, err)
	require.Len(t, marked, 1)
	r.requireVerified()

	_, err = r.stats().Erase(ctx, r.account, query.Erasure{Account: true})
	require.NoError(t, err)
	require.Zero(t, r.days())
}
