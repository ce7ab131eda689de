package sink_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/analytics/query"
	"github.com/vitascope/vitascope/internal/beacon"
)

// qualityOf stores one view of the events and returns its quality report.
func qualityOf(t *testing.T, r *rig, n int, events ...beacon.Event) *query.QualityReport {
	t.Helper()
	at := time.Now().Add(-time.Hour).UnixMilli()
	for i := range events {
		if events[i].AtMS == 0 {
			events[i].AtMS = at
		}
	}
	country := fmt.Sprintf("%c%c", 'A'+n/26, 'A'+n%26)
	p := &playback{id: viewAt(random(t), time.Now()), batches: [][]beacon.Event{events}}
	rec := p.record(r, 0)
	rec.Country = country
	r.send(rec)
	r.drained()
	got, err := r.stats().Quality(t.Context(), r.account, r.media, query.Filter{Country: country})
	require.NoError(t, err)
	require.Equal(t, uint64(1), got.Plays)
	return got
}

func TestScoresEqualTheirPublishedVectors(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 600_000)
	r.start(sinkConfig(), r.store, nil)
	play := beacon.Event{Kind: beacon.KindPlay}
	n := 0
	score := func(events ...beacon.Event) *query.QualityReport {
		n++
		return qualityOf(t, r, n, append([]beacon.Event{play}, events...)...)
	}
	for seconds, want := range map[float64]float64{0.4: 95.238, 2: 80, 8: 50, 20: 28.571} {
		got := score(beacon.Event{Kind: beacon.KindStartup, TookMS: int64(seconds * 1000)})
		require.InDelta(t, want, got.StartupScore, 0.001, "%v s", seconds)
		require.InDelta(t, seconds, got.StartupSecondsMedian, 1e-9)
		require.InDelta(t, 100, got.PlaybackSuccessScore, 0)
	}
	// Four events, 5 % of the watch time: 95 s played, 5 s stalled.
	stall := func(ms int64) beacon.Event { return beacon.Event{Kind: beacon.KindRebuffer, TookMS: ms} }
	got := score(beacon.Event{Kind: beacon.KindWatch, ToMS: 95_000, Rate: 1}, stall(1000), stall(1000), stall(1000), stall(2000))
	require.InDelta(t, (100/math.Sqrt(5)+100*math.Exp(-0.5))/2, got.SmoothnessScore, 1e-9)
	require.InDelta(t, (44.7+60.7)/2, got.SmoothnessScore, 0.05)
	require.InDelta(t, 0.05, got.RebufferShare, 1e-9)
	require.InDelta(t, 2.4, got.RebuffersPerMinute, 1e-9)
	// One stall of 5 s in 5 minutes.
	got = score(beacon.Event{Kind: beacon.KindWatch, ToMS: 295_000, Rate: 1}, stall(5000))
	require.InDelta(t, (89.4+84.6)/2, got.SmoothnessScore, 0.05)
	// One event in 50 minutes by the clock; waiting after a seek is none.
	got = score(beacon.Event{Kind: beacon.KindWatch, ToMS: 600_000, Rate: 0.2}, stall(0), beacon.Event{Kind: beacon.KindSeekWait, TookMS: 9000})
	require.InDelta(t, 1.0/50, got.RebuffersPerMinute, 1e-9)
	require.Zero(t, got.RebufferShare)
	require.InDelta(t, 9, got.SeekSecondsAverage, 1e-9)
	// Double speed takes half the time.
	got = score(beacon.Event{Kind: beacon.KindWatch, ToMS: 100_000, Rate: 2})
	require.InDelta(t, 50.0/3600, got.WatchHours, 1e-9)
	for upscale, want := range map[float64]float64{0: 100, 50: 85} {
		got = score(beacon.Event{Kind: beacon.KindQuality, PlayedMS: 10_000, UpscaleAvgPct: upscale, UpscaleMaxPct: upscale, Frames: 100, DroppedFrames: 10, BitrateBPS: 2_000_000})
		require.InDelta(t, want, got.VideoQualityScore, 1e-9)
		require.InDelta(t, 2_000_000, got.BitrateBPSAverage, 1e-6)
		require.InDelta(t, 0.1, got.DroppedFrames, 1e-9)
	}
	// 85 parts of the average and 15 of the peak.
	got = score(beacon.Event{Kind: beacon.KindQuality, PlayedMS: 10_000, UpscaleAvgPct: 50, UpscaleMaxPct: 100})
	require.InDelta(t, 100-30*(0.85*0.5+0.15*1), got.VideoQualityScore, 1e-9)
	// A failure after the first frame is no failure to start; warnings are none.
	got = score(beacon.Event{Kind: beacon.KindStartup, TookMS: 300}, beacon.Event{Kind: beacon.KindError, Code: "network", Severity: beacon.SeverityFatal})
	require.Equal(t, []float64{1, 0, 0}, []float64{got.PlaybackFailures, got.StartupFailures, got.PlaybackSuccessScore})
	got = score(beacon.Event{Kind: beacon.KindStartup, TookMS: 300}, beacon.Event{Kind: beacon.KindError, Code: "network", Severity: beacon.SeverityWarning})
	require.Equal(t, []float64{0, 100}, []float64{got.PlaybackFailures, got.PlaybackSuccessScore})
	got = score(beacon.Event{Kind: beacon.KindError, Code: "decode", Severity: beacon.SeverityFatal})
	require.Equal(t, []float64{1, 1, 0, 0}, []float64{got.PlaybackFailures, got.StartupFailures, got.PlaybackSuccessScore, got.ExitsBeforeStart})
	require.Equal(t, []query.ErrorCode{{Code: "decode", Plays: 1}}, got.Errors)
	got = score(beacon.Event{Kind: beacon.KindError, Code: "domain", Severity: beacon.SeverityBusiness})
	require.Zero(t, got.PlaybackFailures)
	waited := time.Now().Add(-time.Hour + 5*time.Second).UnixMilli()
	got = score(beacon.Event{Kind: beacon.KindPause, AtMS: waited})
	require.InDelta(t, 1, got.ExitsBeforeStart, 0)
	require.InDelta(t, 50, got.PlaybackSuccessScore, 0)
	require.Zero(t, score().SuccessMeasuredPlays, "who leaves within a second says nothing")
}

