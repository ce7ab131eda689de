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

var contentTypes = map[string]string{
	".m3u8": "application/vnd.apple.mpegurl",
	".mp4":  "video/mp4",
	".m4s":  "video/mp4",
	".vtt":  "text/vtt; charset=utf-8",
	".jpg":  "image/jpeg",
}

func isText(key string) bool {
	return strings.HasSuffix(key, ".m3u8") || strings.HasSuffix(key, ".vtt")
}

var errNoObject = fault.New(fault.NotFound, "unknown-object", "There is nothing at this address.")

// serveHLS answers playlists, segments, posters and storyboards.
func (h *Handler) serveHLS(c echo.Context) error {
	openToAll(c.Response().Header())
	id, err := paramID(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	pointer, err := h.objects.pointer(ctx, id)
	if errors.Is(err, blob.ErrNotFound) {
		return errNoMedia
	}
	if err != nil {
		return err
	}
	asked, prefix := c.Param("*"), blob.MediaPrefix(pointer.Account, id)
	if f, ok := sourceFileOf(pointer.Account, id, asked); ok {
		found, err := h.objects.sourceFile(ctx, prefix+asked, f)
		return h.serveObject(c, prefix+asked, found, err, immutable)
	}
	name, caching := resolve(asked, pointer)
	if name == "" {
		return errNoObject
	}
	found, err := h.objects.object(ctx, prefix+name)
	return h.serveObject(c, prefix+name, found, err, caching)
}

// resolve returns the object a path asks for, relative to the media's folder,
// and how long it may be kept; or nothing when there is no such path.
func resolve(asked string, p blob.Pointer) (name, caching string) {
	switch {
	case asked == "multivariant.m3u8" && p.State == "ready":
		return p.Multivariant, whenReady
	case asked == "multivariant.m3u8":
		return p.Multivariant, whileGrowing
	case asked == "poster.jpg":
		return p.Poster, posterFreshly
	case published.MatchString(asked):
		return asked, immutable
	}
	if m := newest.FindStringSubmatch(asked); m != nil && m[1] == strconv.Itoa(p.Generation) {
		if p.State == "ready" {
			return path.Dir(p.Multivariant) + "/" + m[2], whenReady
		}
		return path.Dir(p.Multivariant) + "/" + m[2], whileGrowing
	}
	return "", ""
}

// serveObject answers with what was found under key, or with why it was not.
func (h *Handler) serveObject(c echo.Context, key string, found *object, err error, caching string) error {
	ctx, r := c.Request().Context(), c.Request()
	if errors.Is(err, blob.ErrNotFound) {
		return errNoObject
	}
	if err != nil {
		return err
	}
	header := c.Response().Header()
	header.Set("Content-Type", contentTypes[path.Ext(key)])
	header.Set("Cache-Control", caching)
	etag := found.etag
	if found.gzip != nil {
		header.Add("Vary", "Accept-Encoding")
		if accepts(r, "gzip") && r.Header.Get("Range") == "" {
			header.Set("Content-Encoding", "gzip")
			found = &object{etag: etag, size: int64(len(found.gzip)), body: found.gzip}
			etag += "-gz"
		}
	}
	if etag != "" {
		header.Set("ETag", `"`+etag+`"`)
	}
	content := h.objects.open(ctx, key, found)
	defer content.Close()
	// Ranges, conditions and HEAD are net/http's. When the store fails midway it
	// drops the connection, since less was written than the length says.
	http.ServeContent(c.Response(), r, "", time.Time{}, content)
	if err := ctx.Err(); err != nil && !errors.Is(err, context.Canceled) {
		h.log.DebugContext(ctx, "object not sent to its end", "err", err)
	}
	return nil
}
