package library

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/embed"
	"github.com/vitascope/vitascope/internal/playback"
)

// Media is a media as the API shows it.
type Media struct {
	ID                         string      `json:"id" example:"k3v9x0a1bz"`
	Name                       string      `json:"name" example:"Product launch.mp4"`
	State                      string      `json:"state" enum:"uploading,probing,playable,ready,failed" doc:"It plays in playable (the source still arrives, or the ladder grows) and ready."`
	Failure                    *Failure    `json:"failure,omitempty" doc:"Why it failed; absent unless failed."`
	Progress                   float64     `json:"progress" minimum:"0" maximum:"1" doc:"Share of the upload, or of the ladder, that is done."`
	UploadedBytes              int64       `json:"uploaded_bytes"`
	SizeBytes                  int64       `json:"size_bytes"`
	DurationSeconds            float64     `json:"duration_seconds"`
	Width                      int         `json:"width" doc:"As displayed, in square pixels; 0 without video."`
	Height                     int         `json:"height" doc:"As displayed, in square pixels; 0 without video."`
	FrameRate                  float64     `json:"frame_rate"`
	HasVideo                   bool        `json:"has_video"`
	HasAudio                   bool        `json:"has_audio"`
	Renditions                 []Rendition `json:"renditions" nullable:"false" doc:"What is finished of the ladder: video, smallest first, then audio."`
	PosterURL                  string      `json:"poster_url" doc:"Empty until it plays."`
	StoryboardURL              string      `json:"storyboard_url" doc:"WebVTT thumbnails; empty until there are some."`
	PreviewURL                 string      `json:"preview_url" doc:"A few silent seconds, MP4; empty until there is one."`
	WatchURL                   string      `json:"watch_url"`
	EmbedURL                   string      `json:"embed_url"`
	HLSURL                     string      `json:"hls_url"`
	EmbedCode                  string      `json:"embed_code" doc:"HTML to paste into a page."`
	IframeCode                 string      `json:"iframe_code" doc:"HTML to paste where scripts are not allowed."`
	Visibility                 string      `json:"visibility" enum:"public,unlisted,signed,private"`
	PreviewToken               string      `json:"preview_token,omitempty" doc:"The player's token for people of the account; absent when anyone may watch."`
	AnalyticsURL               string      `json:"analytics_url"`
	CreatedAt                  time.Time   `json:"created_at"`
	UpdatedAt                  time.Time   `json:"updated_at"`
	UploadedAt                 *time.Time  `json:"uploaded_at"`
	PlayableAt                 *time.Time  `json:"playable_at"`
	ReadyAt                    *time.Time  `json:"ready_at"`
	PlayableSecondsAfterUpload *float64    `json:"playable_seconds_after_upload" doc:"From the last byte to the first play; below 0 when it played before."`
	ReadySecondsAfterUpload    *float64    `json:"ready_seconds_after_upload" doc:"From the last byte to the whole ladder."`
}

// Failure says why a media failed.
type Failure struct {
	Code      string `json:"code" example:"empty_file" doc:"Stable, for programs."`
	Reason    string `json:"reason" doc:"A sentence for people."`
	Retryable bool   `json:"retryable" doc:"Whether trying again can help."`
}

// Rendition is one finished rung of the ladder, or an audio track.
type Rendition struct {
	Name                string  `json:"name" example:"v720"`
	Kind                string  `json:"kind" enum:"video,audio"`
	Codecs              string  `json:"codecs" example:"avc1.64001f"`
	Width               int     `json:"width"`
	Height              int     `json:"height"`
	FrameRate           float64 `json:"frame_rate"`
	BandwidthBPS        int     `json:"bandwidth_bps" doc:"Peak."`
	AverageBandwidthBPS int     `json:"average_bandwidth_bps"`
	Ready               bool    `json:"ready"`
}

// views shows media with their renditions, which it reads in one query.
func (s *Service) views(ctx context.Context, list []catalog.Media) ([]Media, error) {
	out := make([]Media, len(list))
	if len(list) == 0 {
		return out, nil
	}
	ids := make([]string, len(list))
	for i, m := range list {
		ids[i] = m.ID
	}
	var rows []catalog.Rendition
	err := s.db.NewSelect().Model(&rows).Where("media_id IN (?)", bun.In(ids)).
		OrderExpr("kind DESC, width * height, length(name), name").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("renditions of %d media: %w", len(list), err)
	}
	byMedia := map[string][]catalog.Rendition{}
	for _, r := range rows {
		byMedia[r.MediaID] = append(byMedia[r.MediaID], r)
	}
	settings, err := s.db.SettingsOf(ctx, s.db, ids)
	if err != nil {
		return nil, err
	}
	for i, m := range list {
		out[i] = s.view(m, byMedia[m.ID], settings[m.ID])
	}
	return out, nil
}

