package player

import (
	"context"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/player/internal/cache"
)

// Hot returns a handler that answers what most requests of an origin are, plain
// ones for whole published files that are at hand and open to all, and leaves every
// other request to next. It exists for its price: it does without routing, request
// ids and contexts, which cost as much as the answer does.
func (h *Handler) Hot(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, "/hls/"); !ok || r.Method != http.MethodGet || !isPlain(r) || !h.serveHot(w, r, rest) {
			next.ServeHTTP(w, r)
		}
	})
}

// idBytes is the length of a media's id.
const idBytes = 10

// serveHot answers, or tells that it did not.
func (h *Handler) serveHot(w http.ResponseWriter, r *http.Request, path string) bool {
	p, asked, ok := h.open(r.Context(), path)
	if !ok {
		return false
	}
	key, name, caching := hotKey(p, asked)
	if key == "" {
		return false
	}
	if isText(name) {
		t, ok := h.objects.texts.GetIfPresent(key)
		if ok {
			h.metrics.countCMCD(cmcdOf(r))
			h.sendText(w, r, name, t, caching)
		}
		return ok
	}
	found := h.objects.media.Kept(key)
	if found == nil {
		return false
	}
	defer found.Close()
	h.metrics.countCMCD(cmcdOf(r))
	h.sendKept(w, name, found, caching)
	return true
}

// open takes a path below /hls/ apart and returns the publication of its media,
// when that is open to all.
func (h *Handler) open(ctx context.Context, path string) (p blob.Pointer, asked string, ok bool) {
	if len(path) <= idBytes+1 || path[idBytes] != '/' || !isMediaID(path[:idBytes]) {
		return p, "", false
	}
	settings, err := h.objects.settingsOf(ctx, path[:idBytes])
	if err != nil || !settings.Access.Open() {
		return p, "", false
	}
	p, err = h.objects.pointer(ctx, path[:idBytes])
	return p, path[idBytes+1:], err == nil
}

// hotKey returns the key under which what a path asks for is kept, if it is: what
// lies under a key was asked for by a path that was checked.
func hotKey(p blob.Pointer, asked string) (key, name, caching string) {
	name, caching = resolveMoving(asked, p)
	if name == "" {
		if !isOutput(asked) {
			return "", "", ""
		}
		name, caching = asked, immutable
	}
	return blob.MediaPrefix(p.Account, p.Media) + name, name, caching
}

// isOutput tells whether a path is below the output of an attempt, g<n>/a<attempt>/,
// where everything that is kept may be asked for by its own name.
func isOutput(asked string) bool {
	i := strings.IndexByte(asked, '/')
	return i > 0 && i+1 < len(asked) && asked[0] == 'g' && asked[i+1] == 'a'
}

func (h *Handler) sendText(w http.ResponseWriter, r *http.Request, name string, t *text, caching string) {
	header := w.Header()
	common(header)
	body := h.encodeText(header, r, name, t, caching)
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	_, _ = w.Write(body) // an error is the viewer's having gone
}

func (h *Handler) sendKept(w http.ResponseWriter, name string, found *cache.Object, caching string) {
	header := w.Header()
	common(header)
	header["Access-Control-Expose-Headers"] = exposed
	header["Accept-Ranges"] = bytesRanges
	h.metrics.objects[found.Tier].Inc()
	h.metrics.sent.Add(float64(found.Size))
	describe(header, name, found.ETag, caching)
	if f, ok := found.Content().(*os.File); ok {
		sendFile(w, f, found.Size)
		return
	}
	header["Content-Length"] = []string{strconv.FormatInt(found.Size, 10)}
	_, _ = w.Write(found.Body)
}

// Values that never change, so that no answer allocates them.
var (
	anyone       = []string{"*"}
	exposed      = []string{exposedHeaders}
	crossOrigin  = []string{"cross-origin"}
	nosniff      = []string{"nosniff"}
	bytesRanges  = []string{"bytes"}
	varyEncoding = []string{"Accept-Encoding"}
)

// common is openToAll with what httpx adds for every route.
func common(h http.Header) {
	h["Access-Control-Allow-Origin"] = anyone
	h["Cross-Origin-Resource-Policy"] = crossOrigin
	h["Timing-Allow-Origin"] = anyone
	h["X-Content-Type-Options"] = nosniff
}
