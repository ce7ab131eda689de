package query

import (
	"context"
	"time"
)

// Side is one side of a comparison.
type Side struct {
	MediaID         string    `json:"media_id"`
	DurationSeconds float64   `json:"duration_seconds"`
	From            time.Time `json:"from,omitzero"`
	To              time.Time `json:"to,omitzero"`
	Totals          Totals    `json:"totals"`
	Graph           Graph     `json:"graph"`
	Quality         Quality   `json:"quality"`
}

// Comparison is two media, or two ranges of one, side by side.
type Comparison struct {
	A           Side              `json:"a"`
	B           Side              `json:"b"`
	Definitions map[string]string `json:"definitions" doc:"The formula of each figure."`
}

// Other names the second side of a comparison.
type Other struct {
	WithMedia string    `query:"with_media" maxLength:"64" doc:"Media of the second side; by default the same."`
	WithFrom  time.Time `query:"with_from" doc:"Range of the second side; by default the same."`
	WithTo    time.Time `query:"with_to"`
}

// Compare returns two sides under the same filter.
func (s *Service) Compare(ctx context.Context, account, media string, other Other, f Filter) (*Comparison, error) {
	out := &Comparison{Definitions: definitions(append(append([]string{"engagement", "rewatches", "drop_off"}, totalsNames...), qualityNames...)...)}
	second := f
	if other.WithMedia == "" {
		other.WithMedia = media
	}
	if !other.WithFrom.IsZero() || !other.WithTo.IsZero() {
		second.From, second.To = other.WithFrom, other.WithTo
	}
	if err := s.side(ctx, account, media, f, &out.A); err != nil {
		return nil, err
	}
	return out, s.side(ctx, account, other.WithMedia, second, &out.B)
}

func (s *Service) side(ctx context.Context, account, media string, f Filter, into *Side) error {
	m, err := s.media(ctx, account, media, &f)
	if err != nil {
		return err
	}
	*into = Side{MediaID: media, DurationSeconds: seconds(m.DurationMS), From: f.From, To: f.To}
	if into.Totals, err = s.totals(ctx, account, media, f); err != nil {
		return err
	}
	graph, err := s.graph(ctx, account, m, f)
	if err != nil {
		return err
	}
	quality, err := s.quality(ctx, account, media, f)
	if err != nil {
		return err
	}
	into.Graph, into.Quality = *graph, *quality
	return nil
}
