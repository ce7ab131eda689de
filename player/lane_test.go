package player_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/player"
)

// say sends requests as they are on one connection and returns the answers.
func say(t *testing.T, addr, requests string, n int) []answer {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, requests)
	require.NoError(t, err)
	br, out := bufio.NewReader(conn), []answer{}
	for range n {
		res, err := http.ReadResponse(br, nil)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		out = append(out, answer{res, string(body)})
	}
	return out
}

func TestTheLaneAnswersAsTheServerDoes(t *testing.T) {
	t.Parallel()
	publish(t, "lanesame01", "ready")
	h, err := player.New(player.DefaultConfig(), store, nil, keys, nil, discard)
	require.NoError(t, err)
	closeAfter(t, h)
	e := httpx.New(nil, discard)
	h.Register(e)
	behind := httptest.NewServer(h.Hot(e))
	t.Cleanup(behind.Close)
	ahead := listen(t, h, e)
	for _, name := range everyFile {
		for _, encoding := range []string{"", "Accept-Encoding: gzip, deflate, br\r\n", "Accept-Encoding: gzip\r\n", "Accept-Encoding: br;q=0, gzip;q=0.5\r\n"} {
			request := fmt.Sprintf("GET /hls/lanesame01/%s HTTP/1.1\r\nHost: x\r\n%s\r\n", name, encoding)
			for range 3 { // cold, then hot
				got, want := say(t, ahead.Listener.Addr().String(), request, 1)[0], say(t, behind.Listener.Addr().String(), request, 1)[0]
				require.Equal(t, want.StatusCode, got.StatusCode)
				require.Equal(t, want.body, got.body)
				require.Equal(t, want.ContentLength, got.ContentLength)
				for _, field := range []string{"Content-Type", "Cache-Control", "Etag", "Vary", "Content-Encoding", "Access-Control-Allow-Origin",
					"Cross-Origin-Resource-Policy", "Timing-Allow-Origin", "X-Content-Type-Options"} {
					require.Equal(t, want.Header[field], got.Header[field], "%s of %s, %q", field, name, encoding)
				}
				require.NotEmpty(t, got.Header.Get("Date"))
			}
		}
	}
}

// TestTheLaneLeavesTheRestToTheServer sends what asks for more than a file among
// requests that do not, all at once on one connection.
func TestTheLaneLeavesTheRestToTheServer(t *testing.T) {
	t.Parallel()
	publish(t, "lanerest01", "ready")
	server := serve(t, store, nil)
	const file = "/hls/lanerest01/g1/a1/v360/0.m4s"
	plain := "GET " + file + " HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, c := range map[string]struct {
		request string
		status  int
		body    string
	}{
		"a range":               {"GET " + file + " HTTP/1.1\r\nHost: x\r\nRange: bytes=2-4\r\n\r\n", 206, "234"},
		"a range, odd case":     {"GET " + file + " HTTP/1.1\r\nhost: x\r\nrAnGe: bytes=2-4\r\n\r\n", 206, "234"},
		"a condition":           {"GET " + file + " HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n\r\n", 304, ""},
		"an unknown file":       {"GET /hls/lanerest01/g1/a1/v360/7.m4s HTTP/1.1\r\nHost: x\r\n\r\n", 404, "unknown-object"},
		"the original":          {"GET /hls/lanerest01/g1/source HTTP/1.1\r\nHost: x\r\n\r\n", 404, "unknown-object"},
		"another path":          {"GET /player.js HTTP/1.1\r\nHost: x\r\n\r\n", 0, ""},
		"an escaped path":       {"GET /hls/lanerest01/g1/a1/v360/%30.m4s HTTP/1.1\r\nHost: x\r\n\r\n", 200, "0123456789"},
		"steps back":            {"GET /hls/lanerest01/../lanerest01/g1/a1/v360/0.m4s HTTP/1.1\r\nHost: x\r\n\r\n", 404, ""},
		"a query of another":    {"GET " + file + "?x=1 HTTP/1.1\r\nHost: x\r\n\r\n", 200, "0123456789"},
		"no host":               {"GET " + file + " HTTP/1.1\r\n\r\n", 400, ""},
		"two hosts":             {"GET " + file + " HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, ""},
		"an old protocol":       {"GET " + file + " HTTP/1.0\r\nHost: x\r\n\r\n", 200, "0123456789"},
		"a body":                {"GET " + file + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", 200, "0123456789"},
		"a body in chunks":      {"GET " + file + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "0123456789"},
		"a space before colon":  {"GET " + file + " HTTP/1.1\r\nHost: x\r\nRange : bytes=2-4\r\n\r\n", 400, ""},
		"a folded line":         {"GET " + file + " HTTP/1.1\r\nHost: x\r\nX: a\r\n Range: bytes=2-4\r\n\r\n", 0, ""},
		"a head without an end": {"GET " + file + " HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 9<<10) + "\r\n\r\n", 200, "0123456789"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := say(t, server.Listener.Addr().String(), plain+plain+c.request, 3)
			require.Equal(t, "0123456789", got[0].body)
			require.Equal(t, "0123456789", got[1].body)
			if c.status != 0 {
				require.Equal(t, c.status, got[2].StatusCode)
			}
			require.Contains(t, got[2].body, c.body)
		})
	}
	t.Run("a connection that is to end, ends", func(t *testing.T) {
		t.Parallel()
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, "GET "+file+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"+plain)
		require.NoError(t, err)
		all, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(all), "HTTP/1.1 200 OK"))
		require.Contains(t, string(all), "Connection: close\r\n")
	})
}

