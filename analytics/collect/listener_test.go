package collect_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/vitascope/vitascope/analytics/collect"
	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/eventlog"
	"github.com/vitascope/vitascope/internal/lane"
)

// listen serves the station behind a Listener, as the product does, and returns
// its address and a stop that waits for what is under way.
func (s *station) listen() (addr string, stop func()) {
	s.t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(s.t, err)
	l := lane.Listen(inner, s.handler.Lane(func(_ net.Addr, forwarded []string) string {
		if len(forwarded) > 0 {
			return forwarded[len(forwarded)-1]
		}
		return address
	}))
	server := &http.Server{Handler: s.echo, ReadHeaderTimeout: time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	stop = func() {
		require.NoError(s.t, server.Shutdown(context.Background()))
		require.ErrorIs(s.t, <-done, http.ErrServerClosed)
		require.NoError(s.t, l.Close(), "closed by the server already")
		require.NoError(s.t, l.Wait(context.Background()))
	}
	return inner.Addr().String(), stop
}

// wire is one connection that says what it is told.
type wire struct {
	t    *testing.T
	conn net.Conn
	br   *bufio.Reader
}

func dial(t *testing.T, addr string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &wire{t, conn, bufio.NewReader(conn)}
}

func (w *wire) say(text string) {
	w.t.Helper()
	_, err := io.WriteString(w.conn, text)
	require.NoError(w.t, err)
}

func (w *wire) hear() (*http.Response, string) {
	w.t.Helper()
	res, err := http.ReadResponse(w.br, nil)
	require.NoError(w.t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return res, string(body)
}

func post(body string, fields ...string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nUser-Agent: %s\r\nContent-Type: text/plain;charset=UTF-8\r\n%sContent-Length: %d\r\n\r\n%s",
		collect.Path, chrome, strings.Join(append(fields, ""), "\r\n"), len(body), body)
}

func TestOneConnectionTellsManyBeaconsHoweverItsBytesArrive(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	addr, stop := s.listen()
	w := dial(t, addr)
	body := s.sample("valid-end.json")
	text := post(body)
	w.say(text + text) // two at once
	for _, part := range []string{text[:3], text[3:60], text[60 : len(text)-5], text[len(text)-5:]} {
		w.say(part)
	}
	for range 3 {
		res, _ := w.hear()
		require.Equal(t, http.StatusNoContent, res.StatusCode)
		require.Equal(t, "*", res.Header.Get("Access-Control-Allow-Origin"))
		require.NotEmpty(t, res.Header.Get("Date"))
		require.False(t, res.Close)
	}
	w.say(post(s.sample("invalid-nan.json"), "DNT: 1"))
	res, problem := w.hear()
	require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode)
	require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))
	require.Contains(t, problem, "/problems/beacon-not-json")
	w.say(post(body, "Sec-GPC: 1", "Connection: close", "X-Forwarded-For: 198.51.100.7"))
	res, _ = w.hear()
	require.Equal(t, http.StatusNoContent, res.StatusCode)
	_, err := w.br.ReadByte()
	require.ErrorIs(t, err, io.EOF, "closed as asked")
	stop()
	taken, refused := s.receipts()
	require.Len(t, taken, 4)
	require.Len(t, refused, 1)
	require.Equal(t, []string{"CH", ""}, []string{taken[0].Country, taken[3].Country})
	require.Equal(t, []bool{false, true}, []bool{taken[0].OptedOut, taken[3].OptedOut})
	require.Equal(t, "Chrome", taken[0].Browser)
}

func TestWhatIsNotACommonBeaconIsLeftToTheServer(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	addr, stop := s.listen()
	body := s.sample("valid-end.json")
	chunked := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", collect.Path, len(body), body)
	for name, c := range map[string]struct {
		text   string
		status int
	}{
		"another path":           {"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", http.StatusNotFound},
		"a longer path":          {strings.Replace(post(body), collect.Path, collect.Path+"/more", 1), http.StatusNotFound},
		"a preflight":            {"OPTIONS " + collect.Path + " HTTP/1.1\r\nHost: x\r\n\r\n", http.StatusNoContent},
		"a chunked body":         {chunked, http.StatusNoContent},
		"HTTP/1.0":               {strings.Replace(post(body), "HTTP/1.1", "HTTP/1.0", 1), http.StatusNoContent},
		"another query":          {strings.Replace(post(body), collect.Path, collect.Path+"?x=1&sent_at=1", 1), http.StatusNoContent},
		"two lengths":            {post(body, "Content-Length: 7"), http.StatusBadRequest},
		"both lengths":           {post(body, "Transfer-Encoding: chunked"), http.StatusUnprocessableEntity},
		"a folded field":         {post(body, "X-A: b", " c"), http.StatusNoContent},
		"a space before a colon": {post(body, "X-A : b"), http.StatusBadRequest},
		"a negative length":      {strings.Replace(post(""), "Content-Length: 0", "Content-Length: -1", 1), http.StatusBadRequest},
		"a body too large":       {post(strings.Repeat(" ", beacon.MaxBody+1)), http.StatusRequestEntityTooLarge},
		"a long head":            {post(body, "Cookie: "+strings.Repeat("x", 20_000)), http.StatusNoContent},
	} {
		w := dial(t, addr)
		w.say(post(body) + c.text) // after one of ours
		res, _ := w.hear()
		require.Equal(t, http.StatusNoContent, res.StatusCode, name)
		res, _ = w.hear()
		if name == "a folded field" && res.StatusCode == http.StatusBadRequest {
			continue // net/http may refuse what RFC 9112 lets it
		}
		require.Equal(t, c.status, res.StatusCode, name)
	}
	stop()
}

