package sink_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/analytics/query"
	"github.com/vitascope/vitascope/internal/beacon"
)

// visit is a playback with what is known of its viewer. Figures by filter, time
// and value are counted again from visits alone.
type visit struct {
	*playback
	opened                                               time.Time
	page, referrer, campaign, country, browser, language string
	identity                                             string
	autoplay                                             bool
	rung                                                 int
}

// viewAt makes a view id that was issued at t.
func viewAt(rnd *rand.Rand, t time.Time) string {
	var id uuid.UUID
	for i := range id {
		id[i] = byte(rnd.UintN(256))
	}
	ms := t.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id.String()
}

func pick(rnd *rand.Rand, from ...string) string { return from[rnd.IntN(len(from))] }

// visits simulates n playbacks over the last days.
func visits(r *rig, rnd *rand.Rand, n int) []*visit {
	var list []*visit
	for i := range n {
		v := &visit{playback: simulate(rnd, r.duration, ""), opened: time.Now().Add(-time.Duration(rnd.Int64N(int64(45 * 24 * time.Hour)))).Truncate(time.Millisecond)}
		v.id = viewAt(rnd, v.opened)
		if rnd.IntN(4) > 0 { // a pseudonym lasts a day
			v.visitor = fmt.Sprintf("visitor-%d-%s", rnd.IntN(3), v.opened.UTC().Format(time.DateOnly))
		}
		if rnd.IntN(6) == 0 {
			v.identity = pick(rnd, "ann@example.com", "bob@example.com")
		}
		v.bot = i%11 == 10
		v.page = pick(rnd, "https://shop.example/a", "https://shop.example/b", "https://blog.example/")
		v.referrer, v.campaign = pick(rnd, "", "search.example", "news.example"), pick(rnd, "", "spring")
		v.country, v.browser, v.language = pick(rnd, "DE", "US", ""), pick(rnd, "Chrome", "Firefox"), pick(rnd, "de", "en-US")
		for _, batch := range v.batches {
			for _, e := range batch {
				v.autoplay = v.autoplay || e.Autoplay
			}
		}
		if v.played && rnd.IntN(3) > 0 {
			v.rung = []int{360, 720, 1080}[rnd.IntN(3)]
			last := len(v.batches) - 1
			v.batches[last] = append(v.batches[last], beacon.Event{Kind: beacon.KindRung, AtMS: time.Now().Add(-time.Minute).UnixMilli(), Height: v.rung, Shift: beacon.ShiftFirst})
		}
		list = append(list, v)
	}
	return list
}

// record is batch seq as collect would write it; page facts come with batch 0.
func (v *visit) record(r *rig, seq int) *beacon.Record {
	rec := v.playback.record(r, seq)
	rec.Country, rec.Browser, rec.Identity, rec.Receipt = v.country, v.browser, v.identity, rand.Uint64()|1
	rec.OptedOut = v.visitor == "" && v.identity == ""
	if seq == 0 {
		rec.Page = &beacon.Page{URL: v.page + "?session=" + v.id, Language: v.language, UTMCampaign: v.campaign}
		if v.referrer != "" {
			rec.Page.Referrer = "https://" + v.referrer + "/path?q=1"
		}
	}
	return rec
}

// sendAll puts every batch into the log once or more, in any order.
func sendAll(r *rig, rnd *rand.Rand, list []*visit) {
	var records []*beacon.Record
	for _, v := range list {
		for seq := range v.batches {
			for range 1 + rnd.IntN(2) {
				records = append(records, v.record(r, seq))
			}
		}
	}
	rnd.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	for chunk := range slices.Chunk(records, 60) {
		r.send(chunk...)
	}
}

// count is the independent recount of totals.
type count struct{ loads, visitors, plays, views, finished int }

