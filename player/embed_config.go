package player

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/fault"
)

// embedConfig is what a player needs to show a media and to start a view of it.
// URLs and the token are empty until there is something to play.
type embedConfig struct {
	MediaID         string  `json:"media_id"`
	Name            string  `json:"name"`
	State           string  `json:"state"`
	DurationSeconds float64 `json:"duration_seconds"`
	Width           int     `json:"width"`
	Height          int     `json:"height"`
	HasVideo        bool    `json:"has_video"`
	HasAudio        bool    `json:"has_audio"`
	PosterURL       string  `json:"poster_url"`
	StoryboardURL   string  `json:"storyboard_url"`
	HLSURL          string  `json:"hls_url"`
	BeaconURL       string  `json:"beacon_url"`
	ViewToken       string  `json:"view_token"`
	ViewID          string  `json:"view_id"`

	Start []rungStart `json:"start,omitempty"`
}

// serveConfig starts a view: each answer has a view id and token of its own.
func (h *Handler) serveConfig(c echo.Context) error {
	header := c.Response().Header()
	openToAll(header)
	header.Set("Cache-Control", "no-store")
	id, err := paramID(c)
	if err != nil {
		return err
	}
	m, err := h.lookUp(c.Request().Context(), id)
	if err != nil {
		return err
	}
	config, err := h.startView(h.baseURL(c), m)
	if err != nil {
		return err
	}
	if m.pointer != nil {
		config.Start = h.starts(c.Request().Context(), h.baseURL(c)+"/hls/"+m.id+"/", m.pointer)
	}
	return c.JSON(http.StatusOK, config)
}

// media is what is known of a media: a publication, or only a name and a state.
type media struct {
	id      string
	name    string
	state   string
	pointer *blob.Pointer // nil before the first publication
}

// lookUp finds a media by its publication, else by its state. Unknown ids are a
// not-found fault.
func (h *Handler) lookUp(ctx context.Context, id string) (media, error) {
	p, err := h.objects.pointer(ctx, id)
	if err == nil {
		return media{id: id, name: p.Name, state: p.State, pointer: &p}, nil
	}
	if !errors.Is(err, blob.ErrNotFound) {
		return media{}, err
	}
	if h.states == nil {
		return media{}, errNoMedia
	}
	s, err := h.states.MediaState(ctx, id)
	if errors.Is(err, ErrUnknownMedia) {
		return media{}, errNoMedia
	}
	if err != nil {
		return media{}, fault.Wrap(fault.Unavailable, err, "catalog-unavailable", "The state of this video cannot be read at the moment.")
	}
	return media{id: id, name: s.Name, state: s.State}, nil
}

func (h *Handler) startView(base string, m media) (embedConfig, error) {
	config := embedConfig{MediaID: m.id, Name: m.name, State: m.state}
	p := m.pointer
	if p == nil {
		return config, nil
	}
	files := base + "/hls/" + m.id + "/"
	config.DurationSeconds = float64(p.DurationMS) / 1000
	config.Width, config.Height = p.Width, p.Height
	config.HasVideo, config.HasAudio = p.HasVideo, p.HasAudio
	config.HLSURL = files + "multivariant.m3u8"
	if p.Poster != "" {
		config.PosterURL = files + p.Poster
	}
	if p.Storyboard != "" {
		config.StoryboardURL = files + p.Storyboard
	}
	if p.DurationMS <= 0 {
		return config, nil // nothing to measure a view against
	}
	view, err := uuid.NewV7()
	if err != nil {
		return embedConfig{}, fmt.Errorf("make view id: %w", err)
	}
	now := h.now()
	config.ViewID = view.String()
	config.BeaconURL = base + "/beacons/v1"
	config.ViewToken, err = beacon.SignViewToken(h.viewKey, beacon.Claims{
		Account: p.Account, Media: m.id, View: config.ViewID, Generation: p.Generation,
		Duration: time.Duration(p.DurationMS) * time.Millisecond, IssuedAt: now, ExpiresAt: now.Add(beacon.TokenLife),
	})
	return config, err
}
