package query

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/fault"
)

// View is one playback.
type View struct {
	MediaID          string       `json:"media_id"`
	ViewID           string       `json:"view_id"`
	Visitor          string       `json:"visitor" doc:"Pseudonym of one day; empty when the viewer opted out."`
	Identity         string       `json:"identity" doc:"Who the viewer is, as the embedding site signed it; mostly empty."`
	OpenedAt         time.Time    `json:"opened_at" doc:"When the player was shown, by the server's clock."`
	StartedAt        time.Time    `json:"started_at" doc:"When the first event happened."`
	LastSeenAt       time.Time    `json:"last_seen_at"`
	DurationSeconds  float64      `json:"duration_seconds" doc:"Of the media, as it was then."`
	PercentWatched   float64      `json:"percent_watched" minimum:"0" maximum:"1" doc:"Share of the video seen, 0 to 1."`
	WatchedSeconds   float64      `json:"watched_seconds" doc:"Seconds of the video seen, each counted once."`
	RewatchedSeconds float64      `json:"rewatched_seconds" doc:"Seconds of the video seen again."`
	Finished         bool         `json:"finished"`
	Autoplay         bool         `json:"autoplay"`
	Bot              bool         `json:"bot"`
	PageURL          string       `json:"page_url"`
	Referrer         string       `json:"referrer"`
	UTMSource        string       `json:"utm_source"`
	UTMMedium        string       `json:"utm_medium"`
	UTMCampaign      string       `json:"utm_campaign"`
	Language         string       `json:"language"`
	Country          string       `json:"country" doc:"ISO 3166-1 alpha-2; empty when unknown."`
	Device           string       `json:"device" doc:"desktop, mobile, tablet, tv; empty when unknown."`
	Browser          string       `json:"browser"`
	OS               string       `json:"os"`
	RungHeight       int          `json:"rung_height" doc:"Highest rung played, in pixels; 0 when unknown."`
	StartupMS        int          `json:"startup_ms" doc:"From play to the first frame; 0 when there was none."`
	Rebuffers        int          `json:"rebuffers"`
	RebufferSeconds  float64      `json:"rebuffer_seconds"`
	ErrorCode        string       `json:"error_code" doc:"Of an error that ended playback."`
	Live             bool         `json:"live" doc:"Watched now: heard of within the last 30 seconds, and not paused, at the end or gone."`
	Strip            []beacon.Run `json:"strip" doc:"Heatmap as runs of [level 0 to 5, number of cells]; cells as in the engagement graph."`
}

// Views is a page of playbacks, newest first.
type Views struct {
	Items      []View `json:"items"`
	NextCursor string `json:"next_cursor" doc:"For the next page; empty on the last."`
}

const viewColumns = `
	SELECT media_id, view_id, visitor, identity, opened_at, started_at, last_seen_at, duration_ms, watched_ms, rewatched_ms, reached_end,
		autoplays > 0, bot, page_url, referrer, utm_source, utm_medium, utm_campaign, language, country, device, browser, os,
		top_height, if(startups > 0, intDiv(startup_ms, startups), 0), rebuffers, rebuffer_ms, error_code,
		first_lo, first_hi, again_lo, again_hi
	FROM views FINAL WHERE `

const newestFirst = " AND played AND (opened_at, view_id) < (fromUnixTimestamp64Milli(?, 'UTC'), toUUID(?)) ORDER BY opened_at DESC, view_id DESC LIMIT ?"

// Views returns up to limit played views of a media, newest first, after cursor.
func (s *Service) Views(ctx context.Context, account, id, cursor string, limit int, f Filter) (*Views, error) {
	if _, err := s.media(ctx, account, id, &f); err != nil {
		return nil, err
	}
	return s.viewsPage(ctx, account, id, cursor, limit, f)
}