// The traps of published definitions: several players on a page, repeats, speeds,
// who stops just short of the end.
func TestEngagementFiguresEqualTheirPublishedVectors(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 20_000)
	r.start(sinkConfig(), r.store, nil)
	at := time.Now().UnixMilli()
	load, play := beacon.Event{Kind: beacon.KindLoad, AtMS: at}, beacon.Event{Kind: beacon.KindPlay, AtMS: at}
	auto := beacon.Event{Kind: beacon.KindPlay, AtMS: at, Autoplay: true}
	watch := func(from, to int64, rate float64, repeat bool) beacon.Event {
		return beacon.Event{Kind: beacon.KindWatch, AtMS: at, FromMS: from, ToMS: to, Rate: rate, Repeat: repeat}
	}
	for i, v := range []struct {
		visitor string
		events  []beacon.Event
	}{
		{"several players", []beacon.Event{load}},
		{"several players", []beacon.Event{load}},
		{"several players", []beacon.Event{load, play, watch(0, 10_000, 1, false), watch(0, 10_000, 1, true), watch(0, 10_000, 2, true)}},
		{"within 2 s", []beacon.Event{load, play, watch(0, 18_000, 1, false)}},
		{"a millisecond short", []beacon.Event{load, play, watch(0, 17_999, 2, false)}},
		{"autoplay, nothing seen", []beacon.Event{load, auto}},
		{"only the end", []beacon.Event{load, play, watch(19_000, 20_000, 1, false)}},
		{"only loads", []beacon.Event{load}},
	} {
		p := &playback{id: viewAt(random(t), time.Now().Add(time.Duration(-i)*time.Minute)), visitor: v.visitor, batches: [][]beacon.Event{v.events}}
		r.send(p.record(r, 0))
	}
	r.drained()
	got, err := r.stats().Media(t.Context(), r.account, r.media, query.Filter{})
	require.NoError(t, err)
	require.Equal(t, []uint64{8, 6, 5, 4, 2}, []uint64{got.Loads, got.Visitors, got.Plays, got.Views, got.Finished})
	require.InDelta(t, 5.0/6, got.PlayRate, 1e-12) // of visitors: of loads it would be 5/8, and plays by visitors may exceed 1
	require.InDelta(t, (10_000+18_000+17_999+0+1000)/20_000.0/5, got.AverageEngagement, 1e-9)
	require.InDelta(t, (30_000+18_000+17_999+1000)/3.6e6, got.HoursWatched, 1e-12)
	graph, err := r.stats().Engagement(t.Context(), r.account, r.media, query.Filter{})
	require.NoError(t, err)
	require.Equal(t, []int{3, 2, 2, 0, 1}, []int{graph.Engagement[0], graph.Engagement[10], graph.Engagement[17], graph.Engagement[18], graph.Engagement[19]})
	require.Equal(t, []int{2, 2, 0}, []int{graph.Rewatches[0], graph.Rewatches[9], graph.Rewatches[10]})
	require.Equal(t, []int{1, 1}, []int{graph.DropOff[9], graph.DropOff[17]}, "who finished drops off nowhere")
	itself, err := r.stats().Media(t.Context(), r.account, r.media, query.Filter{Autoplay: "yes"})
	require.NoError(t, err)
	require.Equal(t, []uint64{1, 1, 0}, []uint64{itself.Loads, itself.Plays, itself.Views})
}

