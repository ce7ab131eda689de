package player

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/playback"
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

	Start      []rungStart      `json:"start,omitempty"`
	Captions   []caption        `json:"captions"`
	Chapters   []chapter        `json:"chapters"`
	PreviewURL string           `json:"preview_url"`
	ShareURL   string           `json:"share_url"`
	LeadsURL   string           `json:"leads_url,omitempty"`
	Player     json.RawMessage  `json:"player,omitempty"`
	Viewer     *playback.Viewer `json:"viewer,omitempty"`
	ExpiresAt  *time.Time       `json:"expires_at,omitempty"`
}

type caption struct {
	Language string `json:"language"`
	Label    string `json:"label"`
	Kind     string `json:"kind"` // captions or subtitles
	URL      string `json:"url"`
	Default  bool   `json:"default"`
}

type chapter struct {
	StartSeconds float64 `json:"start_seconds"`
	Title        string  `json:"title"`
}

// serveConfig starts a view: each answer has a view id and token of its own. What
// is protected is asked for by POST, with credentials in the body.
func (h *Handler) serveConfig(c echo.Context) error {
	header := c.Response().Header()
	openToAll(header)
	header.Set("Cache-Control", "no-store")
	shown, err := readCredentials(c.Request())
	if err != nil {
		return err
	}
	config, err := h.begin(c, c.Param("id"), shown)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, config)
}

// maxTogether is how many medias are asked for in one request.
const maxTogether = 20

// serveConfigs starts a view of each media that the query names and that is open to
// the caller, for a page with many: "configs" has them in the order of "ids", a media
// that is named twice twice. A null stands for one that cannot be had in this way; who
// asks for it alone is told why.
func (h *Handler) serveConfigs(c echo.Context) error {
	header := c.Response().Header()
	openToAll(header)
	header.Set("Cache-Control", "no-store")
	ids := strings.SplitN(c.QueryParam("ids"), ",", maxTogether+1)
	if len(ids) > maxTogether {
		return fault.New(fault.Invalid, "invalid-request", "At most %d medias can be asked for at once.", maxTogether)
	}
	configs := make([]*embedConfig, len(ids))
	for i, id := range ids {
		config, err := h.begin(c, id, credentials{})
		if cause := c.Request().Context().Err(); cause != nil {
			return cause
		}
		if err == nil {
			configs[i] = &config
		}
	}
	return c.JSON(http.StatusOK, map[string]any{"configs": configs})
}

// begin starts a view of a media, if the caller may have one.
func (h *Handler) begin(c echo.Context, id string, shown credentials) (embedConfig, error) {
	if !isMediaID(id) {
		return embedConfig{}, errNoMedia
	}
	ctx := c.Request().Context()
	m, err := h.lookUp(ctx, id)
	if err != nil {
		return embedConfig{}, err
	}
	may, err := h.admit(ctx, m, h.callerOf(c), shown)
	if err != nil {
		return embedConfig{}, err
	}
	viewer, err := h.viewer(ctx, m, shown.ViewerToken)
	if err != nil {
		return embedConfig{}, err
	}
	chosen := h.choose(ctx, &m, c.RealIP(), c.Request().UserAgent(), viewer)
	config, err := h.startView(h.baseURL(c), m, may, viewer, chosen)
	if err != nil {
		return embedConfig{}, err
	}
	if m.pointer != nil {
		config.Start = h.starts(ctx, strings.TrimSuffix(config.HLSURL, "multivariant.m3u8"), m.pointer)
	}
	return config, nil
}

// maxCredentials bounds the body that asks for a protected media, in bytes.
const maxCredentials = 16 << 10

func readCredentials(r *http.Request) (credentials, error) {
	var shown credentials
	if r.Method != http.MethodPost {
		return shown, nil
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxCredentials+1))
	if err != nil || len(raw) > maxCredentials || len(raw) > 0 && json.Unmarshal(raw, &shown) != nil {
		return shown, fault.New(fault.Invalid, "invalid-request", "The body is a JSON object with token, password and viewer_token.")
	}
	return shown, nil
}

