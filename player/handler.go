package player

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vitascope/vitascope/internal/fault"
)

// Handler serves everything a viewer's browser asks for, beacons excepted.
type Handler struct {
	cfg     Config
	states  States
	viewKey []byte
	objects *objects
	assets  *assets
	pages   *pages
	now     func() time.Time
	log     *slog.Logger
}

// New returns a handler that signs views with viewKey. states may be nil in a
// process without a catalog: media without a publication are then unknown.
func New(cfg Config, store Store, states States, viewKey []byte, log *slog.Logger) (*Handler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("player: %w", err)
	}
	if len(viewKey) == 0 {
		return nil, errors.New("player: a key for view tokens is needed")
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
	cached, err := newObjects(store, cfg)
	if err != nil {
		return nil, fmt.Errorf("player: %w", err)
	}
	return &Handler{
		cfg: cfg, states: states, viewKey: viewKey, objects: cached,
		assets: built, pages: pages, now: time.Now, log: log,
	}, nil
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
	both("/embed/iframe/:id", h.serveFrame)
	both("/watch/:id", h.serveWatch)
}

// mediaID matches the ids the catalog makes.
var mediaID = regexp.MustCompile(`^[a-z0-9]{10}$`)

// paramID returns the id in the path, or an unknown-media fault.
func paramID(c echo.Context) (string, error) {
	id := c.Param("id")
	if !mediaID.MatchString(id) {
		return "", errNoMedia
	}
	return id, nil
}

var errNoMedia = fault.New(fault.NotFound, "unknown-media", "There is no video with that id.")

// openToAll lets any page read the answer and its timings. Nothing served here
// depends on cookies.
func openToAll(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Content-Length, Content-Range, ETag")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Timing-Allow-Origin", "*")
}

func preflight(c echo.Context) error {
	h := c.Response().Header()
	openToAll(h)
	h.Set("Access-Control-Allow-Methods", "GET, HEAD")
	h.Set("Access-Control-Allow-Headers", "Range")
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
