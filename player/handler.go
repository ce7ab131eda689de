package player

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/limit"
)

// Handler serves everything a viewer's browser asks for, beacons excepted.
type Handler struct {
	cfg     Config
	states  States
	keys    Keys
	objects *objects
	metrics *metrics
	assets  *assets
	pages   *pages
	now     func() time.Time

	guesses   *limit.Networks // at passwords
	comparing chan struct{}   // password comparisons in hand

	log *slog.Logger
}

// New returns a handler. states may be nil in a
// process without a catalog: media without a publication are then unknown. The
// caller runs it.
func New(cfg Config, store Store, states States, keys Keys, reg prometheus.Registerer, log *slog.Logger) (*Handler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("player: %w", err)
	}
	if len(keys.ViewToken) < 16 || len(keys.Grant) < 16 || len(keys.Sealing) != 32 {
		return nil, errors.New("player: keys for view tokens, path tokens and sealed secrets are needed")
	}
	built, err := loadAssets(dist)
	if err != nil {
		return nil, fmt.Errorf("player: %w", err)
	}
	if built.file("player.js") == nil {
		log.Warn("the browser player is not built: videos cannot be watched", "remedy", "make web")
	}
	pages, err := newPages(cfg, built)
	if err != nil {
		return nil, fmt.Errorf("player: %w", err)
	}
	measured, err := newMetrics(reg)
	if err != nil {
		return nil, fmt.Errorf("player: %w", err)
	}
	cached, err := newObjects(store, cfg, log)
	if err != nil {
		return nil, fmt.Errorf("player: %w", err)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Handler{
		cfg: cfg, states: states, keys: keys, objects: cached,
		metrics: measured, assets: built, pages: pages, now: cfg.Now, log: log,
		guesses: limit.New("passwords", guessesPerMinute), comparing: make(chan struct{}, comparisons),
	}, nil
}

const (
	guessesPerMinute = 10 // at passwords, from one network
	comparisons      = 2  // of passwords at once
)

// Run waits for ctx and then lets the caches go; nothing is served after it.
func (h *Handler) Run(ctx context.Context) error {
	<-ctx.Done()
	return h.objects.media.Close()
}

// Register adds the routes. All of them are public.
func (h *Handler) Register(e *echo.Echo) {
	both := func(path string, handler echo.HandlerFunc) {
		e.GET(path, handler)
		e.HEAD(path, handler)
	}
	both("/player.js", h.serveLoader)
	both("/player.d.ts", h.serveTypes)
	both("/assets/player/:file", h.serveAsset)
	both("/hls/:id/*", h.serveHLS)
	e.OPTIONS("/hls/:id/*", preflight)
	both("/embed/medias/:id/config.json", h.serveConfig)
	e.POST("/embed/medias/:id/config.json", h.serveConfig)
	both("/embed/medias.json", h.serveConfigs)
	both("/embed/medias/:id/poster.jpg", h.servePoster)
	both("/embed/iframe/:id", h.serveFrame)
	both("/watch/:id", h.serveWatch)
	both("/share/:id", h.serveShare)
	both("/oembed", h.serveOEmbed)
	both("/examples/:id", h.serveExamples)
	both("/assets/pages/:file", h.servePageFile)
}

// isMediaID tells whether s looks like the ids that the catalog makes.
func isMediaID(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(s) == idBytes
}

// paramID returns the id in the path, or an unknown-media fault.
func paramID(c echo.Context) (string, error) {
	id := c.Param("id")
	if !isMediaID(id) {
		return "", errNoMedia
	}
	return id, nil
}

var errNoMedia = fault.New(fault.NotFound, "unknown-media", "There is no video with that id.")

// exposedHeaders are what pages may read of media. Nobody is asked to wait by an answer
// from memory, so those name no more.
const exposedHeaders = "Content-Length, Content-Range, ETag"

// openToAll lets any page read the answer and its timings. Nothing served here
// depends on cookies.
func openToAll(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", exposedHeaders+", "+limit.Headers)
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Timing-Allow-Origin", "*")
}

func preflight(c echo.Context) error {
	h := c.Response().Header()
	openToAll(h)
	h.Set("Access-Control-Allow-Methods", "GET, HEAD")
	h.Set("Access-Control-Allow-Headers", "Range, CMCD-Request, CMCD-Object, CMCD-Status, CMCD-Session")
	h.Set("Access-Control-Max-Age", "86400")
	return c.NoContent(http.StatusNoContent)
}

// baseURL is where this viewer reaches us, without a slash at the end.
func (h *Handler) baseURL(c echo.Context) string {
	if h.cfg.PublicURL != "" {
		return h.cfg.PublicURL
	}
	return c.Scheme() + "://" + c.Request().Host
}
