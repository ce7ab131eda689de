package query

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/warehouse"
)

// liveFor is how long after its last beacon a view counts as live: players send
// one each 10 s.
const liveFor = 30 * time.Second

// timeout bounds one question.
const timeout = 20 * time.Second

// Library knows the account's media.
type Library interface {
	// Media returns a media, or an error that matches catalog.ErrNotFound when
	// the account has none of that id.
	Media(ctx context.Context, account, id string) (catalog.Media, error)
}

// Service answers questions about views.
type Service struct {
	db      *warehouse.DB
	library Library
	now     func() time.Time
}

// New returns a Service on a migrated warehouse.
func New(db *warehouse.DB, library Library) *Service {
	return &Service{db: db, library: library, now: time.Now}
}

// Media returns the figures of one media.
func (s *Service) Media(ctx context.Context, account, id string) (*MediaStats, error) {
	m, err := s.library.Media(ctx, account, id)
	if err != nil {
		return nil, err
	}
	totals, _, err := s.totals(ctx, "AND media_id = ?", account, id)
	if err != nil {
		return nil, err
	}
	return &MediaStats{
		MediaID: id, DurationSeconds: seconds(m.DurationMS), Totals: totals,
		Definitions: definitions("loads", "visitors", "plays", "play_rate", "views", "average_engagement", "hours_watched", "finished"),
	}, nil
}

// Overview returns the figures of an account.
func (s *Service) Overview(ctx context.Context, account string) (*Overview, error) {
	totals, media, err := s.totals(ctx, "", account)
	if err != nil {
		return nil, err
	}
	return &Overview{
		Media: media, Totals: totals,
		Definitions: definitions("media", "loads", "visitors", "plays", "play_rate", "views", "average_engagement", "hours_watched", "finished"),
	}, nil
}

func (s *Service) totals(ctx context.Context, narrow string, args ...any) (Totals, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var t Totals
	var players, totalMS, media uint64
	var engagement float64
	statement := "SELECT " + totalsColumns + " FROM (" + fmt.Sprintf(mergedViews, narrow) + ")"
	err := s.db.QueryRow(ctx, statement, args...).Scan(&t.Loads, &t.Visitors, &t.Plays, &players, &t.Views, &engagement, &totalMS, &t.Finished, &media)
	if err != nil {
		return Totals{}, 0, away("totals", err)
	}
	t.PlayRate = ratio(float64(players), t.Visitors)
	t.AverageEngagement = ratio(engagement, t.Plays)
	t.HoursWatched = float64(totalMS) / float64(time.Hour.Milliseconds())
	return t, media, nil
}

