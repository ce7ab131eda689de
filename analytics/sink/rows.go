package sink

import (
	"context"
	"fmt"
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

// ViewRow is what one batch adds to a view.
type ViewRow struct {
	Key                   ViewKey
	StartedAt, LastSeenAt time.Time
	Record                *beacon.Record // who and how; the page from its Page
	Page                  beacon.Page

	Batches, Loads, Plays, Autoplays, Pauses, Seeks, Ends uint64
	WatchedMS, RewatchedMS                                uint64
	MaxWatchedToMS                                        uint32
	Startups, StartupMS, Rebuffers, RebufferMS            uint64
	Errors, FatalErrors                                   uint64
}

// HeatRow is a change of the running count at one second of a media.
type HeatRow struct {
	Account, Media, Kind string
	Cell                 uint32
	Delta                int64
}

// Kinds of coverage in heat.
const (
	HeatFirst  = "first"
	HeatRepeat = "repeat"
)

const eventColumns = `events (account_id, media_id, view_id, seq, idx, kind, at, received_at, partition, offset, visitor,
	page_url, referrer, utm_source, utm_medium, utm_campaign, language, player_width, player_height,
	country, device, browser, os, bot, duration_ms, pos_ms, from_ms, to_ms, rate, repeat, autoplay, took_ms, code, fatal, message)`

// InsertEvents implements Store.
func (w *Warehouse) InsertEvents(ctx context.Context, b Batch, rows []EventRow) error {
	err := w.insert(ctx, b.token("events"), eventColumns, len(rows), func(batch driver.Batch, i int) error {
		row := &rows[i]
		r, e := row.Record, &row.Record.Events[row.Idx]
		page := r.Page
		if page == nil {
			page = &beacon.Page{}
		}
		return batch.Append(r.Account, r.Media, row.Key.View, uint32(r.Seq), uint16(row.Idx), string(e.Kind),
			utc(e.AtMS), utc(r.ReceivedAtMS), uint16(b.Partition), uint64(row.Offset), r.Visitor,
			page.URL, page.Referrer, page.UTMSource, page.UTMMedium, page.UTMCampaign, page.Language,
			uint16(page.PlayerWidth), uint16(page.PlayerHeight),
			r.Country, r.Device, r.Browser, r.OS, r.Bot, uint32(r.DurationMS),
			uint32(e.PosMS), uint32(e.FromMS), uint32(e.ToMS), float32(e.Rate), e.Repeat, e.Autoplay,
			uint32(e.TookMS), e.Code, e.Fatal, e.Message)
	})
	if err != nil {
		return fmt.Errorf("insert %d events: %w", len(rows), err)
	}
	return nil
}

const viewColumns = `views (account_id, media_id, view_id, started_at, last_seen_at, visitor,
	page_url, referrer, utm_source, utm_medium, utm_campaign, language, country, device, browser, os, bot, duration_ms,
	batches, loads, plays, autoplays, pauses, seeks, ends, watched_ms, rewatched_ms, max_watched_to_ms,
	startups, startup_ms, rebuffers, rebuffer_ms, errors, fatal_errors)`

// InsertViews implements Store.
func (w *Warehouse) InsertViews(ctx context.Context, b Batch, rows []ViewRow) error {
	err := w.insert(ctx, b.token("views"), viewColumns, len(rows), func(batch driver.Batch, i int) error {
		v := &rows[i]
		r, p := v.Record, &v.Page
		bot := uint8(0)
		if r.Bot {
			bot = 1
		}
		return batch.Append(v.Key.Account, v.Key.Media, v.Key.View, v.StartedAt, v.LastSeenAt, r.Visitor,
			p.URL, p.Referrer, p.UTMSource, p.UTMMedium, p.UTMCampaign, p.Language, r.Country, r.Device, r.Browser, r.OS, bot, uint32(r.DurationMS),
			v.Batches, v.Loads, v.Plays, v.Autoplays, v.Pauses, v.Seeks, v.Ends, v.WatchedMS, v.RewatchedMS, v.MaxWatchedToMS,
			v.Startups, v.StartupMS, v.Rebuffers, v.RebufferMS, v.Errors, v.FatalErrors)
	})
	if err != nil {
		return fmt.Errorf("insert %d partial views: %w", len(rows), err)
	}
	return nil
}

// InsertHeat implements Store.
func (w *Warehouse) InsertHeat(ctx context.Context, b Batch, rows []HeatRow) error {
	err := w.insert(ctx, b.token("heat"), "heat (account_id, media_id, kind, cell, delta)", len(rows), func(batch driver.Batch, i int) error {
		h := &rows[i]
		return batch.Append(h.Account, h.Media, h.Kind, h.Cell, h.Delta)
	})
	if err != nil {
		return fmt.Errorf("insert %d heatmap deltas: %w", len(rows), err)
	}
	return nil
}

func utc(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