// viewsPage looks back from the cursor in windows that grow until the page is
// full, because views are sorted by time: a page of a busy media costs what an
// hour of it costs.
func (s *Service) viewsPage(ctx context.Context, account, id, cursor string, limit int, f Filter) (*Views, error) {
	beforeMS, beforeView, err := parseCursor(cursor)
	if err != nil {
		return nil, err
	}
	end := s.now().Add(time.Minute)
	if !f.To.IsZero() && f.To.Before(end) {
		end = f.To
	}
	if before := time.UnixMilli(beforeMS); before.Before(end) {
		end = before.Add(time.Millisecond)
	}
	first := f.From
	out := &Views{Items: []View{}}
	for window, last := time.Hour, false; !last && len(out.Items) <= limit; window *= 24 {
		f.From, f.To = end.Add(-window), end
		if window > 5*365*24*time.Hour || f.From.Before(first) {
			f.From, last = first, true
		}
		page, err := s.viewsBefore(ctx, account, id, beforeMS, beforeView, limit+1-len(out.Items), f)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, page...)
		end = f.From
	}
	if len(out.Items) > limit {
		out.Items = out.Items[:limit]
		last := out.Items[limit-1]
		out.NextCursor = makeCursor(last.OpenedAt.UnixMilli(), last.ViewID)
	}
	return out, s.markLive(ctx, account, out.Items)
}

func (s *Service) viewsBefore(ctx context.Context, account, id string, beforeMS int64, beforeView string, limit int, f Filter) ([]View, error) {
	where := f.where(account, id)
	var items []View
	err := s.each(ctx, "views", names+viewColumns+where.sql.String()+newestFirst, append(where.args, beforeMS, beforeView, limit), func(read func(...any) error) error {
		v, err := scanView(read)
		items = append(items, v)
		return err
	})
	return items, err
}

// scanView reads a row of viewColumns.
func scanView(read func(...any) error) (View, error) {
	var v View
	var view uuid.UUID
	var length uint32
	var once, again, startup, rebuffers, rebufferMS uint64
	var bot uint8
	var height uint16
	var firstLo, firstHi, againLo, againHi []uint32
	err := read(&v.MediaID, &view, &v.Visitor, &v.Identity, &v.OpenedAt, &v.StartedAt, &v.LastSeenAt, &length, &once, &again, &v.Finished,
		&v.Autoplay, &bot, &v.PageURL, &v.Referrer, &v.UTMSource, &v.UTMMedium, &v.UTMCampaign, &v.Language, &v.Country, &v.Device, &v.Browser, &v.OS,
		&height, &startup, &rebuffers, &rebufferMS, &v.ErrorCode, &firstLo, &firstHi, &againLo, &againHi)
	if err != nil {
		return v, err
	}
	v.ViewID, v.Bot, v.RungHeight, v.StartupMS, v.Rebuffers = view.String(), bot > 0, int(height), int(startup), int(rebuffers)
	v.DurationSeconds, v.RebufferSeconds = seconds(int64(length)), seconds(int64(rebufferMS))
	v.WatchedSeconds, v.RewatchedSeconds = seconds(int64(once)), seconds(int64(again))
	v.PercentWatched = ratio(float64(once), uint64(length))
	counts := make([]int, beacon.Seconds(int64(length)))
	cover(counts, firstLo, firstHi)
	cover(counts, againLo, againHi)
	accumulate(counts)
	cells, _ := beacon.Scale(counts)
	v.Strip = beacon.Strip(cells)
	return v, nil
}

// cover adds the deltas of half-open ranges of cells.
func cover(deltas []int, lo, hi []uint32) {
	for i := range lo {
		if int(lo[i]) < len(deltas) {
			deltas[lo[i]]++
		}
	}
	for i := range hi {
		if int(hi[i]) < len(deltas) {
			deltas[hi[i]]--
		}
	}
}

// A cursor is where the page before ended: when its last view was opened, and
// its id.
func makeCursor(ms int64, view string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(ms, 10) + "/" + view))
}

const endOfTime = 4_102_444_800_000 // 2100, after every view

func parseCursor(cursor string) (int64, string, error) {
	if cursor == "" {
		return endOfTime, uuid.Nil.String(), nil
	}
	wrong := fault.New(fault.Invalid, "wrong-cursor", "The cursor is not one that this list gave.")
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, "", wrong
	}
	msText, view, ok := strings.Cut(string(raw), "/")
	ms, err := strconv.ParseInt(msText, 10, 64)
	if !ok || err != nil || ms < 0 || ms > endOfTime || uuid.Validate(view) != nil {
		return 0, "", wrong
	}
	return ms, view, nil
}
