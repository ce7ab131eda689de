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

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/vitascope/vitascope/analytics/query"
	"github.com/vitascope/vitascope/deploy/engines"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/warehouse"
)

// The made-up audience: 2,000 media of 10 minutes, by Zipf, over a year; each view
// watches 10 intervals of 15 s in the mean.
const (
	heatAccount  = "bench00000"
	heatMedia    = 2000
	heatSeconds  = 600
	heatPerView  = 10
	heatHot      = "m0000000001"
	heatRuns     = 60
	heatWarmUps  = 8
	heatInsertBy = 2_000_000 // views a statement
)

// benchLibrary knows every media of the bench.
type benchLibrary struct{}

func (benchLibrary) Media(_ context.Context, account, id string) (catalog.Media, error) {
	return catalog.Media{ID: id, AccountID: account, DurationMS: heatSeconds * 1000}, nil
}

// heatmap measures the answers of the statistics API at 1 M, 20 M and 100 M
// intervals, in process and against the embedded engine, beside SELECT 1 in the
// same session.
func (b *bench) heatmap() (err error) {
	cfg := engines.DefaultConfig(filepath.Join(b.dir, "heatmap"))
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
	made := 0
	for _, millions := range sizes {
		views := millions * 1_000_000 / heatPerView
		if err := h.generate(made, views); err != nil {
			return err
		}
		made = views
		if err := h.measure(millions); err != nil {
			return err
		}
	}
	last := sizes[len(sizes)-1]
	return b.report(Measure{Name: "heatmap_flatness", Ours: h.p50[fmt.Sprint("heatmap", last)], Peer: h.p50["heatmap1"], Unit: "ms", Goal: 1.2,
		Note: fmt.Sprintf("%d M / 1 M intervals, p50", last)}, false)
}

type heatBench struct {
	*bench
	db    *warehouse.DB
	stats *query.Service
	p50   map[string]float64
}

// generate adds views number first to last, made inside the engine, and the sums
// that follow from them.
func (h *heatBench) generate(first, last int) error {
	ctx := clickhouse.Context(h.ctx, clickhouse.WithSettings(clickhouse.Settings{
		"insert_deduplicate": 0, "max_insert_threads": 2, "max_block_size": 65536, "max_execution_time": 0,
	}))
	started, tag := time.Now(), fmt.Sprint("made-", first)
	for at := first; at < last; at += heatInsertBy {
		n := min(heatInsertBy, last-at)
		if err := h.db.Exec(ctx, generateSQL, tag, at, n); err != nil {
			return fmt.Errorf("generate: %w", err)
		}
	}
	for lo := 1; lo <= heatMedia; lo += heatMedia / 10 {
		from, to := fmt.Sprintf("m%010d", lo), fmt.Sprintf("m%010d", lo+heatMedia/10)
		if err := h.db.AddSums(h.ctx, "account_id = ? AND media_id >= ? AND media_id < ? AND os = ?", heatAccount, from, to, tag); err != nil {
			return fmt.Errorf("derive: %w", err)
		}
	}
	for _, table := range []string{"views", "heat", "figures", "uniques"} {
		if err := h.db.Exec(ctx, "OPTIMIZE TABLE "+table+" FINAL"); err != nil {
			return fmt.Errorf("merge: %w", err)
		}
	}
	fmt.Fprintf(os.Stderr, "heatmap: %d views made in %s\n", last-first, time.Since(started).Round(time.Second))
	return nil
}

