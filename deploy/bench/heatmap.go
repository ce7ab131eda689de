package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vitascope/vitascope/analytics/query"
	"github.com/vitascope/vitascope/deploy/engines"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/warehouse"
)

// The made-up audience: 2,000 media of 10 minutes, by Zipf, over a year; each view
// watches 10 intervals of 15 s in the mean.
const (
	heatMedia   = 2000
	heatSeconds = 600
	heatPerView = 10
	heatHot     = "m0000000001"
	heatRuns    = 60
	heatWarmUps = 8
)

// benchLibrary knows every media of the bench.
type benchLibrary struct{}

func (benchLibrary) Media(_ context.Context, account, id string) (catalog.Media, error) {
	return catalog.Media{ID: id, AccountID: account, DurationMS: heatSeconds * 1000}, nil
}

// heatmap measures the answers of the statistics API at 1 M, 20 M and 100 M
// intervals, in process and against the embedded engine, beside SELECT 1 in the
// same session. The 100 M are the 20 M five times. What is made in a folder named by -data stays there; a run that
// was cut off goes on where it was.
func (b *bench) heatmap() (err error) {
	dir := b.data
	if dir == "" {
		dir = filepath.Join(b.dir, "heatmap")
	}
	cfg := engines.DefaultConfig(dir)
	cfg.S3, cfg.Kafka, cfg.AllowUnsandboxed = false, false, true
	cfg.ClickHouseMemoryBytes = 6 << 30 // the generator sorts; the answers need little
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	e, err := engines.New(cfg, []byte(strings.Repeat("0", 32)), log)
	if err != nil {
		return err
	}
	ep, err := e.Start(b.ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Stop(context.WithoutCancel(b.ctx))) }()
	wcfg := warehouse.DefaultConfig()
	wcfg.URL = ep.ClickHouseURL()
	db, err := warehouse.Open(wcfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Migrate(b.ctx); err != nil {
		return err
	}
	sizes := []int{1, 20}
	if b.long {
		sizes = append(sizes, 100)
	}
	h := &heatBench{bench: b, db: db, stats: query.New(db, benchLibrary{}), p50: map[string]float64{}}
	for _, millions := range []int{1, 20} {
		if err := h.generate(millions); err != nil {
			return err
		}
	}
	if b.long {
		if err := h.copy(20, 100); err != nil {
			return err
		}
	}
	if err := h.markBusy(); err != nil {
		return err
	}
	if err := h.measure(sizes); err != nil {
		return err
	}
	if b.long || slices.Contains(b.measures, "erase") {
		if err := h.erase(20); err != nil {
			return fmt.Errorf("erase: %w", err)
		}
	}
	last := sizes[len(sizes)-1]
	return b.report(Measure{Name: "heatmap_flatness", Ours: h.p50[fmt.Sprint("heatmap", last)], Peer: h.p50["heatmap1"], Unit: "ms", Goal: 1.2,
		Note: fmt.Sprintf("%d M / 1 M intervals, p50, asked in turn", last)}, false)
}

// heatAccount is the account that has so many million intervals. All of them lie
// in the same tables, so that they are measured in one session.
func heatAccount(millions int) string { return fmt.Sprintf("bench%05d", millions) }

type heatBench struct {
	*bench
	db    *warehouse.DB
	stats *query.Service
	p50   map[string]float64
}

// markBusy has sums of days kept of the media that are busy.
func (h *heatBench) markBusy() error {
	started := time.Now()
	marked, err := h.db.MarkBusy(h.ctx, warehouse.BusyLoads)
	if err != nil || len(marked) == 0 {
		return err
	}
	fmt.Fprintf(os.Stderr, "heatmap: sums of days of %d busy media made in %s\n", len(marked), time.Since(started).Round(time.Second))
	return h.db.Exec(making(h.ctx), "OPTIMIZE TABLE heat FINAL")
}

// measure times each question at each size, SELECT 1 between any two of them.
func (h *heatBench) measure(sizes []int) error {
	type asked struct {
		question
		millions int
		times    []float64
	}
	var all []*asked
	for _, millions := range sizes {
		for _, q := range h.questions(heatAccount(millions)) {
			all = append(all, &asked{q, millions, nil})
		}
	}
	ones := []float64{}
	for run := range heatWarmUps + heatRuns {
		for _, q := range all {
			one, err := timed(func() error { return h.one() })
			if err != nil {
				return err
			}
			took, err := timed(func() error { return q.ask(h.ctx) })
			if err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
			if run >= heatWarmUps {
				ones, q.times = append(ones, one), append(q.times, took)
			}
		}
	}
	base := percentile(ones, 0.5)
	for _, q := range all {
		name, goal := fmt.Sprintf("%s_%dm", q.name, q.millions), 0.0
		if q.millions == 100 {
			name, goal = q.name, q.goal
		}
		h.p50[fmt.Sprint(q.name, q.millions)] = percentile(q.times, 0.5)
		err := h.report(Measure{Name: name, Ours: percentile(q.times, 0.5), Peer: base, Unit: "ms", Goal: goal,
			Note: fmt.Sprintf("%d M intervals, p50; p99 %.1f ms; peer SELECT 1 in the same session, p99 %.1f ms", q.millions, percentile(q.times, 0.99), percentile(ones, 0.99))}, false)
		if err != nil {
			return err
		}
	}
	for _, millions := range sizes {
		for _, f := range heatFilters() {
			if err := h.filtered(millions, f); err != nil {
				return err
			}
		}
		if err := h.naive(millions); err != nil {
			return err
		}
	}
	return nil
}

