package uploadcli_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/ingest"
	"github.com/vitascope/vitascope/ingest/library"
	"github.com/vitascope/vitascope/ingest/uploadcli"
)

// TestAnImportWhoseAnswerIsCutOffMakesOneMedia lets the first request through and cuts
// the connection in front of its answer.
func TestAnImportWhoseAnswerIsCutOffMakesOneMedia(t *testing.T) {
	t.Parallel()
	s := start(t)
	film := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("film")) }))
	t.Cleanup(film.Close)
	_, loopback, err := net.ParseCIDR("127.0.0.0/8")
	require.NoError(t, err)
	up := ingest.DefaultConfig()
	up.TempDir = t.TempDir()
	imports, err := ingest.NewImports(ingest.ImportConfig{Networks: []*net.IPNet{loopback}, BytesPerSecond: 1 << 30}, up, s.DB, s.Blobs, s.Jobs, s.Log)
	require.NoError(t, err)
	lib := library.DefaultConfig()
	lib.PublicURL = "http://video.example.test"
	shelf, err := library.New(lib, s.DB, s.Blobs, s.Jobs, s.Log)
	require.NoError(t, err)
	srv := s.Serve(t, func(_ *echo.Echo, api huma.API) { imports.Register(api); shelf.Register(api) })
	behind, err := url.Parse(srv.URL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(behind)
	var asked atomic.Int64
	proxy.ModifyResponse = func(res *http.Response) error {
		if res.Request.URL.Path == "/v1/imports" && asked.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
		return nil
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)

	r := s.client(t, func(o *uploadcli.Options) { o.Server = front.URL })
	require.NoError(t, r.client.Import(t.Context(), []string{film.URL + "/a.mp4"}))
	require.Equal(t, int64(2), asked.Load())
	list, _, err := s.DB.ListMedia(t.Context(), s.Ann.Account, "", 10, "")
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Contains(t, r.out.String(), list[0].ID)
}
