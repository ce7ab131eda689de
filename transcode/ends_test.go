package transcode_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/ingest"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

// withheld is the world's store through a server that puts no parts together before
// it is let; what of that is asked for, it tells.
func (w *world) withheld(t *testing.T) (store *blob.Store, asked chan struct{}, let func()) {
	t.Helper()
	gate, asked := make(chan struct{}), make(chan struct{}, 8)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: w.blobs.Endpoint})
	server := httptest.NewServer(http.HandlerFunc(func(res http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodPost && req.URL.Query().Has("uploadId") {
			asked <- struct{}{}
			<-gate
		}
		proxy.ServeHTTP(res, req)
	}))
	t.Cleanup(server.Close)
	cfg := w.blobs
	cfg.Endpoint = strings.TrimPrefix(server.URL, "http://")
	store, err := blob.Open(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	open := false
	let = func() {
		if !open {
			open = true
			close(gate)
		}
	}
	t.Cleanup(let)
	return store, asked, let
}

func TestASourceWithItsTablesLastIsShownBeforeItsPartsArePutTogether(t *testing.T) {
	t.Parallel()
	file := mediatest.Generate(t, "a.mp4", args(picture("320x180", "25", "60"), sound("60"), x264, []string{
		"-b:v", "4M", "-minrate", "4M", "-maxrate", "4M", "-bufsize", "4M", "-x264-params", "nal-hrd=cbr:force-cfr=1", "-c:a", "aac"})...)
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Greater(t, len(content), 27<<20, "more parts than are kept")
	w := prepareWorld(t)
	w.startQueues(t, map[string]int{jobs.QueueProbe: 2})
	store, asked, let := w.withheld(t)
	server := w.receiverOn(t, store)
	created := tus(t, "POST", server+"/uploads/", nil, 0, "Upload-Length", strconv.Itoa(len(content)))
	require.Equal(t, http.StatusCreated, created.StatusCode)
	id := created.Header.Get(ingest.MediaIDHeader)
	upload := server + created.Header.Get("Location")

	// Its middle is kept by no one: the second request finds its beginning alone.
	const first = 26 << 20
	require.Equal(t, http.StatusNoContent, tus(t, "PATCH", upload, bytes.NewReader(content[:first]), first, "Upload-Offset", "0").StatusCode)
	sent := make(chan int, 1)
	go func() {
		sent <- tus(t, "PATCH", upload, bytes.NewReader(content[first:]), int64(len(content)-first), "Upload-Offset", strconv.Itoa(first)).StatusCode
	}()
	<-asked
	m := w.awaitShown(t, id)
	require.Equal(t, catalog.StateUploading, m.State)
	_, err = w.store.Stat(t.Context(), m.SourceKey)
	require.ErrorIs(t, err, blob.ErrNotFound, "the parts have been put together")
	base := strings.TrimSuffix(w.viewers(t, m), "multivariant.m3u8")
	folder := base + strings.TrimSuffix(m.MultivariantKey[strings.Index(m.MultivariantKey, "/g1/")+1:], "p1/multivariant.m3u8") + "source/"
	part, playlist, _ := offered(t, folder+"0/index.m3u8")
	require.NotContains(t, playlist, "ENDLIST")
	require.InDelta(t, 20<<20, frames(t, part, "v:0")*len(content)/(60*25), 4<<20, "as much as is kept of its beginning, to a segment")
	sounds, _, _ := offered(t, folder+"1/index.m3u8")
	require.Positive(t, frames(t, sounds, "a:0"))
	require.Empty(t, sent)

	// Whole, it is the same publication, and all of it is offered.
	let()
	require.Equal(t, http.StatusNoContent, <-sent)
	m = w.await(t, id, catalog.StatePlayable, 3*time.Minute)
	require.Equal(t, 1, m.Publication)
	require.True(t, m.PlayableAt.Before(m.UploadedAt))
	require.Eventually(t, func() bool { // the origin holds on to a pointer for a moment
		part, playlist, _ = offered(t, folder+"0/index.m3u8")
		return strings.Contains(playlist, "#EXT-X-ENDLIST")
	}, time.Minute, 100*time.Millisecond)
	require.Equal(t, frames(t, file, "v:0"), frames(t, part, "v:0"))
	require.Empty(t, w.keysUnder(t, blob.UploadPrefix(m.AccountID, id, 1)), "pieces stay behind")
}
