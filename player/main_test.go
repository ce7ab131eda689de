package player_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/deploy/engines"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/lane"
	"github.com/vitascope/vitascope/player"
)

// store is the embedded S3, which moves this process to another folder and of
// which there can be one.
var store *blob.Store

var (
	viewKey = []byte("0123456789abcdef0123456789abcdef")
	keys    = player.Keys{ViewToken: viewKey, Grant: []byte("grants are signed with this key!"), Sealing: []byte("secrets are sealed with this key")}
	discard = slog.New(slog.DiscardHandler)
)

func TestMain(m *testing.M) {
	status, err := withStore(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func withStore(run func() int) (int, error) {
	dir, err := os.MkdirTemp("", "vitascope-player-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	cfg := engines.DefaultConfig(dir)
	cfg.S3, cfg.Kafka, cfg.ClickHouse = true, false, false
	e, err := engines.New(cfg, viewKey, discard)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	at, err := e.Start(ctx)
	if err != nil {
		return 0, err
	}
	store, err = blob.Open(blob.Config{
		Endpoint: at.S3Addr, Region: at.S3Region, Bucket: "vitascope", AccessKey: at.S3AccessKey, SecretKey: at.S3SecretKey,
	}, discard)
	if err != nil {
		return 0, err
	}
	if err := store.EnsureBucket(ctx); err != nil {
		return 0, err
	}
	status := run()
	return status, e.Stop(ctx)
}

const account = "acct000001"

var manifest = "#EXTM3U\n#EXT-X-VERSION:7\n" + strings.Repeat("# a playlist is worth compressing\n", 20) + "g1/a1/v360/index.m3u8\n"

// publish puts a small publication of a media into the store.
func publish(t *testing.T, id, state string) blob.Pointer {
	t.Helper()
	prefix := blob.MediaPrefix(account, id)
	for name, body := range map[string]string{
		"g1/p2/multivariant.m3u8": manifest,
		"g1/a1/v360/index.m3u8":   "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:2,\n0.m4s\n",
		"g1/a1/v360/init.mp4":     "init",
		"g1/a1/v360/0.m4s":        "0123456789",
		"g1/a1/poster.jpg":        "poster",
		"g1/a1/storyboard.vtt":    "WEBVTT\n",
		"g1/a1/storyboard.jpg":    "storyboard",
		"g1/a1/preview.mp4":       "preview",

		"g1/a1/v360/iframes.m3u8":              "#EXTM3U\n#EXT-X-I-FRAMES-ONLY\n",
		"captions/abcdefghij.vtt":              "WEBVTT\n",
		"captions/abcdefghij/d2000/index.m3u8": "#EXTM3U\n0.vtt\n",
		"captions/abcdefghij/d2000/0.vtt":      "WEBVTT\n",
		"posters/abcdefghij/poster.jpg":        "uploaded poster",
		"g1/source":                            "the original",
	} {
		require.NoError(t, store.PutBytes(t.Context(), prefix+name, []byte(body), "application/octet-stream"))
	}
	p := blob.Pointer{
		Account: account, Media: id, Generation: 1, Publication: 2, State: state, Name: "A <b>bold</b> title",
		DurationMS: 61_500, Width: 1920, Height: 1080, HasVideo: true, HasAudio: true,
		Multivariant: "g1/p2/multivariant.m3u8", Poster: "g1/a1/poster.jpg", Storyboard: "g1/a1/storyboard.vtt",
	}
	require.NoError(t, store.WritePointer(t.Context(), p))
	return p
}

// states knows media that have not been published.
type states map[string]player.State

func (s states) MediaState(_ context.Context, id string) (player.State, error) {
	if m, ok := s[id]; ok {
		return m, nil
	}
	return player.State{}, player.ErrUnknownMedia
}

// serve starts a server over a store, as the process would.
func serve(t *testing.T, from player.Store, known player.States, change ...func(*player.Config)) *httptest.Server {
	t.Helper()
	cfg := player.DefaultConfig()
	for _, f := range change {
		f(&cfg)
	}
	h, err := player.New(cfg, from, known, keys, nil, discard)
	require.NoError(t, err)
	closeAfter(t, h)
	e := httpx.New(nil, discard)
	h.Register(e)
	return listen(t, h, e)
}

// listen serves a handler as the process does, its lane ahead of the server.
func listen(t *testing.T, h *player.Handler, e *echo.Echo) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(h.Hot(e))
	lanes := lane.Listen(server.Listener, h.Lane)
	server.Listener = lanes
	server.Start()
	t.Cleanup(func() {
		server.Close()
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		cancel() // clients keep connections: they are cut
		_ = lanes.Wait(ctx)
	})
	return server
}

// closeAfter runs the handler until the test ends.
func closeAfter(t *testing.T, h *player.Handler) {
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	body string
}

// do sends a request without automatic decompression. headers are pairs.
func do(t *testing.T, method, url string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	req.Header.Set("Accept-Encoding", "identity")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return answer{res, string(body)}
}

func get(t *testing.T, url string, headers ...string) answer {
	t.Helper()
	return do(t, http.MethodGet, url, headers...)
}
