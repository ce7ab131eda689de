package sink

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/vitascope/vitascope/internal/beacon"
)

// EventRow is one row of events.
type EventRow struct {
	Key    ViewKey
	Record *beacon.Record
	Idx    int
	Offset int64
}

const eventColumns = `events (account_id, media_id, view_id, seq, idx, kind, at, received_at, partition, offset, receipt, visitor, identity, opted_out,
	page_url, page, referrer, referrer_host, utm_source, utm_medium, utm_campaign, utm_term, utm_content, variant, language,
	player_width, player_height, screen_width, screen_height,
	country, device, browser, os, bot, bot_reason, duration_ms, pos_ms, from_ms, to_ms, rate, repeat, autoplay, took_ms, muted, fullscreen, hidden,
	height, bitrate_bps, shift, played_ms, frames, dropped_frames, upscale_avg_pct, upscale_max_pct, downscale_avg_pct, downscale_max_pct,
	requests, failed, bytes, ttfb_ms, buffer_ms, throughput_bps, code, severity, fatal, message, action_type, action_id, action_verb, content, leaving)`

// InsertEvents implements Store.
func (w *Warehouse) InsertEvents(ctx context.Context, b Batch, rows []EventRow) error {
	err := w.insert(ctx, b.token("events"), eventColumns, len(rows), func(batch driver.Batch, i int) error {
		row := &rows[i]
		r, e := row.Record, &row.Record.Events[row.Idx]
		p := r.Page
		if p == nil {
			p = &beacon.Page{}
		}
		return batch.Append(r.Account, r.Media, row.Key.View, uint32(r.Seq), uint16(row.Idx), string(e.Kind),
			utc(e.AtMS), utc(r.ReceivedAtMS), uint16(b.Partition), uint64(row.Offset), r.Receipt, r.Visitor, r.Identity, r.OptedOut,
			p.URL, page(p.URL), p.Referrer, host(p.Referrer), p.UTMSource, p.UTMMedium, p.UTMCampaign, p.UTMTerm, p.UTMContent, p.Variant, p.Language,
			uint16(p.PlayerWidth), uint16(p.PlayerHeight), uint16(p.ScreenWidth), uint16(p.ScreenHeight),
			r.Country, r.Device, r.Browser, r.OS, r.Bot, r.BotReason, uint32(r.DurationMS),
			uint32(e.PosMS), uint32(e.FromMS), uint32(e.ToMS), float32(e.Rate), e.Repeat, e.Autoplay,
			uint32(e.TookMS), e.Muted, e.Fullscreen, e.Hidden,
			uint16(e.Height), uint64(e.BitrateBPS), e.Shift, uint32(e.PlayedMS), uint64(e.Frames), uint64(e.DroppedFrames),
			float32(e.UpscaleAvgPct), float32(e.UpscaleMaxPct), float32(e.DownscaleAvgPct), float32(e.DownscaleMaxPct),
			uint32(e.Requests), uint32(e.Failed), uint64(e.Bytes), uint64(e.TTFBMS), uint64(e.BufferMS), uint64(e.ThroughputBPS),
			e.Code, e.Severity, e.Fatal, e.Message, e.Type, e.ID, e.Verb, e.Content, r.Leaving)
	})
	if err != nil {
		return fmt.Errorf("insert %d events: %w", len(rows), err)
	}
	return nil
}

// InsertViews implements Store.
func (w *Warehouse) InsertViews(ctx context.Context, b Batch, rows []ViewRow) error {
	return insertStructs(ctx, w, b, "views", rows)
}

// InsertHeat implements Store.
func (w *Warehouse) InsertHeat(ctx context.Context, b Batch, rows []HeatRow) error {
	return insertStructs(ctx, w, b, "heat", rows)
}

// InsertFigures implements Store.
func (w *Warehouse) InsertFigures(ctx context.Context, b Batch, rows []FigureRow) error {
	return insertStructs(ctx, w, b, "figures", rows)
}

// InsertUniques implements Store.
func (w *Warehouse) InsertUniques(ctx context.Context, b Batch, rows []UniqueRow) error {
	err := w.insert(ctx, b.token("uniques"), "uniques (account_id, media_id, grain, bucket, who, player)", len(rows), func(batch driver.Batch, i int) error {
		u := &rows[i]
		return batch.Append(u.Account, u.Media, u.Grain, u.Bucket, u.Who, u.Player)
	})
	if err != nil {
		return fmt.Errorf("insert %d visitors: %w", len(rows), err)
	}
	return nil
}

// InsertReceipts implements Store.
func (w *Warehouse) InsertReceipts(ctx context.Context, b Batch, rows []ReceiptRow) error {
	return insertStructs(ctx, w, b, "receipts", rows)
}

// insertStructs inserts rows whose tags name the columns of table.
func insertStructs[T any](ctx context.Context, w *Warehouse, b Batch, table string, rows []T) error {
	into := table + " (" + strings.Join(columnsOf(reflect.TypeFor[T]()), ", ") + ")"
	err := w.insert(ctx, b.token(table), into, len(rows), func(batch driver.Batch, i int) error {
		return batch.AppendStruct(&rows[i])
	})
	if err != nil {
		return fmt.Errorf("insert %d rows into %s: %w", len(rows), table, err)
	}
	return nil
}

// columnsOf returns the column names a struct's tags hold, embedded ones too.
func columnsOf(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			names = append(names, columnsOf(f.Type)...)
			continue
		}
		names = append(names, f.Tag.Get("ch"))
	}
	return names
}

func utc(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