// previewToken opens a protected media to people of its account.
func (s *Service) previewToken(media string, settings catalog.MediaSettings) string {
	if !settings.Protected() || len(s.cfg.GrantKey) == 0 {
		return ""
	}
	return playback.ForOwner(s.cfg.GrantKey, media, time.Now())
}

// files is the address of what is served of a media, for people of its account.
func (s *Service) files(media, token string) string {
	if token != "" {
		return s.cfg.PublicURL + "/hls/" + media + "/~" + token + "/"
	}
	return s.cfg.PublicURL + "/hls/" + media + "/"
}

func (s *Service) view(m catalog.Media, rows []catalog.Rendition, settings catalog.MediaSettings) Media {
	base := s.cfg.PublicURL
	token := s.previewToken(m.ID, settings)
	v := Media{
		ID: m.ID, Name: m.Name, State: string(m.Shown()), Progress: progress(m),
		UploadedBytes: m.UploadedBytes, SizeBytes: m.SizeBytes,
		DurationSeconds: float64(m.DurationMS) / 1000, Width: m.Width, Height: m.Height, FrameRate: m.FrameRate,
		HasVideo: m.HasVideo, HasAudio: m.HasAudio,
		Renditions:   []Rendition{},
		WatchURL:     base + "/watch/" + m.ID,
		EmbedURL:     base + "/embed/iframe/" + m.ID,
		HLSURL:       base + "/hls/" + m.ID + "/multivariant.m3u8",
		AnalyticsURL: base + "/#/media/" + m.ID,
		Visibility:   cmp.Or(settings.Visibility, blob.Public), PreviewToken: token,
		CreatedAt: m.CreatedAt.UTC(), UpdatedAt: m.UpdatedAt.UTC(),
		UploadedAt: timeOrNil(m.UploadedAt), PlayableAt: timeOrNil(m.PlayableAt), ReadyAt: timeOrNil(m.ReadyAt),
		PlayableSecondsAfterUpload: secondsBetween(m.UploadedAt, m.PlayableAt),
		ReadySecondsAfterUpload:    secondsBetween(m.UploadedAt, m.ReadyAt),
	}
	if m.State == catalog.StateFailed {
		v.Failure = &Failure{Code: m.FailureCode, Reason: m.FailureReason, Retryable: m.FailureRetryable}
	}
	for _, r := range rows {
		if r.Generation == m.Generation {
			v.Renditions = append(v.Renditions, Rendition{
				Name: r.Name, Kind: r.Kind, Codecs: r.Codecs, Width: r.Width, Height: r.Height, FrameRate: r.FrameRate,
				BandwidthBPS: r.BandwidthBPS, AverageBandwidthBPS: r.AverageBandwidthBPS, Ready: true,
			})
		}
	}
	if !m.PlayableAt.IsZero() { // before the first publication nothing is served
		object := func(key string) string {
			if key == "" {
				return ""
			}
			return s.files(m.ID, token) + blob.Relative(m.AccountID, m.ID, key)
		}
		v.PosterURL, v.StoryboardURL, v.PreviewURL = object(m.PosterKey), object(m.StoryboardKey), object(m.PreviewKey)
	}
	codes := embed.Codes(EmbedMedia(base, m, settings), embed.Options{})
	v.EmbedCode, v.IframeCode = codes.Inline, codes.Iframe
	return v
}

// EmbedMedia is what embed codes need to know of a media.
func EmbedMedia(base string, m catalog.Media, settings catalog.MediaSettings) embed.Media {
	return embed.Media{Base: base, ID: m.ID, Name: m.Name, Width: m.Width, Height: m.Height, Signed: settings.Visibility == blob.Signed}
}

// progress is of the step in hand: the upload, then the ladder.
func progress(m catalog.Media) float64 {
	switch {
	case m.State == catalog.StateReady:
		return 1
	case m.State == catalog.StateUploading && m.SizeBytes > 0:
		return min(1, float64(m.UploadedBytes)/float64(m.SizeBytes))
	case m.State == catalog.StateUploading:
		return 0
	}
	return max(0, min(1, m.Progress))
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func secondsBetween(from, to time.Time) *float64 {
	if from.IsZero() || to.IsZero() {
		return nil
	}
	d := to.Sub(from).Seconds()
	return &d
}
