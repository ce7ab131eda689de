package sink_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/analytics/query"
	"github.com/vitascope/vitascope/internal/warehouse"
)

// A media with more loads than are counted one by one: view n was opened n minutes
// ago, by visitor n mod 40,000, on page n mod 12; two of three were played, to
// second n mod 20 of 20.
const busyViews = 120_000

const busySQL = `
	INSERT INTO views (account_id, media_id, opened_at, view_id, bot, started_at, last_seen_at, visitor, page, country, device, duration_ms, batches, loads, plays,
		watched_ms, max_watched_to_ms, first_lo, first_hi)
	SELECT ?, ?, fromUnixTimestamp64Milli(? - toInt64(number) * 60000, 'UTC') AS opened, generateUUIDv4(number), 0, opened, opened, concat('v', toString(number % 40000)),
		concat('https://site.example/', toString(number % 12)), ['DE', 'US', ''][number % 3 + 1], ['desktop', 'mobile'][number % 2 + 1], 20000, 1, 1, number % 3 != 0,
		if(number % 3 != 0, number % 20 * 1000, 0), if(number % 3 != 0, number % 20 * 1000, 0),
		if(number % 3 != 0 AND number % 20 > 0, [0], []), if(number % 3 != 0 AND number % 20 > 0, [number % 20], [])
	FROM numbers(?, 10000)`

func TestTheReportOfABusyMediaAgreesWithARecount(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 20_000)
	ctx, now := t.Context(), time.Now().UTC().Truncate(time.Minute)
	for from := 0; from < busyViews; from += 10_000 { // the engine of tests has little memory
		require.NoError(t, r.db.Exec(ctx, busySQL, r.account, r.media, now.UnixMilli(), from))
	}
	require.NoError(t, r.db.AddSums(ctx, "account_id = ? AND media_id = ?", r.account, r.media))

	var plays, finished uint64
	var watched, share float64
	engagement, pages := make([]int, 20), map[string]uint64{}
	days := map[time.Time]struct{ loads, plays uint64 }{}
	for n := range busyViews {
		day := now.Add(-time.Duration(n) * time.Minute).Truncate(24 * time.Hour)
		of := days[day]
		of.loads, of.plays = of.loads+1, of.plays+uint64(min(n%3, 1))
		days[day] = of
		if n%3 == 0 {
			pages[fmt.Sprint("https://site.example/", n%12)] += 0
			continue
		}
		plays++
		pages[fmt.Sprint("https://site.example/", n%12)]++
		watched, share = watched+float64(n%20), share+float64(n%20)/20
		if n%20 >= 18 {
			finished++
		}
		for second := range n % 20 {
			engagement[second]++
		}
	}
	asked := time.Now()
	got, err := r.stats().Report(ctx, r.account, r.media, query.Filter{})
	answered := time.Now()
	require.NoError(t, err)
	require.True(t, got.Totals.VisitorsEstimated)
	require.Equal(t, []uint64{busyViews, plays, finished}, []uint64{got.Totals.Loads, got.Totals.Plays, got.Totals.Finished})
	require.InEpsilon(t, share/float64(plays), got.Totals.AverageEngagement, 1e-6)
	require.InEpsilon(t, watched/3600, got.Totals.HoursWatched, 1e-6)
	require.InEpsilon(t, 40_000, got.Totals.Visitors, 0.005)
	require.InEpsilon(t, 40_000, got.Totals.PlayRate*float64(got.Totals.Visitors), 0.005) // in three rounds each plays twice
	require.Equal(t, engagement, got.Graph.Engagement)
	requireDays(t, got.Trend, asked, answered)
	for _, p := range got.Trend {
		want := days[p.Start] // nothing of today when it has begun meanwhile
		require.Equal(t, []uint64{want.loads, want.plays}, []uint64{p.Loads, p.Plays}, p.Start)
		require.True(t, p.VisitorsEstimated || p.Loads == 0)
		require.InDelta(t, p.Loads, p.Visitors, 10) // of a day all are different
		require.InDelta(t, float64(want.plays)/float64(max(want.loads, 1)), p.PlayRate, 0.02)
	}
	require.Len(t, got.Top["page"], 10)
	best := slices.MaxFunc(got.Top["page"], func(a, b query.TopItem) int { return cmp.Compare(a.Plays, b.Plays) })
	require.Equal(t, best.Plays, got.Top["page"][0].Plays)
	for _, item := range got.Top["page"] {
		require.Equal(t, pages[item.Value], item.Plays, item.Value)
	}
	require.Len(t, got.Top["device"], 2)
	require.Len(t, got.Top["country"], 3)

	alone, err := r.stats().Media(ctx, r.account, r.media, query.Filter{})
	require.NoError(t, err)
	require.Equal(t, got.Totals, alone.Totals)

	require.NoError(t, r.db.Exec(ctx, busySQL, r.account, "media00002", now.UnixMilli(), 0)) // 10,000 of the same visitors
	require.NoError(t, r.db.AddSums(ctx, "account_id = ? AND media_id = ?", r.account, "media00002"))
	for _, f := range []query.Filter{{}, {From: time.Date(now.Year(), now.Month()-3, 1, 0, 0, 0, 0, time.UTC)}} {
		overview, err := r.stats().Overview(ctx, r.account, f)
		require.NoError(t, err)
		require.True(t, overview.VisitorsEstimated)
		require.Equal(t, []uint64{2, busyViews + 10_000, plays + 6666}, []uint64{overview.Media, overview.Loads, overview.Plays})
		require.InEpsilon(t, 40_000, overview.Visitors, 0.04)
	}

	months, err := r.stats().Media(ctx, r.account, r.media, query.Filter{From: time.Date(now.Year(), now.Month()-3, 1, 0, 0, 0, 0, time.UTC)})
	require.NoError(t, err)
	require.True(t, months.VisitorsEstimated)
	require.InEpsilon(t, 40_000, months.Visitors, 0.04) // where that estimate is worst
	_, found, err := r.db.Verify(ctx, warehouse.Scope{Account: r.account, Media: r.media})
	require.NoError(t, err)
	require.Equal(t, []warehouse.Difference{{Key: warehouse.Key{Account: r.account, Media: r.media}, Table: "views", Rows: busyViews}}, found, "the views have no events")
}

// requireDays tells that a trend has the 30 days to the one on which it was asked for,
// which the next may have followed before the answer.
func requireDays(t *testing.T, trend []query.TrendPoint, asked, answered time.Time) {
	t.Helper()
	require.Len(t, trend, 30)
	for i, p := range trend {
		require.Equal(t, trend[0].Start.AddDate(0, 0, i), p.Start)
		if end := p.Start.AddDate(0, 0, 1); end.After(answered) || !end.After(asked) {
			require.Equal(t, end.After(answered), p.Unfinished, "only today may grow")
		}
	}
	last := trend[29].Start
	require.False(t, last.After(answered) || last.AddDate(0, 0, 1).Before(asked), "%s is today", last)
}
