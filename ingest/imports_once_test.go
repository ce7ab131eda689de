package ingest_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/ingest"
	"github.com/vitascope/vitascope/ingest/internal/ingesttest"
	"github.com/vitascope/vitascope/internal/apitest"
)

func TestAnImportThatIsRepeatedMakesOneMedia(t *testing.T) {
	t.Parallel()
	w := ingesttest.New(t)
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("film")) }))
	t.Cleanup(site.Close)
	_, loopback, err := net.ParseCIDR("127.0.0.0/8")
	require.NoError(t, err)
	up := ingest.DefaultConfig()
	up.TempDir = t.TempDir()
	imports, err := ingest.NewImports(ingest.ImportConfig{Networks: []*net.IPNet{loopback}, BytesPerSecond: 1 << 30}, up, w.DB, w.Blobs, w.Jobs, w.Log)
	require.NoError(t, err)
	serve := func() *httptest.Server {
		return w.Serve(t, func(_ *echo.Echo, api huma.API) { imports.Register(api) })
	}
	srv := serve()
	post := func(who apitest.Caller) (status int, id, replayed string) {
		req, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL+"/v1/imports", strings.NewReader(`{"url":"`+site.URL+`/a.mp4"}`))
		if err != nil {
			t.Error(err)
			return 0, "", ""
		}
		req.Header.Set("Authorization", "Bearer "+who.Token)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", "mondays-film")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return 0, "", ""
		}
		defer res.Body.Close()
		var out struct {
			MediaID string `json:"media_id"`
		}
		if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
			t.Error(err)
		}
		return res.StatusCode, out.MediaID, res.Header.Get("Idempotent-Replayed")
	}

	var mu sync.Mutex
	made, first := map[string]bool{}, 0
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			status, id, replayed := post(w.Ann)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case status == http.StatusCreated:
				made[id] = true
				if replayed == "" {
					first++
				}
			case status != http.StatusConflict:
				t.Errorf("got %d, want 201, or 409 while the first one runs", status)
			}
		})
	}
	all.Wait()
	require.Len(t, made, 1)
	require.Equal(t, 1, first)

	srv = serve() // another process on the same catalog
	status, id, replayed := post(w.Ann)
	require.Equal(t, http.StatusCreated, status)
	require.Equal(t, "true", replayed)
	require.True(t, made[id])
	list, _, err := w.DB.ListMedia(t.Context(), w.Ann.Account, "", 10, "")
	require.NoError(t, err)
	require.Len(t, list, 1)

	status, foreign, replayed := post(w.Eve)
	require.Equal(t, http.StatusCreated, status)
	require.Empty(t, replayed, "another account's key is another key")
	require.NotEqual(t, id, foreign)
}
