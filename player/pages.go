package player

import (
	"bytes"
	stdembed "embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/embed"
	"github.com/vitascope/vitascope/internal/fault"
)

//go:embed pages
var pageFiles stdembed.FS

// pages renders the iframe, watch and not-found pages.
type pages struct {
	templates *template.Template
	css       string // URL path, empty before a build
	files     map[string]pageFile
	policy    string // Content-Security-Policy but for frame-ancestors
}

func newPages(cfg Config, built *assets) (*pages, error) {
	templates, err := template.ParseFS(pageFiles, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("read pages: %w", err)
	}
	p := &pages{templates: templates}
	if p.files, err = loadPageFiles(); err != nil {
		return nil, err
	}
	if built.pageCSS != "" {
		p.css = "/assets/player/" + built.pageCSS
	}
	// The page may be opened under another of the server's names than PublicURL.
	ours := strings.TrimSpace("'self' " + cfg.PublicURL)
	p.policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data: " + ours +
		"; media-src blob: " + ours + "; connect-src " + ours + "; frame-src " + ours + "; base-uri 'none'; form-action 'none'; object-src 'none'"
	return p, nil
}

// pageData is what the templates know.
type pageData struct {
	CSS, Base          string
	ID, Name           string
	Width, Height      int
	Aspect             string // "16/9"
	Shape              string // wide, classic (4:3), square or tall: reserves the box before scripts run
	Duration           string // "1:02:03", empty when unknown
	PosterURL          string
	Description        string
	Playable           bool
	Autoplay           bool
	Muted, Loop        bool
	Playlist           string // ids of the media that play after it
	Color              string
	Start              string // seconds at which it starts, empty for the beginning
	Script             string // URL path of the page's own script
	NoIndex            bool
	FrameAncestors     string // of the Content-Security-Policy
	Images             string // origins of pictures that calls to action show
	LinkedData         *videoObject
	ExamplesCSS        string
	Codes              embed.Set
	PublishedOverHTTPS bool
}

// serveFrame answers the page inside an iframe embed, which may be framed by the
// sites that the media allows.
func (h *Handler) serveFrame(c echo.Context) error { return h.servePage(c, "frame.html") }

// serveWatch answers the public page of one video.
func (h *Handler) serveWatch(c echo.Context) error { return h.servePage(c, "watch.html") }

// serveShare answers the page that share links lead to. It says nothing of the video
// before the token in the address's fragment, which no server sees, has opened it:
// a private video's page looks like that of an unknown one.
func (h *Handler) serveShare(c echo.Context) error {
	id, err := paramID(c)
	data := h.newPage(c)
	if err != nil {
		return h.render(c, http.StatusNotFound, "missing.html", data)
	}
	data.describe(media{id: id})
	data.NoIndex = true
	data.options(c)
	return h.render(c, http.StatusOK, "watch.html", data)
}

func (h *Handler) newPage(c echo.Context) pageData {
	return pageData{CSS: h.pages.css, Script: h.pages.files["page.js"].path, Base: h.baseURL(c), FrameAncestors: "'self'"}
}

func (h *Handler) servePage(c echo.Context, name string) error {
	id, err := paramID(c)
	var m media
	if err == nil {
		m, err = h.lookUp(c.Request().Context(), id)
	}
	data := h.newPage(c)
	if name == "frame.html" {
		data.FrameAncestors = "*"
	}
	if isNotFound(err) || err == nil && m.access.Visibility == blob.Private {
		return h.render(c, http.StatusNotFound, "missing.html", data)
	}
	if err != nil {
		return err
	}
	if name == "frame.html" && len(m.access.Domains) > 0 {
		data.FrameAncestors = "'self' " + strings.Join(anyPort(m.access.Domains), " ")
	}
	data.NoIndex = m.access.Visibility == blob.Unlisted || !m.access.Open()
	if m.access.Open() {
		data.Images = imageOrigins(m)
		data.describe(m)
		data.LinkedData = h.linkedData(c.Request().Context(), &data, m)
	} else {
		data.describe(media{id: id}) // nothing is told before it is opened
	}
	data.options(c)
	return h.render(c, http.StatusOK, name, data)
}

// anyPort lets the sites be served at any port, which a policy does not by itself.
func anyPort(domains []string) []string {
	out := make([]string, len(domains))
	for i, d := range domains {
		out[i] = d
		if !strings.Contains(d, ":") {
			out[i] += ":*"
		}
	}
	return out
}

func (h *Handler) render(c echo.Context, status int, name string, data pageData) error {
	var out bytes.Buffer
	if err := h.pages.templates.ExecuteTemplate(&out, name, data); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	header := c.Response().Header()
	header.Set("Cache-Control", "public, max-age=10")
	header.Set("Content-Security-Policy", strings.Replace(h.pages.policy, "img-src ", "img-src "+data.Images, 1)+"; frame-ancestors "+data.FrameAncestors)
	if data.NoIndex {
		header.Set("X-Robots-Tag", "noindex")
	}
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
		d.Duration = length(time.Duration(p.DurationMS) * time.Millisecond)
		d.Description = "Video, " + d.Duration
		if !p.HasVideo {
			d.Description = "Audio, " + d.Duration
		}
	}
}

var truthy = map[string]bool{"1": true, "true": true}

// options reads what the address may choose: autoplay, muted, loop, color, playlist and
// t, the time to start at.
func (d *pageData) options(c echo.Context) {
	d.Autoplay = truthy[c.QueryParam("autoplay")]
	d.Muted = truthy[c.QueryParam("muted")]
	d.Loop = truthy[c.QueryParam("loop")]
	if t, ok := startTime(c.QueryParam("t")); ok {
		d.Start = t
	}
	d.Color = embed.Color(c.QueryParam("color"))
	if ids := c.QueryParam("playlist"); embed.IsPlaylist(ids) {
		d.Playlist = ids
	}
}

func shape(width, height int) string {
	switch {
	case width*10 > height*15:
		return "wide"
	case width*10 > height*12:
		return "classic"
	case height*10 > width*12:
		return "tall"
	}
	return "square"
}

// length writes how long a media is as people read it, by the rule of the dashboard
// and the player: cut to whole seconds, but never to none.
func length(d time.Duration) string {
	s := max(1, int(d.Seconds()))
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

func isNotFound(err error) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && f.Kind == fault.NotFound
}
