package ingest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/ingest"
	"github.com/vitascope/vitascope/ingest/internal/ingesttest"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
)

func TestAnImportThatBreaksOffGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	w := ingesttest.New(t)
	film := make([]byte, 12<<20)
	_, _ = rand.Read(film)
	var asked atomic.Int64
	var from atomic.Value
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Etag", `"one"`)
		if asked.Add(1) == 2 { // the first is for the head
			rw.Header().Set("Content-Length", "12582912")
			_, _ = rw.Write(film[:7<<20])
			panic(http.ErrAbortHandler)
		}
		from.Store(r.Header.Get("Range"))
		http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(film))
	}))
	t.Cleanup(site.Close)
	_, loopback, err := net.ParseCIDR("127.0.0.0/8")
	require.NoError(t, err)
	up := ingest.DefaultConfig()
	up.TempDir, up.PartBytes = t.TempDir(), 5<<20
	client, err := jobs.New(w.DB, jobs.Config{Queues: map[string]int{jobs.QueueImport: 1}}, w.Log)
	require.NoError(t, err)
	imports, err := ingest.NewImports(ingest.ImportConfig{Networks: []*net.IPNet{loopback}, BytesPerSecond: 1 << 30}, up, w.DB, w.Blobs, client, w.Log)
	require.NoError(t, err)
	imports.AddWorkers(client)
	server := w.Serve(t, func(_ *echo.Echo, api huma.API) { imports.Register(api) })

	post := func(body string) (int, map[string]any) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/imports", strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+w.Ann.Token)
		r.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer res.Body.Close()
		var out map[string]any
		require.NoError(t, json.NewDecoder(res.Body).Decode(&out))
		return res.StatusCode, out
	}
	status, out := post(`{"url":"http://[::1]:1/x.mp4"}`)
	require.Equal(t, http.StatusUnprocessableEntity, status, out)
	require.Equal(t, "/problems/import-network", out["type"])

	status, out = post(`{"url":"` + site.URL + `/films/a%20film.mp4?secret=x"}`)
	require.Equal(t, http.StatusCreated, status, out)
	require.Equal(t, "a film.mp4", out["name"])
	id, _ := out["media_id"].(string)

	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- client.Run(ctx) }()
	require.Eventually(t, func() bool {
		m, err := w.DB.Media(t.Context(), w.Ann.Account, id)
		return err == nil && m.State == catalog.StateProbing
	}, 2*time.Minute, 50*time.Millisecond)
	stop()
	require.NoError(t, <-done)
	m, err := w.DB.Media(t.Context(), w.Ann.Account, id)
	require.NoError(t, err)
	body, _, err := w.Blobs.Get(t.Context(), m.SourceKey)
	require.NoError(t, err)
	defer body.Close()
	got, err := io.ReadAll(body)
	require.NoError(t, err)
	require.True(t, bytes.Equal(film, got))
	require.NotEmpty(t, from.Load(), "the second try asked for the rest alone")
	require.Contains(t, w.JobKinds(t), "probe")

	require.NoError(t, w.DB.SetQuota(t.Context(), catalog.Quota{AccountID: w.Ann.Account, MaxBytes: 20 << 20, MaxFiles: 9}))
	status, out = post(`{"url":"` + site.URL + `/another.mp4"}`)
	require.Equal(t, http.StatusRequestEntityTooLarge, status, out)
	require.Equal(t, "/problems/quota-exceeded", out["type"])
}
