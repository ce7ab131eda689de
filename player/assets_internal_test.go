package player

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/httpx"
)

// built is a tree as the build leaves it; the real one may not be there.
var built = fstest.MapFS{
	"web/dist/.keep":                         {},
	"web/dist/manifest.json":                 {Data: []byte(`{"player":"player-AAAA.js","page_css":"page-BBBB.css"}`)},
	"web/dist/player.js":                     {Data: []byte("facade")},
	"web/dist/player.js.gz":                  {Data: []byte("facade gz")},
	"web/dist/player.js.br":                  {Data: []byte("facade br")},
	"web/dist/assets/player-AAAA.js":         {Data: []byte("player")},
	"web/dist/assets/player-AAAA.js.gz":      {Data: []byte("player gz")},
	"web/dist/assets/page-BBBB.css":          {Data: []byte("css")},
	"web/dist/assets/orphan-without-main.br": {Data: []byte("x")},
}

func serveBuilt(t *testing.T, tree fstest.MapFS) *echo.Echo {
	t.Helper()
	files, err := loadAssets(tree)
	require.NoError(t, err)
	log := slog.New(slog.DiscardHandler)
	h := &Handler{assets: files, log: log}
	e := httpx.New(nil, log)
	h.Register(e)
	return e
}

func ask(e *echo.Echo, method, path string, headers ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	e.ServeHTTP(rec, req)
	return rec
}

func TestTheLoaderIsShortLivedAndItsChunksAreForEver(t *testing.T) {
	t.Parallel()
	e := serveBuilt(t, built)
	res := ask(e, http.MethodGet, "/player.js")
	require.Equal(t, "facade", res.Body.String())
	require.Equal(t, "text/javascript; charset=utf-8", res.Header().Get("Content-Type"))
	require.Equal(t, "public, max-age=300, stale-while-revalidate=86400", res.Header().Get("Cache-Control"))
	require.Equal(t, "*", res.Header().Get("Access-Control-Allow-Origin"))
	res = ask(e, http.MethodGet, "/assets/player/player-AAAA.js")
	require.Equal(t, "player", res.Body.String())
	require.Equal(t, "public, max-age=31536000, immutable", res.Header().Get("Cache-Control"))
	require.Equal(t, "text/css; charset=utf-8", ask(e, http.MethodGet, "/assets/player/page-BBBB.css").Header().Get("Content-Type"))
}

func TestTheBestEncodingOfTheBuildIsSent(t *testing.T) {
	t.Parallel()
	e := serveBuilt(t, built)
	for accept, want := range map[string]string{
		"gzip, deflate, br": "facade br", "gzip": "facade gz", "br;q=0, gzip;q=0.5": "facade gz", "": "facade", "zstd": "facade",
	} {
		res := ask(e, http.MethodGet, "/player.js", "Accept-Encoding", accept)
		require.Equal(t, want, res.Body.String(), accept)
		require.Equal(t, "Accept-Encoding", res.Header().Get("Vary"))
		again := ask(e, http.MethodGet, "/player.js", "Accept-Encoding", accept, "If-None-Match", res.Header().Get("ETag"))
		require.Equal(t, http.StatusNotModified, again.Code)
		require.Empty(t, again.Body.String())
		head := ask(e, http.MethodHead, "/player.js", "Accept-Encoding", accept)
		require.Equal(t, res.Header().Get("Content-Length"), head.Header().Get("Content-Length"))
		require.Empty(t, head.Body.String())
	}
}

func TestNothingElseOfTheBuildIsServed(t *testing.T) {
	t.Parallel()
	e := serveBuilt(t, built)
	for _, path := range []string{
		"/assets/player/manifest.json", "/assets/player/..%2fmanifest.json", "/assets/player/.keep",
		"/assets/player/player-AAAA.js.gz", "/assets/player/orphan-without-main", "/assets/player/",
	} {
		require.Equal(t, http.StatusNotFound, ask(e, http.MethodGet, path).Code, path)
	}
	empty := serveBuilt(t, fstest.MapFS{"web/dist/.keep": {}})
	require.Equal(t, http.StatusNotFound, ask(empty, http.MethodGet, "/player.js").Code)
}
