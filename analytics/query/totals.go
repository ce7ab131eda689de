package query

import (
	"context"
	"time"
)

// Totals are the figures of a set of views.
type Totals struct {
	Loads             uint64  `json:"loads" doc:"Times the player was shown."`
	Visitors          uint64  `json:"visitors" doc:"Distinct visitors among the loads."`
	Plays             uint64  `json:"plays" doc:"Loads in which playback was asked for."`
	PlayRate          float64 `json:"play_rate" minimum:"0" maximum:"1" doc:"Visitors with a play divided by visitors."`
	Views             uint64  `json:"views" doc:"Plays of which at least a moment was watched."`
	AverageEngagement float64 `json:"average_engagement" minimum:"0" maximum:"1" doc:"Mean share of the video seen, over plays."`
	HoursWatched      float64 `json:"hours_watched" minimum:"0" doc:"Hours of video played, repeats included."`
	Finished          uint64  `json:"finished" doc:"Plays that reached the end, or were watched to within 2 seconds of it."`
	VisitorsEstimated bool    `json:"visitors_estimated" doc:"Visitors and play rate are estimates, mostly within 1 %, at worst (of whole months, around 40,000 visitors) within 4 %, because there are more than 100,000 loads."`
}

var totalsNames = []string{"loads", "visitors", "plays", "play_rate", "views", "average_engagement", "hours_watched", "finished"}

// totalsRow is what the warehouse answers for Totals.
type totalsRow struct {
	loads, plays, views, finished, sharePPB, watchedMS int64
	visitors, players                                  uint64
	estimated                                          bool
}

// targets returns where to scan totalsColumns.
func (r *totalsRow) targets() []any {
	return []any{&r.loads, &r.visitors, &r.plays, &r.players, &r.views, &r.finished, &r.sharePPB, &r.watchedMS}
}

func (r *totalsRow) totals() Totals {
	return Totals{
		Loads: uint64(r.loads), Visitors: r.visitors, Plays: uint64(r.plays), PlayRate: ratio(float64(r.players), r.visitors), Views: uint64(r.views),
		AverageEngagement: ratio(float64(r.sharePPB)/1e9, uint64(r.plays)), HoursWatched: float64(r.watchedMS) / float64(time.Hour.Milliseconds()),
		Finished: uint64(r.finished), VisitorsEstimated: r.estimated,
	}
}

// MediaStats are the figures of one media.
type MediaStats struct {
	MediaID         string  `json:"media_id"`
	DurationSeconds float64 `json:"duration_seconds"`
	Totals
	Definitions map[string]string `json:"definitions" doc:"The formula of each figure."`
}

// Media returns the figures of one media.
func (s *Service) Media(ctx context.Context, account, id string, f Filter) (*MediaStats, error) {
	m, err := s.media(ctx, account, id, &f)
	if err != nil {
		return nil, err
	}
	totals, err := s.totals(ctx, account, id, f)
	if err != nil {
		return nil, err
	}
	return &MediaStats{MediaID: id, DurationSeconds: seconds(m.DurationMS), Totals: totals, Definitions: definitions(totalsNames...)}, nil
}

// Overview are the figures of an account.
type Overview struct {
	Media uint64 `json:"media" doc:"Media with at least one load."`
	Totals
	Definitions map[string]string `json:"definitions" doc:"The formula of each figure."`
}

// Overview returns the figures of an account.
func (s *Service) Overview(ctx context.Context, account string, f Filter) (*Overview, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	out := &Overview{Definitions: definitions(append([]string{"media"}, totalsNames...)...)}
	if ok, err := s.summedOverview(ctx, account, f, out); ok || err != nil {
		return out, err
	}
	where := f.where(account, "")
	var row totalsRow
	err := s.row(ctx, "overview", names+"SELECT uniqExact(media_id),"+totalsColumns+" FROM views FINAL WHERE "+where.sql.String(), where.args,
		append([]any{&out.Media}, row.targets()...)...)
	out.Totals = row.totals()
	return out, err
}

func (s *Service) totals(ctx context.Context, account, media string, f Filter) (Totals, error) {
	row, ok, err := s.summed(ctx, account, media, f)
	if err != nil || ok {
		return row.totals(), err
	}
	row, err = s.counted(ctx, account, media, f)
	return row.totals(), err
}

// counted counts view by view.
func (s *Service) counted(ctx context.Context, account, media string, f Filter) (row totalsRow, err error) {
	where := f.where(account, media)
	err = s.row(ctx, "totals", names+"SELECT"+totalsColumns+" FROM views FINAL WHERE "+where.sql.String(), where.args, row.targets()...)
	return row, err
}
