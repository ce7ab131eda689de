package sink_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/analytics/query"
	"github.com/vitascope/vitascope/internal/beacon"
)

// playback is one simulated view. What it watched is kept millisecond by
// millisecond, which is how the figures are counted again, apart from the code
// under test.
type playback struct {
	id      string
	visitor string // empty: opted out
	bot     bool
	played  bool
	ended   bool
	times   []int            // per millisecond of the media, how often it was played
	batches [][]beacon.Event // by seq
}

// simulate plays a media with seeks back and forth. Most views play.
func simulate(rnd *rand.Rand, durationMS int64, visitor string) *playback {
	p := &playback{id: uuid.Must(uuid.NewV7()).String(), visitor: visitor, times: make([]int, durationMS)}
	at := time.Now().Add(-time.Minute).UnixMilli()
	events := []beacon.Event{{Kind: beacon.KindLoad, AtMS: at}}
	if rnd.IntN(5) > 0 {
		p.played = true
		events = append(events, beacon.Event{Kind: beacon.KindPlay, AtMS: at, Autoplay: rnd.IntN(4) == 0}, beacon.Event{Kind: beacon.KindStartup, AtMS: at, TookMS: 300})
		head := int64(0)
		for range 1 + rnd.IntN(6) {
			to := min(durationMS, head+1+rnd.Int64N(max(durationMS/2, 1)))
			events = append(events, p.watch(head, to, at)...)
			if head = to; head == durationMS {
				events = append(events, beacon.Event{Kind: beacon.KindEnd, AtMS: at, PosMS: head})
				p.ended = true
			}
			next := rnd.Int64N(durationMS)
			events = append(events, beacon.Event{Kind: beacon.KindSeek, AtMS: at, FromMS: head, ToMS: next})
			head = next
		}
	}
	for len(events) > 0 {
		n := 1 + rnd.IntN(min(len(events), 8))
		p.batches = append(p.batches, events[:n:n])
		events = events[n:]
	}
	return p
}

// watch plays [from, to) and reports it split into first-time and repeated runs.
func (p *playback) watch(from, to, at int64) []beacon.Event {
	var events []beacon.Event
	for from < to {
		end, repeat := from, p.times[from] > 0
		for end < to && (p.times[end] > 0) == repeat {
			p.times[end]++
			end++
		}
		events = append(events, beacon.Event{Kind: beacon.KindWatch, AtMS: at, FromMS: from, ToMS: end, Rate: 1, Repeat: repeat})
		from = end
	}
	return events
}

// record is batch seq as collect would write it.
func (p *playback) record(r *rig, seq int) *beacon.Record {
	now := time.Now().UnixMilli()
	return &beacon.Record{
		V: 1, Account: r.account, Media: r.media, View: p.id, Seq: int64(seq), ReceivedAtMS: now,
		Visitor: p.visitor, Device: "desktop", Bot: p.bot, DurationMS: r.duration, Events: p.batches[seq],
	}
}

// truth is what the figures must be.
type truth struct {
	loads, visitors, players, plays, views, finished int
	engagement, hours                                float64
	first, repeat                                    []int
	strips                                           map[string][]int // levels by view
}

func recount(r *rig, playbacks []*playback) truth {
	cells := int((r.duration + 999) / 1000)
	want := truth{first: make([]int, cells), repeat: make([]int, cells), strips: map[string][]int{}}
	visitors, players := map[string]bool{}, map[string]bool{}
	for _, p := range playbacks {
		if p.bot {
			continue
		}
		want.loads++
		who := p.visitor
		if who == "" {
			who = p.id
		}
		visitors[who] = true
		if !p.played {
			continue
		}
		want.plays++
		players[who] = true
		seen, total, last := 0, 0, 0
		for ms, n := range p.times {
			if total += n; n > 0 {
				seen, last = seen+1, ms+1
			}
		}
		if seen > 0 {
			want.views++
		}
		if p.ended || last+2000 >= int(r.duration) {
			want.finished++
		}
		want.engagement += float64(seen) / float64(r.duration)
		want.hours += float64(total) / 3.6e6
		strip := make([]int, cells)
		for cell := range cells {
			middle := cell*1000 + 500
			if middle >= int(r.duration) { // a short last second
				middle = (cell*1000 + int(r.duration)) / 2
			}
			n := p.times[middle]
			want.first[cell] += min(n, 1)
			want.repeat[cell] += max(n-1, 0)
			strip[cell] = min(n, 5)
		}
		want.strips[p.id] = strip
	}
	want.visitors, want.players = len(visitors), len(players)
	if want.plays > 0 {
		want.engagement /= float64(want.plays)
	}
	return want
}

// requireTruth compares every answer of the query API with the recount.
func (r *rig) requireTruth(want truth) {
	t := r.t
	t.Helper()
	ctx, stats := context.Background(), r.stats()
	got, err := stats.Media(ctx, r.account, r.media, query.Filter{})
	require.NoError(t, err)
	require.Equal(t, [6]int{want.loads, want.visitors, want.plays, want.views, want.finished, 0},
		[6]int{int(got.Loads), int(got.Visitors), int(got.Plays), int(got.Views), int(got.Finished), 0}, "loads, visitors, plays, views, finished")
	require.InDelta(t, want.hours, got.HoursWatched, 1e-9)
	require.InDelta(t, want.engagement, got.AverageEngagement, 1e-9)
	require.InDelta(t, float64(want.players)/float64(max(want.visitors, 1)), got.PlayRate, 1e-9)
	overview, err := stats.Overview(ctx, r.account, query.Filter{})
	require.NoError(t, err)
	require.Equal(t, got.Totals, overview.Totals)

	graph, err := stats.Engagement(ctx, r.account, r.media, query.Filter{})
	require.NoError(t, err)
	require.Equal(t, 1, graph.CellSeconds)
	require.Equal(t, want.first, graph.Engagement)
	require.Equal(t, want.repeat, graph.Rewatches)

	strips, cursor := map[string][]int{}, ""
	for {
		page, err := stats.Views(ctx, r.account, r.media, cursor, 7, query.Filter{})
		require.NoError(t, err)
		for _, v := range page.Items {
			require.NotContains(t, strips, v.ViewID, "listed once")
			strips[v.ViewID] = spread(v.Strip)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	require.Equal(t, want.strips, strips)
}

func spread(runs []beacon.Run) []int {
	var levels []int
	for _, run := range runs {
		for range run[1] {
			levels = append(levels, run[0])
		}
	}
	return levels
}

func random(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
