package player_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/player"
)

func TestHLSServesWhatWasPublished(t *testing.T) {
	t.Parallel()
	publish(t, "hlsready01", "ready")
	publish(t, "hlsgrows01", "playable")
	server := serve(t, store, nil)
	for path, want := range map[string]struct{ body, contentType, caching string }{
		"hlsready01/multivariant.m3u8":    {manifest, "application/vnd.apple.mpegurl", "public, max-age=60"},
		"hlsgrows01/multivariant.m3u8":    {manifest, "application/vnd.apple.mpegurl", "public, max-age=2"},
		"hlsready01/g1/a1/v360/init.mp4":  {"init", "video/mp4", "public, max-age=31536000, immutable"},
		"hlsready01/g1/a1/v360/0.m4s":     {"0123456789", "video/mp4", "public, max-age=31536000, immutable"},
		"hlsready01/poster.jpg":           {"poster", "image/jpeg", "public, max-age=60"},
		"hlsready01/g1/a1/storyboard.vtt": {"WEBVTT\n", "text/vtt; charset=utf-8", "public, max-age=31536000, immutable"},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			res := get(t, server.URL+"/hls/"+path)
			require.Equal(t, http.StatusOK, res.StatusCode, res.body)
			require.Equal(t, want.body, res.body)
			require.Equal(t, want.contentType, res.Header.Get("Content-Type"))
			require.Equal(t, want.caching, res.Header.Get("Cache-Control"))
			require.Equal(t, "*", res.Header.Get("Access-Control-Allow-Origin"))
			require.Equal(t, "*", res.Header.Get("Timing-Allow-Origin"))
			require.Equal(t, "cross-origin", res.Header.Get("Cross-Origin-Resource-Policy"))

			etag := res.Header.Get("ETag")
			require.NotEmpty(t, etag)
			require.Equal(t, http.StatusNotModified, get(t, server.URL+"/hls/"+path, "If-None-Match", etag).StatusCode)

			head := do(t, http.MethodHead, server.URL+"/hls/"+path)
			require.Equal(t, http.StatusOK, head.StatusCode)
			require.EqualValues(t, len(want.body), head.ContentLength)
		})
	}
}

func TestHLSRefusesEveryOtherPath(t *testing.T) {
	t.Parallel()
	publish(t, "hlspaths01", "ready")
	publish(t, "hlspaths02", "ready")
	server := serve(t, store, nil)
	for _, path := range []string{
		"hlspaths01/g1/source", "hlspaths01/g1/p2/multivariant.m3u8", "hlspaths01/", "hlspaths01/g1/a1/v360/",
		"hlspaths01/g1/a1/v360/../../source", "hlspaths01/g1/a1/v360/%2e%2e/%2e%2e/source", "hlspaths01/g1%2Fsource",
		"hlspaths01/../hlspaths02/g1/source", "hlspaths01/..%2fhlspaths02/poster.jpg", "hlspaths01/g1/a1/v360/0.m4s%00.jpg",
		"hlspaths01/g1/a1/v360/1.m4s", "hlspaths01/g0/a1/v360/0.m4s", "hlspaths01/g1/a1/v360/-1.m4s",
		"hlspaths01//g1/a1/v360/0.m4s", "hlspaths01/g1/a1/v360/0.m4s/", "hlspaths01/G1/a1/v360/0.m4s",
		"unknown001/multivariant.m3u8", "UNKNOWN/multivariant.m3u8", "..%2f..%2fpointers/hlspaths01.json",
	} {
		res := get(t, server.URL+"/hls/"+path)
		require.Equal(t, http.StatusNotFound, res.StatusCode, path)
		require.NotContains(t, res.body, "original", path)
	}
}