func TestStoppingAnswersWhatIsUnderWayAndClosesTheRest(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	addr, stop := s.listen()
	resting, busy := dial(t, addr), dial(t, addr)
	resting.say(post(s.sample("valid-end.json")))
	resting.hear()
	busy.say(post(s.sample("valid-end.json"), "X-Forwarded-For: "+slowAddress))
	<-s.slow.begun
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop()
	}()
	_, err := resting.br.ReadByte()
	require.ErrorIs(t, err, io.EOF)
	close(s.slow.goOn)
	res, _ := busy.hear()
	require.Equal(t, http.StatusNoContent, res.StatusCode)
	require.True(t, res.Close)
	<-stopped
	require.Len(t, s.records(), 2)
}

func gzipped(t *testing.T, body string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func TestGzippedBodiesAreReadToTheLimitAndNoFurther(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	header := http.Header{"Content-Encoding": {"gzip"}}
	whole := gzipped(t, s.sample("valid-end.json"))
	require.Equal(t, http.StatusNoContent, s.post(whole, header).StatusCode)
	require.Len(t, s.records(), 1)
	bomb := gzipped(t, strings.Repeat(" ", 60<<20)) // 1 : 1000
	require.Less(t, len(bomb), 64<<10)
	res := s.post(bomb, header)
	require.Equal(t, "/problems/beacon-body-too-large", problemType(t, res))
	res = s.post(whole[:len(whole)-4], header)
	require.Equal(t, "/problems/beacon-media-type", problemType(t, res))
	_, refused := s.receipts()
	require.Len(t, refused, 2)
}

func TestLimitsAskToComeAgain(t *testing.T) {
	t.Parallel()
	broker := newBroker(t)
	body := func(s *station, media string) string {
		return strings.Replace(s.sample("valid-end.json"), s.token(nil), s.token(func(c *beacon.Claims) { c.Media = media }), 1)
	}
	byAddress, byMedia := collect.DefaultConfig(), collect.DefaultConfig()
	byAddress.AddressPerSecond, byMedia.MediaPerSecond = 1, 1
	for name, cfg := range map[string]collect.Config{"address": byAddress, "media": byMedia} {
		s := openStation(t, cfg, broker)
		require.NoError(t, s.events.EnsureTopics(t.Context()))
		statuses := map[int]int{}
		for range 100 {
			res := s.post(body(s, "media00001"), nil)
			statuses[res.StatusCode]++
			if res.StatusCode == http.StatusTooManyRequests {
				require.Equal(t, "10", res.Header.Get("Retry-After"))
				require.Equal(t, "Retry-After", res.Header.Get("Access-Control-Expose-Headers"), "players of every site wait as long as it says")
			}
		}
		require.GreaterOrEqual(t, statuses[http.StatusNoContent], 10, name)
		require.Equal(t, 100, statuses[http.StatusNoContent]+statuses[http.StatusTooManyRequests], name)
		require.Positive(t, statuses[http.StatusTooManyRequests], name)
		if name == "media" {
			require.Equal(t, http.StatusNoContent, s.post(body(s, "media00002"), nil).StatusCode)
		}
	}
}

func TestIdentitiesAreTakenWhenSignedForTheAccount(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	viewer := func(account string) string {
		token, err := beacon.SignViewerToken(s.keys.ViewToken, beacon.Viewer{Account: account, Identity: "jo@example.com", ExpiresAt: time.Now().Add(time.Hour)})
		require.NoError(t, err)
		return token
	}
	body := func(viewer string) string {
		return strings.Replace(s.sample("valid-load-only.json"), `"seq"`, `"viewer": "`+viewer+`", "seq"`, 1)
	}
	named := strings.Replace(s.sample("valid-load-only.json"), s.token(nil), s.token(func(c *beacon.Claims) { c.Identity = "sam@example.com" }), 1)
	for _, c := range []struct {
		body   string
		header http.Header
		want   string
	}{
		{body(viewer("account001")), nil, "jo@example.com"},
		{body(viewer("account001")), nil, "jo@example.com"},
		{body(viewer("account002")), nil, ""},
		{body("forged"), nil, ""},
		{body(viewer("account001")), http.Header{"Dnt": {"1"}}, ""},
		{named, nil, "sam@example.com"},
		{named, http.Header{"Sec-Gpc": {"1"}}, ""},
	} {
		require.Equal(t, http.StatusNoContent, s.post(c.body, c.header).StatusCode)
		all := s.records()
		require.Equal(t, c.want, all[len(all)-1].Identity)
	}
}

func TestBeaconsWaitOnDiskWhileTheLogIsAway(t *testing.T) {
	t.Parallel()
	cfg := collect.DefaultConfig()
	cfg.AckTimeout, cfg.SpoolDir, cfg.SpoolBytes = 300*time.Millisecond, t.TempDir(), 1<<20
	cfg.AddressPerSecond = 10_000
	gone := openStation(t, cfg, []string{"127.0.0.1:1"})
	want := 0
	for _, name := range []string{"valid-load-only.json", "valid-end.json", "invalid-nan.json"} {
		status := gone.post(gone.sample(name), nil).StatusCode
		require.Contains(t, []int{http.StatusNoContent, http.StatusUnprocessableEntity}, status)
	}
	big := strings.Replace(gone.sample("valid-load-only.json"), `"seq"`, `"page": {"url": "`+strings.Repeat("x", 2000)+`"}, "seq"`, 1)
	for gone.post(big, nil).StatusCode == http.StatusNoContent {
		want++
	}
	res := gone.post(big, nil)
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode, "the spool is full")
	require.Equal(t, "10", res.Header.Get("Retry-After"))
	require.Equal(t, "Retry-After", res.Header.Get("Access-Control-Expose-Headers"), "players of every site wait as long as it says")
	require.Greater(t, want, 300)

	// The process ends; another finds the folder, and a broker.
	s := openStation(t, cfg, newBroker(t))
	require.NoError(t, s.events.EnsureTopics(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.handler.Run(ctx) }()
	require.Eventually(t, func() bool { return len(s.logged(eventlog.TopicBeacons)) == want+3 }, 3*time.Minute, 50*time.Millisecond)
	require.Equal(t, http.StatusNoContent, s.post(big, nil).StatusCode)
	cancel()
	require.NoError(t, <-done)
	taken, refused := s.receipts()
	require.Len(t, taken, want+3)
	require.Len(t, refused, 1)
	require.Len(t, s.logged(eventlog.TopicRejected), 1)
	require.Equal(t, beacon.KindLoad, taken[0].Events[0].Kind, "in their order")
	require.Equal(t, beacon.KindEnd, taken[1].Events[len(taken[1].Events)-1].Kind)
}

func TestConnectionsGoOnWhenTheLogGoesAway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spool  bool
		status int
	}{"with a spool": {true, http.StatusNoContent}, "without": {false, http.StatusServiceUnavailable}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(t.TempDir()), kfake.SyncWrites())
			require.NoError(t, err)
			cfg := collect.DefaultConfig()
			cfg.AckTimeout = 30 * time.Second // a busy machine takes its time to sync
			if c.spool {
				cfg.SpoolDir = t.TempDir()
			}
			s := openStation(t, cfg, broker.ListenAddrs())
			require.NoError(t, s.events.EnsureTopics(t.Context()))
			addr, stop := s.listen()
			w := dial(t, addr)
			for range 3 { // by a goroutine, then without one
				w.say(post(s.sample("valid-end.json")))
				res, _ := w.hear()
				require.Equal(t, http.StatusNoContent, res.StatusCode)
			}
			broker.Close()
			for range 2 {
				w.say(post(s.sample("valid-end.json")))
				res, _ := w.hear()
				require.Equal(t, c.status, res.StatusCode)
				if !c.spool {
					require.Equal(t, "10", res.Header.Get("Retry-After"))
					require.Equal(t, "Retry-After", res.Header.Get("Access-Control-Expose-Headers"), "players of every site wait as long as it says")
				}
			}
			stop()
		})
	}
}

