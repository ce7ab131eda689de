package player

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vitascope/vitascope/internal/fault"
)

//go:embed pages/*.html
var pageFiles embed.FS

// pages renders the iframe, watch and not-found pages.
type pages struct {
	templates *template.Template
	css       string // URL path, empty before a build
	policy    string // Content-Security-Policy but for frame-ancestors
}

func newPages(cfg Config, built *assets) (*pages, error) {
	templates, err := template.ParseFS(pageFiles, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("read pages: %w", err)
	}
	p := &pages{templates: templates}
	if built.pageCSS != "" {
		p.css = "/assets/player/" + built.pageCSS
	}
	// The page may be opened under another of the server's names than PublicURL.
	ours := strings.TrimSpace("'self' " + cfg.PublicURL)
	p.policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data: " + ours +
		"; media-src blob: " + ours + "; connect-src " + ours + "; base-uri 'none'; form-action 'none'"
	return p, nil
}

// pageData is what the templates know.
type pageData struct {
	CSS, Base          string
	ID, Name           string
	Width, Height      int
	Aspect             string // "16/9"
	Shape              string // wide, tall or square: reserves the box before scripts run
	Duration           string // "1:02:03", empty when unknown
	PosterURL          string
	Description        string
	Playable           bool
	Autoplay           bool
	Muted, Loop        bool
	Color              string
	PublishedOverHTTPS bool
}

// serveFrame answers the page inside an iframe embed.
func (h *Handler) serveFrame(c echo.Context) error {
	c.Response().Header().Set("Content-Security-Policy", h.pages.policy+"; frame-ancestors *")
	return h.servePage(c, "frame.html")
}

// serveWatch answers the public page of one video.
func (h *Handler) serveWatch(c echo.Context) error {
	c.Response().Header().Set("Content-Security-Policy", h.pages.policy+"; frame-ancestors 'self'")
	return h.servePage(c, "watch.html")
}

func (h *Handler) servePage(c echo.Context, name string) error {
	id, err := paramID(c)
	var m media
	if err == nil {
		m, err = h.lookUp(c.Request().Context(), id)
	}
	data := pageData{CSS: h.pages.css, Base: h.baseURL(c)}
	if isNotFound(err) {
		return h.render(c, http.StatusNotFound, "missing.html", data)
	}
	if err != nil {
		return err
	}
	data.describe(m)
	data.options(c)
	return h.render(c, http.StatusOK, name, data)
}

func (h *Handler) render(c echo.Context, status int, name string, data pageData) error {
	var out bytes.Buffer
	if err := h.pages.templates.ExecuteTemplate(&out, name, data); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	c.Response().Header().Set("Cache-Control", "public, max-age=10")
	return c.HTMLBlob(status, out.Bytes())
}

func (d *pageData) describe(m media) {
	d.ID, d.Name = m.id, m.name
	d.Width, d.Height, d.Aspect, d.Shape = 1280, 720, "16/9", "wide"
	d.PublishedOverHTTPS = strings.HasPrefix(d.Base, "https://")
	p := m.pointer
	if p == nil {
		return
	}
	d.Playable = true
	if p.Width > 0 && p.Height > 0 {
		d.Width, d.Height = p.Width, p.Height
		d.Aspect = fmt.Sprintf("%d/%d", p.Width, p.Height)
		d.Shape = shape(p.Width, p.Height)
	}
	if p.Poster != "" {
		d.PosterURL = d.Base + "/hls/" + m.id + "/poster.jpg"
	}
	if p.DurationMS > 0 {
		d.Duration = clock(time.Duration(p.DurationMS) * time.Millisecond)
		d.Description = "Video, " + d.Duration
		if !p.HasVideo {
			d.Description = "Audio, " + d.Duration
		}
	}
}

var (
	hexColor = regexp.MustCompile(`^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$`)
	truthy   = map[string]bool{"1": true, "true": true}
)

// options reads what the address may choose: autoplay, muted, loop and color.
func (d *pageData) options(c echo.Context) {
	d.Autoplay = truthy[c.QueryParam("autoplay")]
	d.Muted = truthy[c.QueryParam("muted")]
	d.Loop = truthy[c.QueryParam("loop")]
	if color := c.QueryParam("color"); hexColor.MatchString(color) {
		d.Color = "#" + strings.TrimPrefix(color, "#")
	}
}

func shape(width, height int) string {
	switch {
	case width*10 > height*12:
		return "wide"
	case height*10 > width*12:
		return "tall"
	}
	return "square"
}

func clock(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

func isNotFound(err error) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && f.Kind == fault.NotFound
}
