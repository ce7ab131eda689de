package transcode_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/ingest"
	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

// owner is signed in on every request.
type owner string

func (o owner) Identify(r *http.Request) (context.Context, error) {
	return auth.With(r.Context(), auth.Principal{AccountID: string(o)}), nil
}

// receiver starts a server that takes uploads in parts of 5 MiB.
func (w *world) receiver(t *testing.T) string {
	t.Helper()
	return w.receiverOn(t, w.store)
}

func (w *world) receiverOn(t *testing.T, store *blob.Store) string {
	t.Helper()
	cfg := ingest.DefaultConfig()
	cfg.TempDir, cfg.PartBytes = t.TempDir(), 5<<20
	log := slog.New(slog.DiscardHandler)
	s, err := ingest.New(cfg, w.db, store, w.jobs, log)
	require.NoError(t, err)
	e := httpx.New(owner(w.account), log)
	s.Register(e)
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return server.URL
}

// tus sends a request of the upload protocol.
func tus(t *testing.T, method, url string, body io.Reader, length int64, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	require.NoError(t, err)
	req.ContentLength = length
	req.Header.Set("Tus-Resumable", "1.0.0")
	req.Header.Set("Content-Type", "application/offset+octet-stream")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res
}

// stalling is a request body that gives some bytes, and the others once it is let go on.
type stalling struct {
	io.Reader
	rest chan struct{}
}

func newStalling(content []byte, first int) *stalling {
	s := &stalling{rest: make(chan struct{})}
	s.Reader = io.MultiReader(bytes.NewReader(content[:first]), waitFor(s.rest), bytes.NewReader(content[first:]))
	return s
}

// waitFor is an empty reader that ends when the channel is closed.
type waitFor chan struct{}

func (w waitFor) Read([]byte) (int, error) {
	<-w
	return 0, io.EOF
}

// page is what is at an address.
func page(t *testing.T, url string) (body string, status int, header http.Header) {
	t.Helper()
	res, err := http.Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(raw), res.StatusCode, res.Header
}

// offered gets what a growing playlist offers, in one file, and what it says.
func offered(t *testing.T, url string) (file, playlist string, segments int) {
	t.Helper()
	playlist, status, _ := page(t, url)
	require.Equal(t, http.StatusOK, status, playlist)
	folder := strings.TrimSuffix(url, "index.m3u8")
	content, status, _ := page(t, folder+"init.mp4")
	require.Equal(t, http.StatusOK, status)
	for line := range strings.Lines(playlist) {
		if line = strings.TrimSpace(line); strings.HasSuffix(line, ".m4s") {
			segment, status, header := page(t, folder+line)
			require.Equal(t, http.StatusOK, status, line)
			require.Contains(t, header.Get("Cache-Control"), "immutable")
			content, segments = content+segment, segments+1
		}
	}
	file = filepath.Join(t.TempDir(), "offered.mp4")
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file, playlist, segments
}

// fastStart is a source of some 12 MB and 24 s whose tables come first.
func fastStart(t *testing.T) string {
	t.Helper()
	return mediatest.Generate(t, "a.mp4", args(picture("320x180", "25", "24"), sound("24"), x264, []string{
		"-b:v", "4M", "-minrate", "4M", "-maxrate", "4M", "-bufsize", "4M", "-x264-params", "nal-hrd=cbr:force-cfr=1",
		"-c:a", "aac", "-movflags", "+faststart"})...)
}

