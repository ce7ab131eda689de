package query

import (
	"context"
	"time"
)

// liveMinutes is how far back the curve of live viewers goes.
const liveMinutes = 30

// Live is who watches now.
type Live struct {
	Now         uint64            `json:"now" doc:"Viewers playing, starting or rebuffering: heard of within the last 30 seconds, and not paused, at the end or gone."`
	Media       []LiveMedia       `json:"media" doc:"Media watched now, most viewers first, at most 20."`
	Minutes     []LiveMinute      `json:"minutes" doc:"The last 30 minutes, oldest first; the last is not over yet."`
	Definitions map[string]string `json:"definitions" doc:"The formula of each figure."`
}

// LiveMedia is how many watch one media.
type LiveMedia struct {
	MediaID string `json:"media_id"`
	Viewers uint64 `json:"viewers"`
}

// LiveMinute is how many watched in one minute.
type LiveMinute struct {
	Start   time.Time `json:"start"`
	Viewers uint64    `json:"viewers" doc:"Views of which something was playing, starting or rebuffering in this minute."`
}

// lastWordSQL is one row a view heard of: whether its last word was that it plays,
// starts or rebuffers.
const lastWordSQL = `
	SELECT media_id, view_id, NOT argMax(rests, (seq, idx)) AND max(plays) > 0 AS playing FROM (
		SELECT media_id, view_id, seq, idx, leaving OR kind IN ('pause', 'end') AS rests, kind IN ('play', 'watch', 'startup', 'stall', 'rebuffer', 'seek_wait') AS plays FROM events
		WHERE account_id = ? AND received_at >= fromUnixTimestamp64Milli(?, 'UTC') AND NOT bot
			AND (leaving OR kind IN ('play', 'pause', 'end', 'watch', 'startup', 'stall', 'rebuffer', 'seek', 'seek_wait')) %s)
	GROUP BY media_id, view_id`

const liveNowSQL = `
	SELECT media_id, countIf(playing) FROM (` + lastWordSQL + `)
	GROUP BY media_id HAVING countIf(playing) > 0 ORDER BY countIf(playing) DESC, media_id`

const liveViewsSQL = `
	SELECT toString(view_id) FROM (` + lastWordSQL + `) WHERE playing`

const liveMinutesSQL = `
	SELECT toUnixTimestamp(toStartOfMinute(received_at)) AS minute, uniqExact(media_id, view_id) FROM events
	WHERE account_id = ? AND received_at >= fromUnixTimestamp64Milli(?, 'UTC') AND NOT bot
		AND kind IN ('play', 'watch', 'startup', 'stall', 'rebuffer', 'seek_wait') %s
	GROUP BY minute`

// Live returns who watches now and how many did in the last minutes; media is ""
// for the whole account.
func (s *Service) Live(ctx context.Context, account, media string) (*Live, error) {
	if err := s.mediaIfAny(ctx, account, media, &Filter{}); err != nil {
		return nil, err
	}
	now := s.now().UTC()
	narrow := &clause{}
	if media != "" {
		narrow.and("AND media_id = ?", media)
	}
	out := &Live{Media: []LiveMedia{}, Definitions: definitions("live", "minutes")}
	args := append([]any{account, now.Add(-liveFor).UnixMilli()}, narrow.args...)
	err := s.each(ctx, "live viewers", sprintf(liveNowSQL, narrow), args, func(read func(...any) error) error {
		var m LiveMedia
		if err := read(&m.MediaID, &m.Viewers); err != nil {
			return err
		}
		out.Now += m.Viewers
		if len(out.Media) < 20 {
			out.Media = append(out.Media, m)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	first := now.Truncate(time.Minute).Add((1 - liveMinutes) * time.Minute)
	for i := range liveMinutes {
		out.Minutes = append(out.Minutes, LiveMinute{Start: first.Add(time.Duration(i) * time.Minute)})
	}
	args = append([]any{account, first.UnixMilli()}, narrow.args...)
	err = s.each(ctx, "live minutes", sprintf(liveMinutesSQL, narrow), args, func(read func(...any) error) error {
		var minute uint32
		var viewers uint64
		if err := read(&minute, &viewers); err != nil {
			return err
		}
		if i := (int64(minute) - first.Unix()) / 60; i >= 0 && i < liveMinutes {
			out.Minutes[i].Viewers = viewers
		}
		return nil
	})
	return out, err
}

// markLive marks the views that are watched now, as Live counts them. Most pages
// have none that was heard of lately, and cost nothing.
func (s *Service) markLive(ctx context.Context, account string, views []View) error {
	now := s.now()
	live := make(map[string]bool)
	var media, ids []string
	for _, v := range views {
		if now.Sub(v.LastSeenAt) < liveFor {
			media, ids = append(media, v.MediaID), append(ids, v.ViewID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	narrow := &clause{}
	narrow.and("AND media_id IN (?) AND view_id IN (?)", media, ids)
	args := append([]any{account, now.Add(-liveFor).UnixMilli()}, narrow.args...)
	err := s.each(ctx, "live views", sprintf(liveViewsSQL, narrow), args, func(read func(...any) error) error {
		var id string
		err := read(&id)
		live[id] = true
		return err
	})
	for i := range views {
		views[i].Live = live[views[i].ViewID]
	}
	return err
}