func recountTotals(r *rig, list []*visit) (c count) {
	who := map[string]bool{}
	for _, v := range list {
		c.loads++
		name := v.id
		if v.visitor != "" {
			name = v.visitor
		}
		if v.identity != "" {
			name = v.identity
		}
		who[name] = true
		if !v.played {
			continue
		}
		c.plays++
		last := 0
		for ms, n := range v.times {
			if n > 0 {
				last = ms + 1
			}
		}
		if last > 0 {
			c.views++
		}
		if v.ended || last+2000 >= int(r.duration) {
			c.finished++
		}
	}
	c.visitors = len(who)
	return c
}

func countOf(t query.Totals) count {
	return count{int(t.Loads), int(t.Visitors), int(t.Plays), int(t.Views), int(t.Finished)}
}

// filters pairs what is asked with what passes.
func filters() map[string]struct {
	f    query.Filter
	pass func(v *visit) bool
} {
	type pair = struct {
		f    query.Filter
		pass func(v *visit) bool
	}
	week := time.Now().Add(-7 * 24 * time.Hour)
	return map[string]pair{
		"none":        {query.Filter{}, func(*visit) bool { return true }},
		"bots":        {query.Filter{Bots: "yes"}, nil},
		"page":        {query.Filter{Page: "https://shop.example/a"}, func(v *visit) bool { return v.page == "https://shop.example/a" }},
		"no referrer": {query.Filter{Referrer: query.None}, func(v *visit) bool { return v.referrer == "" }},
		"referrer":    {query.Filter{Referrer: "news.example"}, func(v *visit) bool { return v.referrer == "news.example" }},
		"campaign":    {query.Filter{UTMCampaign: "spring", Country: "DE"}, func(v *visit) bool { return v.campaign == "spring" && v.country == "DE" }},
		"browser":     {query.Filter{Browser: "Firefox", Language: "de"}, func(v *visit) bool { return v.browser == "Firefox" && v.language == "de" }},
		"identity":    {query.Filter{Identity: "ann@example.com"}, func(v *visit) bool { return v.identity == "ann@example.com" }},
		"unnamed":     {query.Filter{Identity: query.None}, func(v *visit) bool { return v.identity == "" }},
		"rung":        {query.Filter{Rung: 720}, func(v *visit) bool { return v.rung == 720 }},
		"autoplay":    {query.Filter{Autoplay: "yes"}, func(v *visit) bool { return v.autoplay }},
		"last week":   {query.Filter{From: week}, func(v *visit) bool { return !v.opened.Before(week) }},
		"before that": {query.Filter{To: week, Country: "US"}, func(v *visit) bool { return v.opened.Before(week) && v.country == "US" }},
	}
}

func passing(list []*visit, pass func(*visit) bool) (out []*visit) {
	for _, v := range list {
		if pass == nil && v.bot || pass != nil && !v.bot && pass(v) {
			out = append(out, v)
		}
	}
	return out
}

func TestEveryFilterTrendAndBreakdownEqualsARecount(t *testing.T) {
	t.Parallel()
	r, rnd := newRig(t, 2, 23_400), random(t)
	list := visits(r, rnd, 90)
	r.start(sinkConfig(), r.store, nil)
	sendAll(r, rnd, list)
	r.drained()
	ctx, stats := t.Context(), r.stats()
	for name, c := range filters() {
		some := passing(list, c.pass)
		got, err := stats.Media(ctx, r.account, r.media, c.f)
		require.NoError(t, err, name)
		require.Equal(t, recountTotals(r, some), countOf(got.Totals), name)
		graph, err := stats.Engagement(ctx, r.account, r.media, c.f)
		require.NoError(t, err, name)
		var plain []*playback
		for _, v := range some {
			p := *v.playback
			p.bot = false
			plain = append(plain, &p)
		}
		want := recount(r, plain)
		require.Equal(t, want.first, graph.Engagement, name)
		require.Equal(t, want.repeat, graph.Rewatches, name)
		left := 0
		for _, n := range graph.DropOff {
			left += n
		}
		require.Equal(t, want.views-countFinishedViews(r, some), left, name)
		page, err := stats.Views(ctx, r.account, r.media, "", 100, c.f)
		require.NoError(t, err, name)
		require.Len(t, page.Items, recountTotals(r, some).plays, name)
		report, err := stats.Report(ctx, r.account, r.media, c.f)
		require.NoError(t, err, name)
		require.Equal(t, got.Totals, report.Totals, name)
		require.Equal(t, graph.Graph, report.Graph, name)
		if name == "none" || name == "page" {
			requireBreakdowns(t, r, list, c.f, c.pass, report)
		}
	}
	requireTrends(t, r, list)
	_, found, err := r.db.Verify(ctx, warehouseScope(r))
	require.NoError(t, err)
	require.Empty(t, found)
}