// callerOf tells where a request came from and from which site's page. A browser
// names the site in Origin, and for requests within our own site in Referer or
// Sec-Fetch-Site; what names none is of no site that could be on a list.
func (h *Handler) callerOf(c echo.Context) caller {
	r, who := c.Request(), caller{addr: c.RealIP()}
	from := r.Header.Get("Origin")
	if from == "" {
		from = r.Referer()
	}
	u, err := url.Parse(from)
	switch {
	case from == "" && r.Header.Get("Sec-Fetch-Site") == "same-origin":
	case err != nil || u.Host == "":
		who.origin = "unknown"
	case u.Host == r.Host || u.Scheme+"://"+u.Host == h.cfg.PublicURL:
	default:
		who.origin = u.Host
	}
	return who
}

// viewer returns who watches by the word of the account's own server, or nobody.
func (h *Handler) viewer(ctx context.Context, m media, token string) (*playback.Viewer, error) {
	if token == "" {
		return nil, nil
	}
	keys, err := h.objects.keysOf(ctx, m.account)
	if err != nil {
		return nil, err
	}
	v, err := playback.VerifyViewer(keys, h.keys.Sealing, token, h.now())
	if err != nil {
		h.log.DebugContext(ctx, "viewer token refused", "media_id", m.id, "err", err)
		return nil, nil // the video plays, of nobody known
	}
	return &v, nil
}

// media is what is known of a media: a publication, or only a name and a state.
type media struct {
	id      string
	account string
	name    string
	state   string
	access  blob.Access
	player  json.RawMessage
	arms    *blob.Experiment
	pointer *blob.Pointer // nil before the first publication
}

// lookUp finds a media by its publication, else by its state. Unknown ids are a
// not-found fault.
func (h *Handler) lookUp(ctx context.Context, id string) (media, error) {
	settings, err := h.objects.settingsOf(ctx, id)
	if err != nil {
		return media{}, err
	}
	m := media{id: id, access: settings.Access, player: settings.Player, arms: settings.Experiment}
	p, err := h.objects.pointer(ctx, id)
	if err == nil {
		m.account, m.name, m.state, m.pointer = p.Account, p.Name, p.State, &p
		return m, nil
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
	m.account, m.name, m.state = s.Account, s.Name, s.State
	return m, nil
}

func (h *Handler) startView(base string, m media, may admission, viewer *playback.Viewer, chosen arm) (embedConfig, error) {
	config := embedConfig{MediaID: m.id, Name: m.name, State: m.state, Player: m.player, Captions: []caption{}, Chapters: []chapter{}}
	if m.access.Visibility != blob.Private && m.access.Visibility != blob.Signed {
		config.ShareURL = base + "/watch/" + m.id
	}
	p := m.pointer
	if p == nil {
		return config, nil
	}
	files := base + "/hls/" + m.id + "/"
	if may.path != "" {
		files += "~" + may.path + "/"
		config.ExpiresAt = &may.expires
	}
	config.DurationSeconds = float64(p.DurationMS) / 1000
	config.Width, config.Height = p.Width, p.Height
	config.HasVideo, config.HasAudio = p.HasVideo, p.HasAudio
	config.HLSURL = files + "multivariant.m3u8"
	if p.Poster != "" {
		config.PosterURL = files + p.Poster
	}
	if chosen.poster != "" {
		config.PosterURL = files + chosen.poster
	}
	if p.Storyboard != "" {
		config.StoryboardURL = files + p.Storyboard
	}
	if p.Preview != "" {
		config.PreviewURL = files + p.Preview
	}
	for _, t := range p.Captions {
		config.Captions = append(config.Captions, caption{Language: t.Language, Label: t.Label, Kind: t.Kind, URL: files + t.Src, Default: t.Default})
	}
	for _, ch := range p.Chapters {
		config.Chapters = append(config.Chapters, chapter{StartSeconds: float64(ch.StartMS) / 1000, Title: ch.Title})
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
	if len(m.player) > 0 {
		config.LeadsURL = base + "/leads/v1"
	}
	identity := ""
	if viewer != nil {
		identity, config.Viewer = viewer.ID, viewer
	}
	config.ViewToken, err = beacon.SignViewToken(h.keys.ViewToken, beacon.Claims{
		Identity: identity, Variant: chosen.variant,
		Account: p.Account, Media: m.id, View: config.ViewID, Generation: p.Generation,
		Duration: time.Duration(p.DurationMS) * time.Millisecond, IssuedAt: now, ExpiresAt: now.Add(beacon.TokenLife),
	})
	return config, err
}
