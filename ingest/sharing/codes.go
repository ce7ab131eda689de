package sharing

import (
	"context"

	"github.com/vitascope/vitascope/ingest/library"
	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/embed"
)

type codesInput struct {
	ID           string  `path:"id" doc:"The media's id." example:"k3v9x0a1bz"`
	StartSeconds float64 `query:"start_seconds" minimum:"0" maximum:"86400" doc:"Where it starts."`
	Autoplay     bool    `query:"autoplay" doc:"Muted, when in view."`
	Muted        bool    `query:"muted"`
	Loop         bool    `query:"loop"`
	Color        string  `query:"color" pattern:"^#?[0-9a-fA-F]{6}$" example:"6457f9" doc:"The accent colour."`
	MaxWidth     int     `query:"max_width" minimum:"0" maximum:"10000" doc:"CSS pixels; 0: as wide as its place."`
	Playlist     string  `query:"playlist" pattern:"^[0-9a-z]{10}( [0-9a-z]{10}){0,49}$" example:"k3v9x0a1bz p8c2m4q7wd" doc:"Ids of the media that play after it, separated by spaces."`
}

type codesOutput struct{ Body embed.Set }

// getCodes answers with every way to show a media in another page.
func (s *Service) getCodes(ctx context.Context, in *codesInput) (*codesOutput, error) {
	m, err := auth.Media(ctx, s.db, in.ID)
	if err != nil {
		return nil, err
	}
	settings, err := s.db.Settings(ctx, s.db, m.ID)
	if err != nil {
		return nil, err
	}
	return &codesOutput{Body: embed.Codes(library.EmbedMedia(s.cfg.PublicURL, m, settings), embed.Options{
		StartSeconds: in.StartSeconds, Autoplay: in.Autoplay, Muted: in.Muted, Loop: in.Loop, Color: in.Color, MaxWidth: in.MaxWidth, Playlist: in.Playlist,
	})}, nil
}