func TestActionsAreAFunnelOfViews(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 60_000)
	r.start(sinkConfig(), r.store, nil)
	at := time.Now().UnixMilli()
	act := func(verb string) beacon.Event {
		return beacon.Event{Kind: beacon.KindAction, AtMS: at, Type: "cta", ID: "buy", Verb: verb}
	}
	for i, events := range [][]beacon.Event{
		{act("impression"), act("impression"), act("click"), act("convert")},
		{act("impression"), act("skip")},
		{act("impression"), act("click"), act("click")},
		{act("click")}, // its impression was lost: it acts, and is no part of the rate
	} {
		p := &playback{id: viewAt(random(t), time.Now().Add(time.Duration(-i)*time.Minute)), batches: [][]beacon.Event{{{Kind: beacon.KindPlay, AtMS: at}}, events}}
		r.send(p.record(r, 0), p.record(r, 1), p.record(r, 1))
	}
	r.drained()
	got, err := r.stats().Actions(t.Context(), r.account, r.media, query.Filter{})
	require.NoError(t, err)
	require.Equal(t, uint64(4), got.Plays)
	require.Equal(t, []query.Action{{Type: "cta", ID: "buy", Impressions: 3, Clicks: 3, Conversions: 1, Skips: 1, Actors: 3, Rate: 2.0 / 3}}, got.Items)
}

func TestLiveViewersAreThoseWhoWatchNow(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 60_000)
	r.start(sinkConfig(), r.store, nil)
	at := time.Now().UnixMilli()
	play, pause := beacon.Event{Kind: beacon.KindPlay, AtMS: at}, beacon.Event{Kind: beacon.KindPause, AtMS: at}
	watch := beacon.Event{Kind: beacon.KindWatch, AtMS: at, ToMS: 5000, Rate: 1}
	var last *playback
	for _, events := range [][]beacon.Event{{play, watch}, {play, watch, pause}, {{Kind: beacon.KindLoad, AtMS: at}}, {play}} {
		last = &playback{id: viewAt(random(t), time.Now()), visitor: "v", batches: [][]beacon.Event{events}}
		r.send(last.record(r, 0))
	}
	r.drained()
	live, err := r.stats().Live(t.Context(), r.account, "")
	require.NoError(t, err)
	require.Equal(t, uint64(2), live.Now)
	require.Equal(t, []query.LiveMedia{{MediaID: r.media, Viewers: 2}}, live.Media)
	require.Len(t, live.Minutes, 30)
	sum := uint64(0)
	for _, minute := range live.Minutes {
		sum += minute.Viewers
	}
	require.Equal(t, uint64(3), sum)
	page, err := r.stats().Views(t.Context(), r.account, r.media, "", 10, query.Filter{})
	require.NoError(t, err)
	require.Len(t, page.Items, 3)
	watched := 0
	for _, v := range page.Items {
		if v.Live {
			watched++
		}
	}
	require.Equal(t, 2, watched, "rows that say live")

	viewer, err := r.stats().Viewer(t.Context(), r.account, "v", "", 10)
	require.NoError(t, err)
	require.Equal(t, uint64(4), viewer.Loads)
	require.Len(t, viewer.Items, 3)
	_, err = r.stats().Viewer(t.Context(), "account002", "v", "", 10)
	require.Error(t, err)
	both, err := r.stats().Compare(t.Context(), r.account, r.media, query.Other{WithTo: time.Now().Add(-time.Hour)}, query.Filter{})
	require.NoError(t, err)
	require.Equal(t, []uint64{3, 0}, []uint64{both.A.Totals.Plays, both.B.Totals.Plays})
}