// measure times each question, SELECT 1 between any two of them.
func (h *heatBench) measure(millions int) error {
	end := time.Now().UTC().Truncate(24 * time.Hour)
	country, range30 := query.Filter{Country: "DE", Device: "mobile"}, query.Filter{From: end.AddDate(0, 0, -30), To: end, Browser: "Firefox"}
	questions := []struct {
		name string
		goal float64
		ask  func(ctx context.Context) error
	}{
		{"heatmap", 3, func(ctx context.Context) error {
			_, err := h.stats.Engagement(ctx, heatAccount, heatHot, query.Filter{})
			return err
		}},
		{"report", 10, func(ctx context.Context) error {
			_, err := h.stats.Report(ctx, heatAccount, heatHot, query.Filter{})
			return err
		}},
		{"views_list", 0, func(ctx context.Context) error {
			_, err := h.stats.Views(ctx, heatAccount, heatHot, "", 20, query.Filter{})
			return err
		}},
		{"heatmap_filter_cold", 0, func(ctx context.Context) error {
			_, err := h.stats.Engagement(ctx, heatAccount, "m0000001000", country)
			return err
		}},
	}
	ones, times := []float64{}, make([][]float64, len(questions))
	for run := range heatWarmUps + heatRuns {
		for i, q := range questions {
			one, err := timed(func() error { return h.one() })
			if err != nil {
				return err
			}
			took, err := timed(func() error { return q.ask(h.ctx) })
			if err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
			if run >= heatWarmUps {
				ones, times[i] = append(ones, one), append(times[i], took)
			}
		}
	}
	base := percentile(ones, 0.5)
	for i, q := range questions {
		name, goal := fmt.Sprintf("%s_%dm", q.name, millions), 0.0
		if millions == 100 {
			name, goal = q.name, q.goal
		}
		h.p50[fmt.Sprint(q.name, millions)] = percentile(times[i], 0.5)
		err := h.report(Measure{Name: name, Ours: percentile(times[i], 0.5), Peer: base, Unit: "ms", Goal: goal,
			Note: fmt.Sprintf("%d M intervals, p50; p99 %.1f ms; peer SELECT 1 in the same session, p99 %.1f ms", millions, percentile(times[i], 0.99), percentile(ones, 0.99))}, false)
		if err != nil {
			return err
		}
	}
	if err := h.filtered(millions, "heatmap_filter", country, "country, device"); err != nil {
		return err
	}
	if err := h.filtered(millions, "heatmap_filter_30d", range30, "30 days, browser"); err != nil {
		return err
	}
	return h.naive(millions)
}

// filtered compares a filtered heatmap of the hot media with the bare scan of the
// columns it must read.
func (h *heatBench) filtered(millions int, name string, f query.Filter, what string) error {
	scan := "SELECT sum(length(first_lo)), sum(arraySum(first_lo)), sum(arraySum(first_hi)), sum(arraySum(again_lo)), sum(arraySum(again_hi)), sum(max_watched_to_ms), " +
		"countIf(bot = 0), countIf(country = 'DE'), countIf(device = 'mobile'), countIf(browser = 'Firefox'), sum(plays), sum(ends), sum(watched_ms), sum(rewatched_ms), sum(duration_ms) FROM views WHERE account_id = ? AND media_id = ?"
	args := []any{heatAccount, heatHot}
	if !f.From.IsZero() {
		scan += " AND opened_at >= fromUnixTimestamp64Milli(?, 'UTC') AND opened_at < fromUnixTimestamp64Milli(?, 'UTC')"
		args = append(args, f.From.UnixMilli(), f.To.UnixMilli())
	}
	var scans, ours []float64
	for run := range 3 + 9 {
		s, err := timed(func() error { return h.drain(scan, args...) })
		if err != nil {
			return err
		}
		o, err := timed(func() error {
			_, err := h.stats.Engagement(h.ctx, heatAccount, heatHot, f)
			return err
		})
		if err != nil {
			return err
		}
		if run >= 3 {
			scans, ours = append(scans, s), append(ours, o)
		}
	}
	m := Measure{Name: fmt.Sprintf("%s_%dm", name, millions), Ours: percentile(ours, 0.5), Peer: percentile(scans, 0.5), Unit: "ms",
		Note: fmt.Sprintf("%d M intervals, hot media, by %s, p50; p99 %.1f ms; peer: bare scan of the columns it reads", millions, what, percentile(ours, 0.99))}
	if millions == 100 {
		m.Name, m.Goal = name, 2
	}
	return h.report(m, false)
}

// naive times the same answer as the heatmap's by spreading every interval over
// its seconds.
func (h *heatBench) naive(millions int) error {
	took, err := timed(func() error {
		return h.drain(`SELECT second, count() FROM (
			SELECT arrayJoin(arrayZip(first_lo, first_hi)) AS span, arrayJoin(range(span.1, span.2)) AS second FROM views FINAL
			WHERE account_id = ? AND media_id = ? AND bot = 0) GROUP BY second ORDER BY second`, heatAccount, heatHot)
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