func TestASourceIsShownWhileItArrives(t *testing.T) {
	t.Parallel()
	file := fastStart(t)
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Greater(t, len(content), 11<<20, "several parts")
	w := prepareWorld(t)
	w.startQueues(t, map[string]int{jobs.QueueProbe: 2})
	server := w.receiver(t)
	created := tus(t, "POST", server+"/uploads/", nil, 0, "Upload-Length", strconv.Itoa(len(content)))
	require.Equal(t, http.StatusCreated, created.StatusCode)
	id := created.Header.Get(ingest.MediaIDHeader)
	upload := server + created.Header.Get("Location")

	// A first request is cut in the middle of a part: what came of it counts.
	first := len(content) * 2 / 5
	require.Equal(t, http.StatusNoContent, tus(t, "PATCH", upload, bytes.NewReader(content[:first]), int64(first), "Upload-Offset", "0").StatusCode)
	m := w.awaitShown(t, id)
	require.Equal(t, catalog.StateUploading, m.State)
	require.Equal(t, catalog.StatePlayable, m.Shown())
	require.Zero(t, m.UploadedAt)
	base := strings.TrimSuffix(w.viewers(t, m), "multivariant.m3u8")
	master, status, _ := page(t, base+"multivariant.m3u8")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, master, "TYPE=AUDIO")
	pointer, err := w.store.ReadPointer(t.Context(), id)
	require.NoError(t, err)
	require.True(t, pointer.Arriving)
	require.InDelta(t, 24_000, pointer.DurationMS, 100, "the whole, not what has come")
	folder := base + strings.TrimSuffix(m.MultivariantKey[strings.Index(m.MultivariantKey, "/g1/")+1:], "p1/multivariant.m3u8") + "source/"
	part, playlist, early := offered(t, folder+"0/index.m3u8")
	require.NotContains(t, playlist, "ENDLIST")
	require.Contains(t, playlist, "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-START:TIME-OFFSET=0\n")
	require.Positive(t, early)
	shown := frames(t, part, "v:0")
	require.InDelta(t, 24*25*2/5, shown, 7*25, "about as much as has come, to a segment")
	_, status, _ = page(t, fmt.Sprintf("%s0/%d.m4s", folder, early))
	require.Equal(t, http.StatusNotFound, status, "not before its bytes have come")
	sounds, _, _ := offered(t, folder+"1/index.m3u8")
	require.Positive(t, frames(t, sounds, "a:0"))

	// A second one, of a process that was started anew, sends on and stalls: what came
	// is offered while it waits.
	server = w.receiver(t)
	upload = server + created.Header.Get("Location")
	require.Equal(t, strconv.Itoa(first), tus(t, "HEAD", upload, nil, 0).Header.Get("Upload-Offset"))
	body := newStalling(content[first:], len(content)*4/5-first)
	sent := make(chan int, 1)
	go func() {
		sent <- tus(t, "PATCH", upload, body, int64(len(content)-first), "Upload-Offset", strconv.Itoa(first)).StatusCode
	}()
	var later int
	require.Eventually(t, func() bool {
		part, playlist, later = offered(t, folder+"0/index.m3u8")
		return frames(t, part, "v:0") > 24*25*4/5-7*25
	}, 3*time.Minute, 200*time.Millisecond)
	require.Greater(t, later, early)
	require.NotContains(t, playlist, "ENDLIST")
	require.Empty(t, sent, "the request has not ended")

	// Its last byte makes the same address a whole playlist, and the ladder follows.
	close(body.rest)
	require.Equal(t, http.StatusNoContent, <-sent)
	require.Eventually(t, func() bool {
		p, err := w.store.ReadPointer(t.Context(), id)
		require.NoError(t, err)
		return !p.Arriving
	}, 3*time.Minute, 50*time.Millisecond)
	m = w.await(t, id, catalog.StatePlayable, 3*time.Minute)
	require.Equal(t, 1, m.Publication, "the same one")
	require.True(t, m.PlayableAt.Before(m.UploadedAt), "playable before the last byte")
	require.Eventually(t, func() bool { // the origin holds on to a pointer for a moment
		part, playlist, _ = offered(t, folder+"0/index.m3u8")
		return strings.Contains(playlist, "#EXT-X-ENDLIST")
	}, time.Minute, 100*time.Millisecond)
	require.Equal(t, frames(t, file, "v:0"), frames(t, part, "v:0"))
	keys := w.keysUnder(t, blob.UploadPrefix(m.AccountID, id, 1))
	require.Empty(t, keys, "pieces stay behind")
	w.stop()
	w.start(t)
	w.await(t, id, catalog.StateReady, 5*time.Minute)
}

// awaitShown waits until a media plays.
func (w *world) awaitShown(t *testing.T, id string) (m catalog.Media) {
	t.Helper()
	require.Eventually(t, func() bool {
		var err error
		m, err = w.db.MediaByID(t.Context(), id)
		require.NoError(t, err)
		return !m.PlayableAt.IsZero()
	}, 3*time.Minute, 50*time.Millisecond)
	return m
}

func (w *world) keysUnder(t *testing.T, prefix string) (keys []string) {
	t.Helper()
	for info, err := range w.store.List(t.Context(), prefix) {
		require.NoError(t, err)
		keys = append(keys, info.Key)
	}
	return keys
}

func TestAnUploadThatIsGivenUpIsTakenBack(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(fastStart(t))
	require.NoError(t, err)
	w := prepareWorld(t)
	w.startQueues(t, map[string]int{jobs.QueueProbe: 2})
	server := w.receiver(t)
	created := tus(t, "POST", server+"/uploads/", nil, 0, "Upload-Length", strconv.Itoa(len(content)))
	id := created.Header.Get(ingest.MediaIDHeader)
	half := len(content) / 2
	require.Equal(t, http.StatusNoContent, tus(t, "PATCH", server+created.Header.Get("Location"), bytes.NewReader(content[:half]), int64(half), "Upload-Offset", "0").StatusCode)
	w.awaitShown(t, id)

	// The job comes again when the media has been deleted and swept.
	require.Equal(t, http.StatusNoContent, tus(t, "DELETE", server+created.Header.Get("Location"), nil, 0).StatusCode)
	require.NoError(t, w.store.Remove(t.Context(), blob.PointerKey(id)))
	require.NoError(t, w.jobs.Insert(t.Context(), jobs.EarlyArgs{MediaID: id, Generation: 1}, nil))
	require.Eventually(t, func() bool {
		n, err := w.db.NewSelect().Table("river_job").Where("kind = 'early' AND state <> 'completed'").Count(t.Context())
		return err == nil && n == 0
	}, 3*time.Minute, 50*time.Millisecond)
	_, err = w.store.ReadPointer(t.Context(), id)
	require.ErrorIs(t, err, blob.ErrNotFound)
}
