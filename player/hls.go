package player

import (
	"context"
	"errors"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/player/internal/cache"
)

// published matches every object the packager writes, as playlists name them.
var published = regexp.MustCompile(`^(g[1-9][0-9]{0,8}/a[a-z0-9_-]{1,64}/(` +
	`(p[1-9][0-9]{0,8}/)?[a-z]{1,4}[0-9]{1,5}/(index|iframes)\.m3u8|` +
	`[a-z]{1,4}[0-9]{1,5}/(init\.mp4|[0-9]{1,7}\.m4s)|` +
	`poster\.jpg|storyboard\.jpg|storyboard\.vtt|preview\.mp4)|` +
	`captions/[a-z0-9]{10}(\.vtt|/d[0-9]{1,9}/(index\.m3u8|[0-9]{1,4}\.vtt))|` +
	`posters/[a-z0-9]{10}/poster\.jpg)$`)

// newest matches a media playlist that grows or did: it is that of the newest
// publication of its generation. See blob.NewestPlaylist.
var newest = regexp.MustCompile(`^g([1-9][0-9]{0,8})/newest/playlists/([a-z]{1,4}[0-9]{1,5}/(index|iframes)\.m3u8)$`)

const (
	immutable     = "public, max-age=31536000, immutable"
	whileGrowing  = "public, max-age=2"
	whenReady     = "public, max-age=60"
	posterFreshly = "public, max-age=60"
)

var contentTypes = map[string][]string{
	".m3u8": {"application/vnd.apple.mpegurl"},
	".mp4":  {"video/mp4"},
	".m4s":  {"video/mp4"},
	".vtt":  {"text/vtt; charset=utf-8"},
	".jpg":  {"image/jpeg"},
}

func isText(key string) bool {
	return strings.HasSuffix(key, ".m3u8") || strings.HasSuffix(key, ".vtt")
}

var errNoObject = fault.New(fault.NotFound, "unknown-object", "There is nothing at this address.")

// serveHLS answers playlists, segments, posters and storyboards. Those of protected
// media lie behind a path token, which relative names in playlists keep: asked with
// a token in the query instead, it sends there.
func (h *Handler) serveHLS(c echo.Context) error {
	openToAll(c.Response().Header())
	id, err := paramID(c)
	if err != nil {
		return err
	}
	h.metrics.countCMCD(cmcdOf(c.Request()))
	ctx := c.Request().Context()
	settings, err := h.objects.settingsOf(ctx, id)
	if err != nil {
		return err
	}
	pointer, err := h.objects.pointer(ctx, id)
	if errors.Is(err, blob.ErrNotFound) {
		return errNoMedia
	}
	if err != nil {
		return err
	}
	asked, token := c.Param("*"), ""
	if rest, ok := strings.CutPrefix(asked, "~"); ok {
		token, asked, _ = strings.Cut(rest, "/")
	}
	if settings.Access.Open() {
		return h.serveFileOf(c, pointer, asked, time.Time{})
	}
	c.Response().Header().Set("Referrer-Policy", "no-referrer") // the address is the permission
	m := media{id: id, account: pointer.Account, access: settings.Access}
	if token == "" {
		return h.sendBehindToken(c, m, asked)
	}
	g, err := h.standing(ctx, m, token)
	if err != nil {
		return hidden(m.access, err)
	}
	return h.serveFileOf(c, pointer, asked, g.Expires)
}