func TestHLSRangesAndCompression(t *testing.T) {
	t.Parallel()
	publish(t, "hlsrange01", "ready")
	for name, limit := range map[string]int64{"from memory": 4 << 20, "streamed": 0} {
		server := serve(t, store, nil, func(c *player.Config) { c.CacheObjectBytes = limit })
		segment := server.URL + "/hls/hlsrange01/g1/a1/v360/0.m4s"
		t.Run("a range "+name, func(t *testing.T) {
			t.Parallel()
			res := get(t, segment, "Range", "bytes=2-5")
			require.Equal(t, http.StatusPartialContent, res.StatusCode)
			require.Equal(t, "2345", res.body)
			require.Equal(t, "bytes 2-5/10", res.Header.Get("Content-Range"))
			require.Equal(t, "89", get(t, segment, "Range", "bytes=-2").body)
			require.Equal(t, "0123456789", get(t, segment).body)
			require.Equal(t, http.StatusRequestedRangeNotSatisfiable, get(t, segment, "Range", "bytes=90-").StatusCode)
			require.Empty(t, get(t, segment, "Accept-Encoding", "gzip").Header.Get("Content-Encoding"), "media stays as it is")
		})
	}
	t.Run("playlists are compressed for those who take it", func(t *testing.T) {
		t.Parallel()
		server := serve(t, store, nil)
		playlist := server.URL + "/hls/hlsrange01/multivariant.m3u8"
		best := get(t, playlist, "Accept-Encoding", "gzip, br")
		require.Equal(t, "br", best.Header.Get("Content-Encoding"))
		unpacked, err := io.ReadAll(brotli.NewReader(strings.NewReader(best.body)))
		require.NoError(t, err)
		require.Equal(t, manifest, string(unpacked))
		res := get(t, playlist, "Accept-Encoding", "br;q=0, gzip")
		require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
		require.Equal(t, "Accept-Encoding", res.Header.Get("Vary"))
		require.Less(t, len(res.body), len(manifest)/2)
		r, err := gzip.NewReader(strings.NewReader(res.body))
		require.NoError(t, err)
		plain, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, manifest, string(plain))
		require.NotEqual(t, res.Header.Get("ETag"), get(t, playlist).Header.Get("ETag"))
		require.Empty(t, get(t, playlist, "Accept-Encoding", "gzip;q=0").Header.Get("Content-Encoding"))
	})
	t.Run("a preflight is answered", func(t *testing.T) {
		t.Parallel()
		server := serve(t, store, nil)
		res := do(t, http.MethodOptions, server.URL+"/hls/hlsrange01/g1/a1/v360/0.m4s")
		require.Equal(t, http.StatusNoContent, res.StatusCode)
		require.Contains(t, res.Header.Get("Access-Control-Allow-Headers"), "Range")
	})
}

func TestHLSFollowsThePointer(t *testing.T) {
	t.Parallel()
	p := publish(t, "hlsmoves01", "playable")
	server := serve(t, store, nil)
	url := server.URL + "/hls/hlsmoves01/multivariant.m3u8"
	require.Equal(t, manifest, get(t, url).body)
	p.Publication, p.Multivariant, p.State = 3, "g1/a1/p3/multivariant.m3u8", "ready"
	key := blob.PublicationPrefix(account, p.Media, 1, "1", 3) + blob.Multivariant
	require.NoError(t, store.PutBytes(t.Context(), key, []byte("#EXTM3U\n# more rungs\n"), "application/vnd.apple.mpegurl"))
	grows := "\n../../../a2/v360/0.m4s\n"
	require.NoError(t, store.PutBytes(t.Context(), blob.PublicationPrefix(account, p.Media, 1, "1", 3)+"v360/index.m3u8", []byte("#EXTM3U"+grows), "application/vnd.apple.mpegurl"))
	require.NoError(t, store.WritePointer(t.Context(), p))
	require.Eventually(t, func() bool { return strings.Contains(get(t, url).body, "more rungs") },
		time.Minute, 50*time.Millisecond)
	root := server.URL + "/hls/hlsmoves01/"
	newest := get(t, root+blob.NewestPlaylist(1, "v360"))
	require.Contains(t, newest.body, grows, "a playlist that grows is that of the newest publication")
	require.Equal(t, "public, max-age=60", newest.Header.Get("Cache-Control"))
	require.Contains(t, get(t, root+"g1/a1/p3/v360/index.m3u8").body, grows)
	for _, none := range []string{blob.NewestPlaylist(2, "v360"), blob.NewestPlaylist(1, "v720"), "g1/newest/playlists/v360/0.m4s"} {
		require.Equal(t, http.StatusNotFound, get(t, root+none).StatusCode, none)
	}
}

