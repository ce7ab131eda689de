package query

import (
	"context"
)

// Quality is how playback went, over plays.
type Quality struct {
	Plays                      uint64      `json:"plays"`
	StartupSecondsAverage      float64     `json:"startup_seconds_average"`
	StartupSecondsMedian       float64     `json:"startup_seconds_median"`
	StartupSecondsP95          float64     `json:"startup_seconds_p95"`
	ExitsBeforeStart           float64     `json:"exits_before_start" minimum:"0" maximum:"1" doc:"Share of plays left before the first frame."`
	PlaybackFailures           float64     `json:"playback_failures" minimum:"0" maximum:"1" doc:"Share of plays ended by an error."`
	StartupFailures            float64     `json:"startup_failures" minimum:"0" maximum:"1" doc:"Share of plays ended by an error before the first frame."`
	RebufferShare              float64     `json:"rebuffer_share" minimum:"0" maximum:"1" doc:"Share of watch time spent rebuffering."`
	RebuffersPerMinute         float64     `json:"rebuffers_per_minute"`
	RebuffersPerView           float64     `json:"rebuffers_per_view"`
	RebufferSecondsPerView     float64     `json:"rebuffer_seconds_per_view"`
	SeekSecondsAverage         float64     `json:"seek_seconds_average" doc:"From a seek to the next frame."`
	WatchHours                 float64     `json:"watch_hours" doc:"Time spent watching, rebuffering included."`
	BitrateBPSAverage          float64     `json:"bitrate_bps_average"`
	UpscaleAverage             float64     `json:"upscale_average" doc:"Mean upscaling: 0.5 when each side is drawn half as large again as it is encoded."`
	DownscaleAverage           float64     `json:"downscale_average"`
	UpshiftsPerView            float64     `json:"upshifts_per_view"`
	DownshiftsPerView          float64     `json:"downshifts_per_view"`
	DroppedFrames              float64     `json:"dropped_frames" minimum:"0" maximum:"1" doc:"Share of frames that were dropped."`
	RequestFailures            float64     `json:"request_failures" minimum:"0" maximum:"1" doc:"Share of media requests that failed."`
	RequestTTFBSeconds         float64     `json:"request_ttfb_seconds" doc:"Mean time to the first byte of a media request."`
	StartupScore               float64     `json:"startup_score" minimum:"0" maximum:"100"`
	SmoothnessScore            float64     `json:"smoothness_score" minimum:"0" maximum:"100"`
	VideoQualityScore          float64     `json:"video_quality_score" minimum:"0" maximum:"100"`
	PlaybackSuccessScore       float64     `json:"playback_success_score" minimum:"0" maximum:"100"`
	ViewerExperienceScore      float64     `json:"viewer_experience_score" minimum:"0" maximum:"100"`
	Errors                     []ErrorCode `json:"errors" doc:"Codes of errors that ended playback, most frequent first, at most 20."`
	StartupsMeasured           uint64      `json:"startups_measured" doc:"Plays whose startup was reported; the startup figures are over these."`
	VideoQualityMeasuredPlays  uint64      `json:"video_quality_measured" doc:"Plays whose picture was sampled; the quality score is over these."`
	SuccessMeasuredPlays       uint64      `json:"playback_success_measured"`
	SmoothnessMeasuredPlays    uint64      `json:"smoothness_measured"`
	ViewerExperienceMeasuredIn uint64      `json:"viewer_experience_measured"`
}

// ErrorCode is one reason for which playback ended.
type ErrorCode struct {
	Code  string `json:"code"`
	Plays uint64 `json:"plays"`
}

// QualityReport is Quality with its formulas.
type QualityReport struct {
	Quality
	Definitions map[string]string `json:"definitions" doc:"The formula of each figure."`
}

// scores are the scores of one view; each is null (not counted) where it has no
// meaning.
const scores = `,
	plays > 0 AND NOT started AND fatal_errors = 0 AND last_seen_at < fromUnixTimestamp64Milli(?, 'UTC') AS exited,
	if(startups > 0, startup_ms / startups / 1000, NULL) AS startup_s,
	100 * 8 / (8 + startup_s) AS startup_score,
	if(started AND watch_time_ms > 0, (100 / sqrt(1 + pow(rebuffers / 2, 2)) + 100 * exp(-10 * rebuffer_ms / watch_time_ms)) / 2, NULL) AS smooth_score,
	if(sampled_ms > 0, greatest(0, 100 - 30 * (0.85 * upscale_ms / sampled_ms / 100 + 0.15 * upscale_max / 100)), NULL) AS picture_score,
	multiIf(fatal_errors > 0, 0, started, 100, NOT exited OR toUnixTimestamp64Milli(last_seen_at) - played_at_ms < 1000, NULL, 50) AS success_score,
	if(isNull(success_score), NULL, if(success_score = 0, 0,
		success_score / 100 * if(isNull(smooth_score) AND isNull(startup_score) AND isNull(picture_score), 100,
			(3 * ifNull(smooth_score, 0) + 2 * ifNull(startup_score, 0) + ifNull(picture_score, 0)) /
			greatest(3 * isNotNull(smooth_score) + 2 * isNotNull(startup_score) + isNotNull(picture_score), 1)))) AS experience_score
`