// sendBehindToken answers a request for a protected file that has no path token:
// with the way there when its query has a token, as players that cannot send a
// body bring theirs.
func (h *Handler) sendBehindToken(c echo.Context, m media, asked string) error {
	may, err := h.admit(c.Request().Context(), m, caller{addr: c.RealIP()}, credentials{Token: c.QueryParam("token")})
	if err != nil {
		return err
	}
	if c.QueryParam("token") == "" {
		return errTokenRequired // a page asks for a way in first, see serveConfig
	}
	if !published.MatchString(asked) && !ofSource.MatchString(asked) && !newest.MatchString(asked) && asked != "multivariant.m3u8" && asked != "poster.jpg" {
		return errNoObject
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Redirect(http.StatusFound, h.baseURL(c)+"/hls/"+m.id+"/~"+may.path+"/"+asked)
}

// serveFileOf answers with one file of a publication, named as playlists do. Behind
// a token it may be kept by the viewer alone, and no longer than the token holds.
func (h *Handler) serveFileOf(c echo.Context, p blob.Pointer, asked string, until time.Time) error {
	f, err := h.find(c.Request().Context(), p, asked)
	if err != nil {
		return notServed(c, err)
	}
	caching := h.caching(f.caching, until)
	if f.text != nil {
		return h.serveText(c, f.name, f.text, caching)
	}
	return h.serveStored(c, f.name, f.object, caching)
}

// file is what a path leads to: a text, or an object that its user closes.
type file struct {
	name    string
	caching string
	text    *text
	object  *cache.Object
}

// find returns the file of a publication that a path asks for, or errNoObject or
// blob.ErrNotFound.
func (h *Handler) find(ctx context.Context, p blob.Pointer, asked string) (file, error) {
	prefix, err := blob.MediaPrefix(p.Account, p.Media), error(nil)
	if s, ok := sourceFileOf(&p, asked); ok {
		f := file{name: asked, caching: immutable}
		if s.isMoving() {
			f.caching = whileGrowing
		}
		if s.segment < 0 {
			f.text, err = h.objects.sourceText(ctx, prefix+asked, s)
		} else {
			f.object, err = h.objects.sourceSegment(ctx, prefix+asked, s)
		}
		return f, err
	}
	name, caching := resolve(asked, p)
	f := file{name: name, caching: caching}
	switch {
	case name == "":
		err = errNoObject
	case isText(name):
		f.text, err = h.objects.text(ctx, prefix+name)
	default:
		f.object, err = h.objects.stored(ctx, prefix+name)
	}
	return f, err
}

// caching returns how long an answer may be kept: as long as its object stays what
// it is, and behind a token no longer than that holds.
func (h *Handler) caching(public string, until time.Time) string {
	if until.IsZero() {
		return public
	}
	age := int64(until.Sub(h.now()) / time.Second)
	if n, err := strconv.ParseInt(maxAge.FindStringSubmatch(public)[1], 10, 64); err == nil {
		age = min(age, n)
	}
	return "private, max-age=" + strconv.FormatInt(max(0, age), 10)
}

var maxAge = regexp.MustCompile(`max-age=([0-9]+)`)

// resolve returns the object a path asks for, relative to the media's folder,
// and how long it may be kept; or nothing when there is no such path.
func resolve(asked string, p blob.Pointer) (name, caching string) {
	if name, caching = resolveMoving(asked, p); name == "" && published.MatchString(asked) {
		return asked, immutable
	}
	return name, caching
}

// resolveMoving is resolve for the names that lead to another object over time.
func resolveMoving(asked string, p blob.Pointer) (name, caching string) {
	switch {
	case asked == "multivariant.m3u8" && p.State == "ready":
		return p.Multivariant, whenReady
	case asked == "multivariant.m3u8":
		return p.Multivariant, whileGrowing
	case asked == "poster.jpg":
		return p.Poster, posterFreshly
	}
	if !strings.Contains(asked, "/newest/") {
		return "", "" // the expression costs more
	}
	if m := newest.FindStringSubmatch(asked); m != nil && m[1] == strconv.Itoa(p.Generation) {
		if p.State == "ready" {
			return path.Dir(p.Multivariant) + "/" + m[2], whenReady
		}
		return path.Dir(p.Multivariant) + "/" + m[2], whileGrowing
	}
	return "", ""
}

// notServed is what an object's error is answered with.
func notServed(c echo.Context, err error) error {
	switch {
	case errors.Is(err, blob.ErrNotFound):
		return errNoObject
	case c.Request().Context().Err() != nil:
		return errGone
	}
	return err
}

// errGone is for a viewer who left before there was anything to send. The status is
// nginx's, and nobody reads it.
var errGone = echo.NewHTTPError(499, "the client has closed the connection")