// gate counts reads of segments and holds them until it opens.
type gate struct {
	player.Store
	reads atomic.Int64
	open  chan struct{}
}

func (g *gate) Get(ctx context.Context, key string) (io.ReadCloser, blob.Info, error) {
	if strings.HasSuffix(key, ".m4s") {
		g.reads.Add(1)
		<-g.open
	}
	return g.Store.Get(ctx, key)
}

func TestManyColdRequestsReadTheStoreOnce(t *testing.T) {
	t.Parallel()
	publish(t, "hlscold001", "ready")
	g := &gate{Store: store, open: make(chan struct{})}
	server := serve(t, g, nil)
	url := server.URL + "/hls/hlscold001/g1/a1/v360/0.m4s"
	// The first asks and leaves: those who joined still get theirs.
	impatient, leave := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		req, _ := http.NewRequestWithContext(impatient, http.MethodGet, url, nil)
		_, err := http.DefaultClient.Do(req)
		first <- err
	}()
	require.Eventually(t, func() bool { return g.reads.Load() == 1 }, 3*time.Minute, time.Millisecond)
	var others sync.WaitGroup
	bodies := make([]string, 200)
	for i := range bodies {
		others.Go(func() { bodies[i] = get(t, url).body })
	}
	leave()
	require.ErrorIs(t, <-first, context.Canceled)
	close(g.open)
	others.Wait()
	for _, body := range bodies {
		require.Equal(t, "0123456789", body)
	}
	require.EqualValues(t, 1, g.reads.Load())
}

// away is a store that does not answer.
type away struct{ player.Store }

var errAway = errors.New("connection refused")

func (away) Get(context.Context, string) (io.ReadCloser, blob.Info, error) {
	return nil, blob.Info{}, errAway
}

func (away) ReadSettings(context.Context, string) (blob.Settings, error) {
	return blob.Settings{}, errAway
}

func (away) ReadPointer(context.Context, string) (blob.Pointer, error) {
	return blob.Pointer{}, errAway
}

func TestAnAbsentStoreIsSaidToBeAway(t *testing.T) {
	t.Parallel()
	server := serve(t, away{}, nil)
	for _, path := range []string{"/hls/anymedia01/multivariant.m3u8", "/embed/medias/anymedia01/config.json"} {
		res := get(t, server.URL+path)
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode, path)
		require.NotEmpty(t, res.Header.Get("Retry-After"))
		require.Contains(t, res.Header.Get("Access-Control-Expose-Headers"), "Retry-After")
		require.Equal(t, "*", res.Header.Get("Access-Control-Allow-Origin"))
		require.NotContains(t, res.body, "refused")
	}
}

func BenchmarkHotSegment(b *testing.B) {
	key := blob.MediaPrefix(account, "hlsbench01") + "g1/a1/v360/0.m4s"
	require.NoError(b, store.PutBytes(b.Context(), key, bytes.Repeat([]byte("x"), 1<<20), "video/mp4"))
	require.NoError(b, store.WritePointer(b.Context(), blob.Pointer{Account: account, Media: "hlsbench01", State: "ready"}))
	cfg := player.DefaultConfig()
	h, err := player.New(cfg, store, nil, keys, nil, discard)
	require.NoError(b, err)
	benchmark(b, h, "/hls/hlsbench01/g1/a1/v360/0.m4s", 1<<20)
}