// question is an answer of the statistics API that is timed.
type question struct {
	name string
	goal float64 // to SELECT 1, at 100 M intervals; 0 for none
	ask  func(ctx context.Context) error
}

func (h *heatBench) questions(account string) []question {
	return []question{
		{"heatmap", 3, func(ctx context.Context) error {
			_, err := h.stats.Engagement(ctx, account, heatHot, query.Filter{})
			return err
		}},
		{"heatmap_days", 3, func(ctx context.Context) error {
			_, err := h.stats.Engagement(ctx, account, heatHot, lastDays(0))
			return err
		}},
		{"heatmap_moments", 0, func(ctx context.Context) error { // days of another time zone
			_, err := h.stats.Engagement(ctx, account, heatHot, lastDays(-2*time.Hour))
			return err
		}},
		{"report", 10, func(ctx context.Context) error {
			_, err := h.stats.Report(ctx, account, heatHot, query.Filter{})
			return err
		}},
		{"views_list", 0, func(ctx context.Context) error {
			_, err := h.stats.Views(ctx, account, heatHot, "", 20, query.Filter{})
			return err
		}},
		{"heatmap_filter_cold", 0, func(ctx context.Context) error {
			_, err := h.stats.Engagement(ctx, account, mediaID(1000), query.Filter{Country: "DE", Device: "mobile"})
			return err
		}},
	}
}

// heatFilter is a filter with the columns that answering under it needs.
type heatFilter struct {
	name, what string
	query.Filter
	columns string
}

// lastDays are 30 days that end some time from the last midnight.
func lastDays(from time.Duration) query.Filter {
	end := time.Now().UTC().Truncate(24 * time.Hour).Add(from)
	return query.Filter{From: end.AddDate(0, 0, -30), To: end}
}

func heatFilters() []heatFilter {
	firefox := lastDays(0)
	firefox.Browser = "Firefox"
	return []heatFilter{
		{"heatmap_filter", "country, device", query.Filter{Country: "DE", Device: "mobile"}, "countIf(country = 'DE'), countIf(device = 'mobile')"},
		{"heatmap_filter_page", "page", query.Filter{Page: "https://site.example/page7"}, "countIf(page = 'https://site.example/page7')"},
		{"heatmap_filter_30d", "30 days, browser", firefox, "countIf(browser = 'Firefox')"},
	}
}

// filtered compares a filtered heatmap of the hot media with the bare scan of the
// columns it must read: those it filters by, whether it is a bot's, the spans, and
// what tells how far a view came.
func (h *heatBench) filtered(millions int, f heatFilter) error {
	scan := "SELECT " + f.columns + ", countIf(bot = 0), sum(arraySum(first_lo)), sum(arraySum(first_hi)), sum(arraySum(again_lo)), sum(arraySum(again_hi)), sum(max_watched_to_ms), " +
		"sum(plays), sum(ends), sum(watched_ms), sum(rewatched_ms), sum(duration_ms) FROM views WHERE account_id = ? AND media_id = ?"
	account := heatAccount(millions)
	args := []any{account, heatHot}
	if !f.From.IsZero() {
		scan += " AND opened_at >= fromUnixTimestamp64Milli(?, 'UTC') AND opened_at < fromUnixTimestamp64Milli(?, 'UTC')"
		args = append(args, f.From.UnixMilli(), f.To.UnixMilli())
	}
	var scans, ours []float64
	for run := range 3 + 15 {
		s, err := timed(func() error { return h.drain(scan, args...) })
		if err != nil {
			return err
		}
		o, err := timed(func() error {
			_, err := h.stats.Engagement(h.ctx, account, heatHot, f.Filter)
			return err
		})
		if err != nil {
			return err
		}
		if run >= 3 {
			scans, ours = append(scans, s), append(ours, o)
		}
	}
	m := Measure{Name: fmt.Sprintf("%s_%dm", f.name, millions), Ours: percentile(ours, 0.5), Peer: percentile(scans, 0.5), Unit: "ms",
		Note: fmt.Sprintf("%d M intervals, hot media, by %s, p50; p99 %.1f ms; peer: bare scan of the columns it reads", millions, f.what, percentile(ours, 0.99))}
	if millions == 100 {
		m.Name, m.Goal = f.name, 2
	}
	return h.report(m, false)
}

// naive times the same answer as the heatmap's by spreading every interval over
// its seconds.
func (h *heatBench) naive(millions int) error {
	took, err := timed(func() error {
		return h.drain(`SELECT second, count() FROM (
			SELECT arrayJoin(arrayZip(first_lo, first_hi)) AS span, arrayJoin(range(span.1, span.2)) AS second FROM views FINAL
			WHERE account_id = ? AND media_id = ? AND bot = 0) GROUP BY second ORDER BY second`, heatAccount(millions), heatHot)
	})
	if err != nil {
		return err
	}
	return h.report(Measure{Name: fmt.Sprintf("heatmap_naive_%dm", millions), Ours: h.p50[fmt.Sprint("heatmap", millions)], Peer: took, Unit: "ms",
		Note: fmt.Sprintf("%d M intervals; peer: arrayJoin over every watched second, one run", millions)}, false)
}

func (h *heatBench) one() error {
	var n uint8
	return h.db.QueryRow(h.ctx, "SELECT 1").Scan(&n)
}

// drain runs a statement to its end.
func (h *heatBench) drain(statement string, args ...any) error {
	rows, err := h.db.Query(h.ctx, statement, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

func timed(do func() error) (ms float64, err error) {
	start := time.Now()
	err = do()
	return float64(time.Since(start).Microseconds()) / 1000, err
}

func percentile(list []float64, p float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*p))]
}
