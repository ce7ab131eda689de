package player_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/jit"
	"github.com/vitascope/vitascope/player"
)

// memory is a source that has been read.
type memory []byte

func (m memory) Size() int64 { return int64(len(m)) }

func (m memory) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return bytes.NewReader(m).ReadAt(p, off)
}

// publishSource publishes a small video as it is and returns its bytes and index.
func publishSource(t *testing.T, id string) (memory, *jit.Index) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a.mp4")
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-nostdin",
		"-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=9", "-f", "lavfi", "-i", "sine=f=440:r=44100:d=9",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	index, err := jit.Build(t.Context(), memory(content))
	require.NoError(t, err)
	require.NoError(t, store.PutBytes(t.Context(), blob.SourceKey(account, id, 1), content, "video/mp4"))
	folder := blob.OutputPrefix(account, id, 1, "101") + blob.SourceFolder
	require.NoError(t, store.PutBytes(t.Context(), folder+blob.SourceIndex, index.Encode(), "application/octet-stream"))
	require.NoError(t, store.WritePointer(t.Context(), blob.Pointer{
		Account: account, Media: id, Generation: 1, Publication: 1, State: "playable", Multivariant: "g1/p1/multivariant.m3u8",
	}))
	return content, index
}

// want is a segment as package jit writes it.
func want(t *testing.T, source memory, x *jit.Index, track, n int) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, x.WriteSegment(t.Context(), &b, source, track, n))
	return b.String()
}

func TestASourceIsServedAsItIs(t *testing.T) {
	t.Parallel()
	content, x := publishSource(t, "srcserve01")
	require.Greater(t, x.Segments(0), 1)
	for name, limit := range map[string]int64{"from memory": 4 << 20, "streamed": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, store, nil, func(c *player.Config) { c.CacheObjectBytes = limit })
			base := server.URL + "/hls/srcserve01/g1/a101/source/"
			for track := range x.Tracks() {
				folder := fmt.Sprintf("%s%d/", base, track)
				init, err := x.Init(track)
				require.NoError(t, err)
				for file, body := range map[string]string{
					"index.m3u8": string(x.Playlist(track)), "init.mp4": string(init),
					"0.m4s": want(t, content, x, track, 0), "1.m4s": want(t, content, x, track, 1),
				} {
					res := get(t, folder+file)
					require.Equal(t, http.StatusOK, res.StatusCode, "%s: %s", file, res.body)
					require.True(t, body == res.body, "%s of track %d differs", file, track)
					require.EqualValues(t, len(body), res.ContentLength)
					require.Equal(t, "public, max-age=31536000, immutable", res.Header.Get("Cache-Control"))
					etag := res.Header.Get("ETag")
					require.NotEmpty(t, etag)
					require.Equal(t, http.StatusNotModified, get(t, folder+file, "If-None-Match", etag).StatusCode)
					head := do(t, http.MethodHead, folder+file)
					require.EqualValues(t, len(body), head.ContentLength)
					require.Equal(t, res.Header.Get("Content-Type"), head.Header.Get("Content-Type"))
				}
			}
			require.Equal(t, "video/mp4", get(t, base+"0/0.m4s").Header.Get("Content-Type"))
			require.Equal(t, "gzip", get(t, base+"0/index.m3u8", "Accept-Encoding", "gzip, br").Header.Get("Content-Encoding"), "one packet needs no brotli")
		})
	}
}

func TestRangesOfAMadeSegment(t *testing.T) {
	t.Parallel()
	content, x := publishSource(t, "srcrange01")
	body := want(t, content, x, 0, 1)
	s, err := x.Segment(0, 1)
	require.NoError(t, err)
	header := len(s.Header)
	require.Greater(t, len(s.Ranges), 1, "sound lies between the pictures")
	second := header + int(s.Ranges[0].Length)
	for name, limit := range map[string]int64{"from memory": 4 << 20, "streamed": 0} {
		server := serve(t, store, nil, func(c *player.Config) { c.CacheObjectBytes = limit })
		url := server.URL + "/hls/srcrange01/g1/a101/source/0/1.m4s"
		for _, r := range [][2]int{
			{0, 10}, {header - 5, header + 5}, {header, header + 1}, {second - 3, second + 3}, {second, second + 100},
			{len(body) - 7, len(body)}, {1, len(body)},
		} {
			res := get(t, url, "Range", fmt.Sprintf("bytes=%d-%d", r[0], r[1]-1))
			require.Equal(t, http.StatusPartialContent, res.StatusCode, name)
			require.True(t, body[r[0]:r[1]] == res.body, "%s: bytes %d to %d of %d differ", name, r[0], r[1], len(body))
		}
		require.Equal(t, http.StatusRequestedRangeNotSatisfiable, get(t, url, "Range", fmt.Sprintf("bytes=%d-", len(body))).StatusCode)
	}
}

