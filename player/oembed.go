package player

import (
	"context"
	"encoding/xml"
	"fmt"
	"html"
	"image"
	_ "image/jpeg" // posters are JPEG
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/fault"
)

// oEmbed is a response of type video (https://oembed.com, 2.3.4.2).
type oEmbed struct {
	XMLName         xml.Name `json:"-" xml:"oembed"`
	Type            string   `json:"type" xml:"type"`
	Version         string   `json:"version" xml:"version"`
	Title           string   `json:"title" xml:"title"`
	ProviderName    string   `json:"provider_name" xml:"provider_name"`
	ProviderURL     string   `json:"provider_url" xml:"provider_url"`
	CacheAge        int      `json:"cache_age" xml:"cache_age"` // seconds
	ThumbnailURL    string   `json:"thumbnail_url,omitempty" xml:"thumbnail_url,omitempty"`
	ThumbnailWidth  int      `json:"thumbnail_width,omitempty" xml:"thumbnail_width,omitempty"`
	ThumbnailHeight int      `json:"thumbnail_height,omitempty" xml:"thumbnail_height,omitempty"`
	HTML            string   `json:"html" xml:"html"`
	Width           int      `json:"width" xml:"width"`
	Height          int      `json:"height" xml:"height"`
}

// errOEmbedPrivate has the status that the specification gives it.
var errOEmbedPrivate = fault.New(fault.Unauthorized, "token-required", "This video is not public. Link to it instead.")

const (
	oEmbedCacheAge = 300
	// The size of what has none yet, and the least that is answered with.
	defaultWidth, defaultHeight, leastSide = 640, 360, 16
)

// videoPath matches the addresses that stand for a video.
var videoPath = regexp.MustCompile(`^/(?:watch|embed/iframe)/([a-z0-9]{10})/?$`)

// serveOEmbed answers consumers that were given the address of a watch page.
func (h *Handler) serveOEmbed(c echo.Context) error {
	header := c.Response().Header()
	openToAll(header)
	format := c.QueryParam("format")
	if format != "" && format != "json" && format != "xml" {
		return c.String(http.StatusNotImplemented, "The formats are json and xml.\n")
	}
	asked, err := url.Parse(c.QueryParam("url"))
	if err != nil || asked.Host == "" || asked.Host != c.Request().Host && asked.Scheme+"://"+asked.Host != h.cfg.PublicURL {
		return errNoMedia
	}
	named := videoPath.FindStringSubmatch(asked.Path)
	if named == nil {
		return errNoMedia
	}
	ctx := c.Request().Context()
	m, err := h.lookUp(ctx, named[1])
	if err != nil {
		return err
	}
	switch {
	case m.access.Visibility == blob.Private:
		return errNoMedia
	case !m.access.Open():
		return errOEmbedPrivate
	}
	answer := h.oEmbed(ctx, h.baseURL(c), m, asked, side(c, "maxwidth"), side(c, "maxheight"))
	header.Set("Cache-Control", "public, max-age="+strconv.Itoa(oEmbedCacheAge))
	if format == "xml" {
		raw, err := xml.Marshal(answer)
		if err != nil {
			return fmt.Errorf("encode oEmbed of media %s: %w", m.id, err)
		}
		return c.Blob(http.StatusOK, "text/xml; charset=utf-8", append([]byte(`<?xml version="1.0" encoding="utf-8" standalone="yes"?>`+"\n"), raw...))
	}
	return c.JSON(http.StatusOK, answer)
}

// side reads maxwidth or maxheight; 0 is no bound.
func side(c echo.Context, name string) int {
	n, err := strconv.Atoi(c.QueryParam(name))
	if err != nil || n <= 0 {
		return 0
	}
	return max(n, leastSide)
}

func (h *Handler) oEmbed(ctx context.Context, base string, m media, asked *url.URL, maxWidth, maxHeight int) *oEmbed {
	width, height := defaultWidth, defaultHeight
	if p := m.pointer; p != nil && p.Width > 0 && p.Height > 0 {
		width, height = p.Width, p.Height
	}
	width, height = within(width, height, maxWidth, maxHeight)
	src := base + "/embed/iframe/" + m.id
	if start, ok := startTime(asked.Query().Get("t")); ok {
		src += "?t=" + start
	}
	o := &oEmbed{
		Type: "video", Version: "1.0", Title: m.name, ProviderName: "Vitascope", ProviderURL: base, CacheAge: oEmbedCacheAge,
		Width: width, Height: height,
		HTML: fmt.Sprintf(`<iframe src="%s" title="%s" width="%d" height="%d" allow="autoplay; fullscreen; picture-in-picture" allowfullscreen loading="lazy" frameborder="0"></iframe>`,
			html.EscapeString(src), html.EscapeString(m.name), width, height),
	}
	if p := m.pointer; p != nil && p.Poster != "" {
		if size, ok := h.imageSize(ctx, blob.MediaPrefix(p.Account, m.id)+p.Poster); ok {
			o.ThumbnailURL = base + "/hls/" + m.id + "/poster.jpg"
			o.ThumbnailWidth, o.ThumbnailHeight = size.X, size.Y
		}
	}
	return o
}

// within fits a size into bounds, with its proportions kept.
func within(width, height, maxWidth, maxHeight int) (int, int) {
	if maxWidth > 0 && width > maxWidth {
		width, height = maxWidth, max(1, (height*maxWidth+width/2)/width)
	}
	if maxHeight > 0 && height > maxHeight {
		width, height = max(1, (width*maxHeight+height/2)/height), maxHeight
	}
	return width, height
}

// imageSize reads the size that an image says in its header.
func (h *Handler) imageSize(ctx context.Context, key string) (image.Point, bool) {
	found, err := h.objects.stored(ctx, key)
	if err != nil {
		return image.Point{}, false
	}
	defer found.Close()
	config, _, err := image.DecodeConfig(found.Content())
	return image.Pt(config.Width, config.Height), err == nil
}

// OEmbed is the address that tells consumers of this page.
func (d pageData) OEmbed(format string) string {
	return d.Base + "/oembed?" + url.Values{"format": {format}, "url": {d.watchURL()}}.Encode()
}

func (d pageData) watchURL() string { return strings.TrimSuffix(d.Base, "/") + "/watch/" + d.ID }