func countFinishedViews(r *rig, list []*visit) (n int) {
	for _, v := range list {
		one := recountTotals(r, []*visit{v})
		n += min(one.views, one.finished)
	}
	return n
}

func requireBreakdowns(t *testing.T, r *rig, list []*visit, f query.Filter, pass func(*visit) bool, report *query.Report) {
	t.Helper()
	for dimension, value := range map[string]func(*visit) string{
		"page": func(v *visit) string { return v.page }, "referrer": func(v *visit) string { return v.referrer }, "utm_campaign": func(v *visit) string { return v.campaign },
		"country": func(v *visit) string { return v.country }, "browser": func(v *visit) string { return v.browser }, "device": func(*visit) string { return "desktop" },
		"language": func(v *visit) string { return v.language }, "identity": func(v *visit) string { return v.identity }, "media": func(*visit) string { return r.media },
		"rung": func(v *visit) string {
			if v.rung == 0 {
				return ""
			}
			return fmt.Sprint(v.rung)
		},
	} {
		groups := map[string][]*visit{}
		for _, v := range passing(list, pass) {
			groups[value(v)] = append(groups[value(v)], v)
		}
		got, err := r.stats().Breakdown(t.Context(), r.account, "", dimension, 100, f)
		require.NoError(t, err, dimension)
		require.Len(t, got.Items, len(groups), dimension)
		for i, item := range got.Items {
			want := recountTotals(r, groups[item.Value])
			require.Equal(t, want, countOf(item.Totals), "%s %q", dimension, item.Value)
			if top, ok := report.Top[dimension]; ok {
				require.Equal(t, []uint64{item.Loads, item.Plays}, []uint64{top[i].Loads, top[i].Plays}, dimension)
			}
		}
	}
}

func requireTrends(t *testing.T, r *rig, list []*visit) {
	t.Helper()
	for _, name := range []string{"UTC", "Asia/Kathmandu", "America/St_Johns"} {
		zone, err := time.LoadLocation(name)
		require.NoError(t, err)
		for interval, label := range map[string]func(time.Time) string{
			"hour":  func(at time.Time) string { return at.Format("2006-01-02T15 -0700") },
			"day":   func(at time.Time) string { return at.Format(time.DateOnly) },
			"week":  func(at time.Time) string { y, w := at.ISOWeek(); return fmt.Sprint(y, w) },
			"month": func(at time.Time) string { return at.Format("2006-01") },
		} {
			got, err := r.stats().Trend(t.Context(), r.account, r.media, query.Span{Interval: interval, TimeZone: name}, query.Filter{From: time.Now().Add(-46 * 24 * time.Hour)})
			require.NoError(t, err)
			groups := map[string][]*visit{}
			for _, v := range passing(list, func(*visit) bool { return true }) {
				key := label(v.opened.In(zone))
				groups[key] = append(groups[key], v)
			}
			for _, point := range got.Items {
				key := label(point.Start.In(zone))
				require.Equal(t, recountTotals(r, groups[key]), countOf(point.Totals), "%s by %s at %s", name, interval, key)
				delete(groups, key)
			}
			require.Empty(t, groups, "%s by %s", name, interval)
		}
	}
}
