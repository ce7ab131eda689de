package query

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// Report is everything about a media at a glance, in one answer.
type Report struct {
	MediaID         string               `json:"media_id"`
	DurationSeconds float64              `json:"duration_seconds"`
	Totals          Totals               `json:"totals"`
	Graph           Graph                `json:"graph"`
	Trend           []TrendPoint         `json:"trend" doc:"By day (UTC): of the range, or of the last 30 days."`
	Top             map[string][]TopItem `json:"top" doc:"For each of page, referrer, utm_source, utm_medium, utm_campaign, country, device and browser: the 10 values with most plays."`
	Definitions     map[string]string    `json:"definitions" doc:"The formula of each figure."`
}

// TopItem is how often a value of a dimension played.
type TopItem struct {
	Value             string  `json:"value" doc:"Empty for views that have none; as a filter that is (none)."`
	Loads             uint64  `json:"loads"`
	Plays             uint64  `json:"plays"`
	AverageEngagement float64 `json:"average_engagement" minimum:"0" maximum:"1"`
	HoursWatched      float64 `json:"hours_watched"`
}

// Report returns totals, graph, trend and top values of a media. Its parts are
// asked for side by side.
func (s *Service) Report(ctx context.Context, account, id string, f Filter) (*Report, error) {
	m, err := s.media(ctx, account, id, &f)
	if err != nil {
		return nil, err
	}
	out := &Report{MediaID: id, DurationSeconds: seconds(m.DurationMS), Definitions: definitions(append([]string{"engagement", "rewatches", "drop_off"}, totalsNames...)...)}
	days := f
	if days.From.IsZero() {
		days.From = endOr(days.To, s.now()).UTC().Truncate(24*time.Hour).AddDate(0, 0, -29)
	}
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error {
		graph, err := s.graph(ctx, account, m, f)
		if err == nil {
			out.Graph = *graph
		}
		return err
	})
	if months, args, ok := f.wholeMonths("toDate(bucket)"); ok {
		parts.Go(func() error { return s.glance(ctx, account, id, months, args, f, days, out) })
		return out, parts.Wait()
	}
	parts.Go(func() (err error) {
		out.Totals, err = s.totals(ctx, account, id, f)
		return err
	})
	parts.Go(func() (err error) {
		out.Trend, err = s.trend(ctx, account, id, byDay, days)
		return err
	})
	parts.Go(func() (err error) {
		out.Top, err = s.top(ctx, account, id, f)
		return err
	})
	return out, parts.Wait()
}

var byDay = Span{Interval: "day", TimeZone: "UTC"}

func endOr(t, now time.Time) time.Time {
	if t.IsZero() {
		return now
	}
	return t
}

// topDimensions are those by which figures keeps sums.
var topDimensions = []string{"page", "referrer", "utm_source", "utm_medium", "utm_campaign", "country", "device", "browser"}

const topDrawnSQL = names + `
	SELECT pair.1 AS t_dimension, pair.2 AS t_value, toInt64(count()) AS t_loads, toInt64(countIf(played)) AS t_plays,
		toInt64(sumIf(share_ppb, played)) AS t_share, toInt64(sum(watched_ms + rewatched_ms)) AS t_watched FROM (
		SELECT *, arrayJoin([('page', page), ('referrer', referrer_host), ('utm_source', utm_source), ('utm_medium', utm_medium),
			('utm_campaign', utm_campaign), ('country', toString(country)), ('device', toString(device)), ('browser', toString(browser))]) AS pair
		FROM (SELECT identity, visitor, view_id, plays, watched_ms, rewatched_ms, ends, max_watched_to_ms, duration_ms, playing_ms, rebuffer_ms, startups,
			page, referrer_host, utm_source, utm_medium, utm_campaign, country, device, browser FROM views FINAL WHERE %s))
	GROUP BY t_dimension, t_value ORDER BY t_dimension, t_plays DESC, t_loads DESC, t_value LIMIT 10 BY t_dimension`

// top returns the values with most plays of each dimension, counted view by view.
func (s *Service) top(ctx context.Context, account, id string, f Filter) (map[string][]TopItem, error) {
	where := f.where(account, id)
	out := noTop()
	err := s.each(ctx, "top values", sprintf(topDrawnSQL, where), where.args, func(read func(...any) error) error {
		var dimension, value string
		var row totalsRow
		if err := read(&dimension, &value, &row.loads, &row.plays, &row.sharePPB, &row.watchedMS); err != nil {
			return err
		}
		out[dimension] = append(out[dimension], row.topItem(value))
		return nil
	})
	return out, err
}

func noTop() map[string][]TopItem {
	out := make(map[string][]TopItem, len(topDimensions))
	for _, d := range topDimensions {
		out[d] = []TopItem{}
	}
	return out
}

func (r *totalsRow) topItem(value string) TopItem {
	t := r.totals()
	return TopItem{value, t.Loads, t.Plays, t.AverageEngagement, t.HoursWatched}
}