const qualityColumns = `
	SELECT count(), countIf(startups > 0),
		ifNotFinite(avg(startup_s), 0), ifNotFinite(quantileExactInclusive(0.5)(startup_s), 0), ifNotFinite(quantileExactInclusive(0.95)(startup_s), 0),
		countIf(exited), countIf(fatal_errors > 0), countIf(fatal_errors > 0 AND NOT started),
		sum(rebuffers), sum(rebuffer_ms), sum(watch_time_ms), sum(seek_waits), sum(seek_wait_ms),
		sum(sampled_ms), sum(bitrate_ms), sum(upscale_ms), sum(downscale_ms), sum(upshifts), sum(downshifts),
		sum(frames), sum(dropped_frames), sum(requests), sum(requests_failed), sum(ttfb_ms),
		ifNotFinite(ifNull(avg(startup_score), 0), 0), ifNull(avg(smooth_score), 0), ifNull(avg(picture_score), 0), ifNull(avg(success_score), 0), ifNull(avg(experience_score), 0),
		count(smooth_score), count(picture_score), count(success_score), count(experience_score)
	FROM views FINAL WHERE `

// Quality returns the quality report; media is "" for the whole account.
func (s *Service) Quality(ctx context.Context, account, media string, f Filter) (*QualityReport, error) {
	if err := s.mediaIfAny(ctx, account, media, &f); err != nil {
		return nil, err
	}
	q, err := s.quality(ctx, account, media, f)
	if err != nil {
		return nil, err
	}
	return &QualityReport{Quality: *q, Definitions: definitions(qualityNames...)}, nil
}

var qualityNames = []string{
	"startup_seconds_average", "startup_seconds_median", "startup_seconds_p95", "exits_before_start", "playback_failures", "startup_failures",
	"rebuffer_share", "rebuffers_per_minute", "rebuffers_per_view", "rebuffer_seconds_per_view", "seek_seconds_average", "watch_hours",
	"bitrate_bps_average", "upscale_average", "downscale_average", "upshifts_per_view", "downshifts_per_view", "dropped_frames", "request_failures", "request_ttfb_seconds",
	"startup_score", "smoothness_score", "video_quality_score", "playback_success_score", "viewer_experience_score", "errors",
}

func (s *Service) quality(ctx context.Context, account, media string, f Filter) (*Quality, error) {
	out := &Quality{Errors: []ErrorCode{}}
	where := f.where(account, media)
	where.and("played")
	over := s.now().Add(-liveFor).UnixMilli()
	var exits, failures, startFailures, rebuffers, rebufferMS, watchMS, seekWaits, seekMS uint64
	var sampledMS, bitrateMS, upscaleMS, downscaleMS, up, down, frames, dropped, requests, failed, ttfbMS uint64
	err := s.row(ctx, "quality", names+scores+qualityColumns+where.sql.String(), append([]any{over}, where.args...),
		&out.Plays, &out.StartupsMeasured, &out.StartupSecondsAverage, &out.StartupSecondsMedian, &out.StartupSecondsP95,
		&exits, &failures, &startFailures, &rebuffers, &rebufferMS, &watchMS, &seekWaits, &seekMS,
		&sampledMS, &bitrateMS, &upscaleMS, &downscaleMS, &up, &down, &frames, &dropped, &requests, &failed, &ttfbMS,
		&out.StartupScore, &out.SmoothnessScore, &out.VideoQualityScore, &out.PlaybackSuccessScore, &out.ViewerExperienceScore,
		&out.SmoothnessMeasuredPlays, &out.VideoQualityMeasuredPlays, &out.SuccessMeasuredPlays, &out.ViewerExperienceMeasuredIn)
	if err != nil {
		return nil, err
	}
	out.ExitsBeforeStart, out.PlaybackFailures, out.StartupFailures = per(exits, out.Plays), per(failures, out.Plays), per(startFailures, out.Plays)
	out.RebufferShare, out.RebuffersPerMinute = per(rebufferMS, watchMS), per(rebuffers, watchMS)*60_000
	out.RebuffersPerView, out.RebufferSecondsPerView = per(rebuffers, out.Plays), per(rebufferMS, out.Plays)/1000
	out.SeekSecondsAverage, out.WatchHours = per(seekMS, seekWaits)/1000, float64(watchMS)/3.6e6
	out.BitrateBPSAverage = per(bitrateMS, sampledMS) * 1000
	out.UpscaleAverage, out.DownscaleAverage = per(upscaleMS, sampledMS)/100, per(downscaleMS, sampledMS)/100
	out.UpshiftsPerView, out.DownshiftsPerView = per(up, out.Plays), per(down, out.Plays)
	out.DroppedFrames, out.RequestFailures, out.RequestTTFBSeconds = per(dropped, frames), per(failed, requests), per(ttfbMS, requests)/1000
	where = f.where(account, media)
	statement := names + "SELECT error_code, count() AS n FROM views FINAL WHERE " + where.sql.String() + " AND fatal_errors > 0 AND played GROUP BY error_code ORDER BY n DESC, error_code LIMIT 20"
	err = s.each(ctx, "errors", statement, where.args, func(read func(...any) error) error {
		var e ErrorCode
		if err := read(&e.Code, &e.Plays); err != nil {
			return err
		}
		out.Errors = append(out.Errors, e)
		return nil
	})
	return out, err
}

// per divides, and is 0 where there is nothing to divide by.
func per(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