func TestABodyTooLargeIsRefusedOnAConnectionThatRested(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	addr, stop := s.listen()
	w := dial(t, addr)
	body := s.sample("valid-end.json")
	for range 2 {
		w.say(post(body))
		res, _ := w.hear()
		require.Equal(t, http.StatusNoContent, res.StatusCode)
	}
	w.say(post(body + strings.Repeat(" ", beacon.MaxBody)))
	res, _ := w.hear()
	require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
	stop()
	taken, refused := s.receipts()
	require.Len(t, taken, 2)
	require.Len(t, refused, 1)
}

// What is left of a body whose sender hung up may read as a whole one.
func TestABodyCutShortIsNotTaken(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	addr, stop := s.listen()
	body := s.sample("valid-end.json")
	head := "POST " + collect.Path + " HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nUser-Agent: " + chrome + "\r\n"
	for _, text := range []string{
		head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body)+1, body),
		head + fmt.Sprintf("Connection: x\r\nContent-Length: %d\r\n\r\n%s", len(body)+1, body),
		head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(body), body),
	} {
		w := dial(t, addr)
		w.say(text)
		require.NoError(t, w.conn.(*net.TCPConn).CloseWrite()) //nolint:forcetypeassert // dialled above
		answer, err := io.ReadAll(w.br)
		require.NoError(t, err)
		require.NotContains(t, string(answer), "204")
	}
	w := dial(t, addr)
	w.say(head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body))
	res, _ := w.hear()
	require.Equal(t, http.StatusNoContent, res.StatusCode, "and a whole one is")
	stop()
	require.Len(t, s.records(), 1)
}
