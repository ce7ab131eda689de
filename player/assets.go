package player

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

//go:embed all:web/dist
var dist embed.FS

// assets are the built files of player/web with their ready-compressed forms.
type assets struct {
	files   map[string]*asset // "player.js", "assets/player-XXXX.js"
	pageCSS string            // name under assets/, empty before a build
}

type asset struct {
	contentType string
	etag        string
	encoded     map[string][]byte // "", "gzip", "br"
}

func (a *assets) file(name string) *asset { return a.files[name] }

var encodings = map[string]string{".br": "br", ".gz": "gzip"}

// loadAssets reads a build; a tree with only the placeholder is no error.
func loadAssets(tree fs.FS) (*assets, error) {
	built := &assets{files: map[string]*asset{}}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		built.add(strings.TrimPrefix(name, "web/dist/"), body)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the built player: %w", err)
	}
	if m := built.file("manifest.json"); m != nil {
		var manifest struct {
			PageCSS string `json:"page_css"`
		}
		if err := json.Unmarshal(m.encoded[""], &manifest); err != nil {
			return nil, fmt.Errorf("read the built player's manifest: %w", err)
		}
		built.pageCSS = manifest.PageCSS
	}
	return built, nil
}

func (a *assets) add(name string, body []byte) {
	encoding := encodings[path.Ext(name)]
	if encoding != "" {
		name = strings.TrimSuffix(name, path.Ext(name))
	}
	f := a.files[name]
	if f == nil {
		f = &asset{contentType: assetType(name), encoded: map[string][]byte{}}
		a.files[name] = f
	}
	f.encoded[encoding] = body
	if encoding == "" {
		sum := sha256.Sum256(body)
		f.etag = hex.EncodeToString(sum[:8])
	}
}

func assetType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".ts":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// serveLoader answers the one unhashed script, the facade.
func (h *Handler) serveLoader(c echo.Context) error {
	return h.serveFile(c, "player.js", "public, max-age=300, stale-while-revalidate=86400")
}

// serveTypes answers the types of the element's API, for editors and compilers.
func (h *Handler) serveTypes(c echo.Context) error {
	return h.serveFile(c, "player.d.ts", "public, max-age=300, stale-while-revalidate=86400")
}

// serveAsset answers the hashed files.
func (h *Handler) serveAsset(c echo.Context) error {
	return h.serveFile(c, "assets/"+c.Param("file"), immutable)
}

func (h *Handler) serveFile(c echo.Context, name, caching string) error {
	header := c.Response().Header()
	openToAll(header)
	f := h.assets.file(name)
	if f == nil || f.encoded[""] == nil {
		return errNoObject
	}
	body, encoding := f.encoded[""], ""
	for _, e := range []string{"br", "gzip"} {
		if len(f.encoded[e]) > 0 && accepts(c.Request(), e) {
			body, encoding = f.encoded[e], e
			break
		}
	}
	header.Set("Content-Type", f.contentType)
	header.Set("Cache-Control", caching)
	header.Add("Vary", "Accept-Encoding")
	etag := `"` + f.etag + `"`
	if encoding != "" {
		header.Set("Content-Encoding", encoding)
		etag = `"` + f.etag + "-" + encoding + `"`
	}
	header.Set("ETag", etag)
	if strings.Contains(c.Request().Header.Get("If-None-Match"), etag) {
		header.Del("Content-Encoding")
		return c.NoContent(http.StatusNotModified)
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	_, err := c.Response().Write(body)
	return err
}

// accepts reports whether the client takes the encoding (RFC 9110, 12.5.3).
func accepts(r *http.Request, encoding string) bool {
	return offers(strings.Join(r.Header.Values("Accept-Encoding"), ","), encoding)
}

// offers is accepts for the header's value.
func offers(value, encoding string) bool {
	for offer := range strings.SplitSeq(value, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(offer), ";")
		if !strings.EqualFold(strings.TrimSpace(name), encoding) {
			continue
		}
		q, found := strings.CutPrefix(strings.TrimSpace(params), "q=")
		if !found {
			return true
		}
		weight, err := strconv.ParseFloat(q, 64)
		return err == nil && weight > 0
	}
	return false
}