// A view whose video was at its end leaves at once, not when its time is up, and is
// back as soon as it goes on.
func TestAViewAtItsEndIsNotLiveUntilItGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 60_000)
	r.start(sinkConfig(), r.store, nil)
	at := time.Now().UnixMilli()
	watch := func(from, to int64, again bool) beacon.Event {
		return beacon.Event{Kind: beacon.KindWatch, AtMS: at, FromMS: from, ToMS: to, Rate: 1, Repeat: again}
	}
	p := &playback{id: viewAt(random(t), time.Now()), visitor: "v", batches: [][]beacon.Event{
		{{Kind: beacon.KindPlay, AtMS: at}, watch(0, 30_000, false)},
		{watch(30_000, 60_000, false), {Kind: beacon.KindEnd, AtMS: at, PosMS: 60_000}},
		{{Kind: beacon.KindQuality, AtMS: at, PlayedMS: 60_000}},
		{{Kind: beacon.KindSeek, AtMS: at, FromMS: 60_000}, watch(0, 5000, true)},
	}}
	for seq, want := range []bool{true, false, false, true} {
		r.send(p.record(r, seq))
		r.drained()
		require.Equal(t, want, r.live(p), "after batch %d", seq)
	}
}

func TestAViewThatIsNotHeardOfIsNotLive(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 60_000)
	r.start(sinkConfig(), r.store, nil)
	at := time.Now().Add(-31 * time.Second)
	p := &playback{id: viewAt(random(t), at), batches: [][]beacon.Event{{{Kind: beacon.KindPlay, AtMS: at.UnixMilli()}}}}
	record := p.record(r, 0)
	record.ReceivedAtMS = at.UnixMilli()
	r.send(record)
	r.drained()
	require.False(t, r.live(p))
}

// A view whose tab was closed leaves at once. Browsers keep a page that was left, and
// show it again.
func TestAViewThatWasLeftIsNotLiveUntilItGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 60_000)
	r.start(sinkConfig(), r.store, nil)
	at := time.Now().UnixMilli()
	quality := beacon.Event{Kind: beacon.KindQuality, AtMS: at, PlayedMS: 1000}
	watch := func(from, to int64) beacon.Event {
		return beacon.Event{Kind: beacon.KindWatch, AtMS: at, FromMS: from, ToMS: to, Rate: 1}
	}
	p := &playback{id: viewAt(random(t), time.Now()), visitor: "v", batches: [][]beacon.Event{
		{{Kind: beacon.KindPlay, AtMS: at}}, {watch(0, 10_000)}, {watch(10_000, 12_000), quality}, {quality}, {watch(12_000, 13_000), quality}, {quality},
	}}
	leaving := map[int]bool{2: true, 5: true}
	for seq, want := range []bool{true, true, false, false, true, false} {
		record := p.record(r, seq)
		record.Leaving = leaving[seq]
		r.send(record)
		r.drained()
		require.Equal(t, want, r.live(p), "after batch %d", seq)
	}
}

// live says whether a view is watched now, once its row and the count of those who
// watch agree about that.
func (r *rig) live(p *playback) bool {
	r.t.Helper()
	now, err := r.stats().Live(r.t.Context(), r.account, r.media)
	require.NoError(r.t, err)
	page, err := r.stats().Views(r.t.Context(), r.account, r.media, "", 10, query.Filter{})
	require.NoError(r.t, err)
	require.Len(r.t, page.Items, 1)
	require.Equal(r.t, p.id, page.Items[0].ViewID)
	require.Equal(r.t, page.Items[0].Live, now.Now == 1, "the row and the count")
	return page.Items[0].Live
}