// TestCMCDIsCountedAndChangesNothing asks as players do, by query and by headers.
func TestCMCDIsCountedAndChangesNothing(t *testing.T) {
	t.Parallel()
	publish(t, "cmcdmedia1", "ready")
	reg := prometheus.NewRegistry()
	h, err := player.New(player.DefaultConfig(), store, nil, keys, reg, discard)
	require.NoError(t, err)
	closeAfter(t, h)
	e := httpx.New(nil, discard)
	h.Register(e)
	server := listen(t, h, e)
	const file = "/hls/cmcdmedia1/g1/a1/v360/0.m4s"
	want := get(t, server.URL+file)
	for _, headers := range [][]string{nil, {"Range", "bytes=0-"}} { // in the lane, and behind it
		for _, query := range []string{
			"?CMCD=bl%3D21300%2Cbs%2Cbr%3D3200%2Cmtp%3D25400%2Cot%3Dv%2Csid%3D%226e2fb550-c457-11e9-bb97-0800200c9a66%22",
			"?CMCD=" + strings.Repeat("x", 3<<10), "?CMCD=%zz", "?CMCD=ot%3Dnothing",
		} {
			got := get(t, server.URL+file+query, headers...)
			require.Equal(t, want.body, got.body)
			require.Equal(t, want.Header.Get("Etag"), got.Header.Get("Etag"))
		}
		require.Equal(t, want.body, get(t, server.URL+file, slices.Concat(headers, []string{"CMCD-Object", "ot=v", "CMCD-Status", "bs"})...).body)
	}
	counted := countersOf(t, reg)
	require.Equal(t, 2.0, counted["vitascope_origin_cmcd_requests_total other"])
	require.Equal(t, 4.0, counted["vitascope_origin_cmcd_requests_total video"])
	require.Equal(t, 4.0, counted["vitascope_origin_cmcd_starved_total"])
	require.Equal(t, 1.0, counted["vitascope_origin_objects_total cold"], "whatever the query says")
	require.Equal(t, 10.0, counted["vitascope_origin_objects_total memory"])
}

// countersOf returns the registry's counters by name and label.
func countersOf(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += " " + l.GetValue()
			}
			out[name] = m.GetCounter().GetValue()
		}
	}
	return out
}

func TestTheLaneSendsFilesOfTheDiskCacheWhole(t *testing.T) {
	t.Parallel()
	p := publish(t, "lanedisk01", "ready")
	segment := make([]byte, 1<<20)
	_, _ = rand.Read(segment)
	require.NoError(t, store.PutBytes(t.Context(), blob.MediaPrefix(p.Account, p.Media)+"g1/a1/v360/1.m4s", segment, ""))
	server := serve(t, store, nil, func(c *player.Config) {
		c.DiskCache, c.DiskCacheBytes, c.CacheDir = true, 16<<20, t.TempDir()
	})
	request := "GET /hls/lanedisk01/g1/a1/v360/1.m4s HTTP/1.1\r\nHost: x\r\n\r\n"
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, got := range say(t, server.Listener.Addr().String(), strings.Repeat(request, 8), 8) {
				require.True(t, bytes.Equal(segment, []byte(got.body)))
			}
		})
	}
	all.Wait()
}