// Engagement returns the engagement graph of a media.
func (s *Service) Engagement(ctx context.Context, account, id string) (*Engagement, error) {
	m, err := s.library.Media(ctx, account, id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	rows, err := s.db.Query(ctx, heatSQL, account, id)
	if err != nil {
		return nil, away("engagement", err)
	}
	defer rows.Close()
	n := beacon.Seconds(m.DurationMS)
	first, repeat := make([]int, n), make([]int, n)
	for rows.Next() {
		var kind string
		var cell uint32
		var delta int64
		if err := rows.Scan(&kind, &cell, &delta); err != nil {
			return nil, away("engagement", err)
		}
		counts := first
		if kind == "repeat" {
			counts = repeat
		}
		if int(cell) < n {
			counts[cell] += int(delta)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, away("engagement", err)
	}
	accumulate(first)
	accumulate(repeat)
	out := &Engagement{MediaID: id, DurationSeconds: seconds(m.DurationMS), Definitions: definitions("engagement", "rewatches")}
	out.Engagement, out.CellSeconds = beacon.Scale(first)
	out.Rewatches, _ = beacon.Scale(repeat)
	return out, nil
}

func accumulate(deltas []int) {
	for i := 1; i < len(deltas); i++ {
		deltas[i] += deltas[i-1]
	}
}

// Views returns up to limit played views of a media, newest first, after cursor.
func (s *Service) Views(ctx context.Context, account, id, cursor string, limit int) (*Views, error) {
	m, err := s.library.Media(ctx, account, id)
	if err != nil {
		return nil, err
	}
	beforeMS, beforeView, err := parseCursor(cursor)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	rows, err := s.db.Query(ctx, fmt.Sprintf(viewsPageSQL, fmt.Sprintf(mergedViews, "AND media_id = ?")), account, id, beforeMS, beforeView, limit+1)
	if err != nil {
		return nil, away("views", err)
	}
	defer rows.Close()
	out := &Views{Items: []View{}}
	for rows.Next() {
		var v View
		var view uuid.UUID
		var length uint32
		var once, again uint64
		if err := rows.Scan(&view, &v.Visitor, &v.StartedAt, &v.LastSeenAt, &v.PageURL, &v.Referrer, &v.Country, &v.Device, &v.Browser, &v.OS, &length, &once, &again); err != nil {
			return nil, away("views", err)
		}
		v.ViewID, v.Live = view.String(), s.now().Sub(v.LastSeenAt) < liveFor
		v.WatchedSeconds, v.RewatchedSeconds = seconds(int64(once)), seconds(int64(again))
		v.PercentWatched = min(1, ratio(float64(once), uint64(length)))
		out.Items = append(out.Items, v)
	}
	if err := rows.Err(); err != nil {
		return nil, away("views", err)
	}
	if len(out.Items) > limit {
		out.Items = out.Items[:limit]
		last := out.Items[limit-1]
		out.NextCursor = makeCursor(last.StartedAt.UnixMilli(), last.ViewID)
	}
	return out, s.addStrips(ctx, account, m, out.Items)
}

// addStrips draws the heatmap of each view from its watched spans.
func (s *Service) addStrips(ctx context.Context, account string, m catalog.Media, views []View) error {
	if len(views) == 0 {
		return nil
	}
	ids := make([]string, len(views))
	for i := range views {
		ids[i] = views[i].ViewID
	}
	rows, err := s.db.Query(ctx, spansSQL, account, m.ID, ids)
	if err != nil {
		return away("strips", err)
	}
	defer rows.Close()
	spans := map[string][]beacon.Span{}
	for rows.Next() {
		var view uuid.UUID
		var from, to uint32
		if err := rows.Scan(&view, &from, &to); err != nil {
			return away("strips", err)
		}
		spans[view.String()] = append(spans[view.String()], beacon.Span{From: int64(from), To: int64(to)})
	}
	if err := rows.Err(); err != nil {
		return away("strips", err)
	}
	for i := range views {
		cells, _ := beacon.Scale(beacon.Counts(spans[views[i].ViewID], m.DurationMS))
		views[i].Strip = beacon.Strip(cells)
	}
	return nil
}

// A cursor is where the page before ended: start of its last view, and its id.
func makeCursor(ms int64, view string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(ms, 10) + "/" + view))
}

func parseCursor(cursor string) (int64, string, error) {
	if cursor == "" {
		return 4_102_444_800_000, "", nil // 2100, after every view
	}
	wrong := fault.New(fault.Invalid, "wrong-cursor", "The cursor is not one that this list gave.")
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, "", wrong
	}
	msText, view, ok := strings.Cut(string(raw), "/")
	ms, err := strconv.ParseInt(msText, 10, 64)
	if !ok || err != nil || ms < 0 || ms > 4_102_444_800_000 || uuid.Validate(view) != nil {
		return 0, "", wrong
	}
	return ms, view, nil
}

// away gives an error of the warehouse its kind: what ClickHouse refused is our
// fault, all else is that it cannot be reached.
func away(what string, err error) error {
	if _, refused := errors.AsType[*clickhouse.Exception](err); refused {
		return fmt.Errorf("query %s: %w", what, err)
	}
	return fault.Wrap(fault.Unavailable, err, "warehouse-away", "The figures cannot be read right now. Try again shortly.")
}

func seconds(ms int64) float64 { return float64(ms) / 1000 }

func ratio(part float64, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return math.Min(1, part/float64(whole))
}