func TestASourceHasNoOtherPaths(t *testing.T) {
	t.Parallel()
	_, x := publishSource(t, "srcpaths01")
	server := serve(t, store, nil)
	for _, path := range []string{
		fmt.Sprintf("g1/a101/source/0/%d.m4s", x.Segments(0)), "g1/a101/source/0/9999999.m4s", "g1/a101/source/2/index.m3u8",
		"g1/a101/source/99/init.mp4", "g1/a101/source/0/00.m4s", "g1/a101/source/00/0.m4s", "g1/a101/source/-1/0.m4s",
		"g1/a101/source/index.jit", "g1/a101/source/0/index.jit", "g1/a101/source/0/", "g1/a101/source/", "g1/a101/source",
		"g1/source", "g2/a101/source/0/0.m4s", "g1/a102/source/0/0.m4s", "g1/a101/source/0/../index.jit",
	} {
		require.Equal(t, http.StatusNotFound, get(t, server.URL+"/hls/srcpaths01/"+path).StatusCode, path)
	}
}

// counted counts reads of indexes and sources and may break off the latter.
type counted struct {
	player.Store
	indexes, sources atomic.Int64
	after            int   // bytes of a source that arrive; 0 for all
	breaks           int64 // how many reads break off
}

func (c *counted) Get(ctx context.Context, key string) (io.ReadCloser, blob.Info, error) {
	if strings.HasSuffix(key, blob.SourceIndex) {
		c.indexes.Add(1)
	}
	return c.Store.Get(ctx, key)
}

func (c *counted) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	reads := c.sources.Add(1)
	r, err := c.Store.GetRange(ctx, key, off, n)
	if err != nil || c.after == 0 || reads > c.breaks {
		return r, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(r, int64(c.after)), failing{}), r}, nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestManyColdRequestsForASourceReadItOnce(t *testing.T) {
	t.Parallel()
	content, x := publishSource(t, "srccold001")
	c := &counted{Store: store}
	server := serve(t, c, nil)
	body := want(t, content, x, 0, 0)
	var all sync.WaitGroup
	same := make([]bool, 100)
	for i := range same {
		all.Go(func() { same[i] = get(t, server.URL+"/hls/srccold001/g1/a101/source/0/0.m4s").body == body })
	}
	all.Wait()
	require.NotContains(t, same, false)
	require.EqualValues(t, 1, c.sources.Load(), "one read of the source")
	get(t, server.URL+"/hls/srccold001/g1/a101/source/1/index.m3u8")
	require.EqualValues(t, 1, c.indexes.Load(), "one read of the index")
}

func TestASourceThatBreaksOffIsNotTakenForWhole(t *testing.T) {
	t.Parallel()
	content, x := publishSource(t, "srcbreak01")
	path := "/hls/srcbreak01/g1/a101/source/0/1.m4s"
	t.Run("a read that breaks off is taken up where it was", func(t *testing.T) {
		t.Parallel()
		server := serve(t, &counted{Store: store, after: 1000, breaks: 2}, nil)
		require.Equal(t, want(t, content, x, 0, 1), get(t, server.URL+path).body)
	})
	for name, limit := range map[string]int64{"in memory": 4 << 20, "streamed": 0} {
		t.Run("one that goes on breaking off drops the connection, "+name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, &counted{Store: store, after: 1000, breaks: 1 << 30}, nil, func(c *player.Config) { c.CacheObjectBytes = limit })
			res, err := http.Get(server.URL + path)
			require.NoError(t, err)
			defer res.Body.Close()
			require.Equal(t, http.StatusOK, res.StatusCode)
			_, err = io.ReadAll(res.Body)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		})
	}
}
