package collect_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/vitascope/vitascope/analytics/collect"
	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/eventlog"
	"github.com/vitascope/vitascope/internal/httpx"
)

const (
	samples     = "../../internal/beacon/testdata"
	sampleToken = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhY2MiOiJhY2NvdW50MDAxIn0.c2lnbmF0dXJl"
	chrome      = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
	address     = "203.0.113.77"
)

// station is collect with a broker behind it.
type station struct {
	t       testing.TB
	keys    auth.Keys
	events  *eventlog.Log
	handler *collect.Handler
	slow    countries
	echo    *echo.Echo
	begun   time.Time // when every token was issued, so that equal claims give equal tokens
}

func newStation(t testing.TB) *station {
	t.Helper()
	s := openStation(t, collect.DefaultConfig(), newBroker(t))
	require.NoError(t, s.events.EnsureTopics(t.Context()))
	return s
}

func newBroker(t testing.TB) []string {
	t.Helper()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(t.TempDir()), kfake.SyncWrites())
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	return broker.ListenAddrs()
}

func openStation(t testing.TB, cfg collect.Config, brokers []string) *station {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	lcfg := eventlog.DefaultConfig()
	lcfg.Brokers, lcfg.Partitions = brokers, 1
	events, err := eventlog.Open(lcfg, log)
	require.NoError(t, err)
	t.Cleanup(events.Close)
	producer := events.Producer()
	t.Cleanup(func() { _ = producer.Close() })
	keys, err := auth.NewKeys([]byte("0123456789abcdef0123456789abcdef"))
	require.NoError(t, err)
	slow := countries{make(chan struct{}), make(chan struct{})}
	h, err := collect.New(cfg, collect.Keys{ViewToken: keys.ViewToken, VisitorSalt: keys.VisitorSalt}, producer, slow, prometheus.NewRegistry(), log)
	require.NoError(t, err)
	e := httpx.New(nil, log)
	h.Register(e)
	return &station{t: t, keys: keys, events: events, handler: h, slow: slow, echo: e, begun: time.Now()}
}

// countries knows the one address the tests come from, and takes its time for
// another.
type countries struct{ begun, goOn chan struct{} }

const slowAddress = "198.51.100.99"

func (c countries) Of(addr netip.Addr) string {
	switch addr.String() {
	case address:
		return "CH"
	case slowAddress:
		close(c.begun)
		<-c.goOn
	}
	return ""
}

func (s *station) token(change func(*beacon.Claims)) string {
	s.t.Helper()
	c := beacon.Claims{
		Account: "account001", Media: "media00001", View: "0199b0a0-0000-7000-8000-000000000000", Generation: 1,
		Duration: time.Minute, IssuedAt: s.begun, ExpiresAt: s.begun.Add(beacon.TokenLife),
	}
	if change != nil {
		change(&c)
	}
	token, err := beacon.SignViewToken(s.keys.ViewToken, c)
	require.NoError(s.t, err)
	return token
}

func (s *station) post(body string, header http.Header) *http.Response {
	r := httptest.NewRequest(http.MethodPost, collect.Path, strings.NewReader(body))
	r.RemoteAddr = address + ":4711"
	r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	r.Header.Set("User-Agent", chrome)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	s.echo.ServeHTTP(w, r)
	return w.Result()
}

func (s *station) sample(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(samples, name))
	require.NoError(s.t, err)
	return strings.ReplaceAll(string(b), sampleToken, s.token(nil))
}

// logged returns all of a topic.
func (s *station) logged(topic string) []eventlog.Message {
	s.t.Helper()
	ranges, err := s.events.Offsets(s.t.Context(), topic)
	require.NoError(s.t, err)
	var all []eventlog.Message
	for at := ranges[0].First; at < ranges[0].End; at = all[len(all)-1].Offset + 1 {
		chunk, err := s.events.Reader(topic, 0).Read(s.t.Context(), at, 1<<20, time.Second)
		require.NoError(s.t, err)
		all = append(all, chunk.Messages...)
	}
	return all
}

// records returns those of the batches that were taken.
func (s *station) records() []*beacon.Record {
	s.t.Helper()
	taken, _ := s.receipts()
	return taken
}

// receipts returns every record, those of batches and those of refusals.
func (s *station) receipts() (taken, refused []*beacon.Record) {
	s.t.Helper()
	seen := map[uint64]bool{}
	for _, m := range s.logged(eventlog.TopicBeacons) {
		r, err := beacon.DecodeRecord(m.Value)
		require.NoError(s.t, err)
		require.False(s.t, seen[r.Receipt], "receipts are told apart")
		seen[r.Receipt] = true
		if r.Refused != "" {
			refused = append(refused, r)
			continue
		}
		require.Equal(s.t, r.View, string(m.Key))
		taken = append(taken, r)
	}
	return taken, refused
}

func problemType(t testing.TB, res *http.Response) string {
	t.Helper()
	require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))
	var p struct{ Type string }
	require.NoError(t, json.NewDecoder(res.Body).Decode(&p))
	return p.Type
}

func TestSamplesAreLoggedOrRefusedByCode(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	var index []struct{ File, Code string }
	b, err := os.ReadFile(filepath.Join(samples, "index.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &index))
	accepted, kept, refusals := 0, map[string]string{}, map[string]int{}
	for _, sample := range index {
		body := s.sample(sample.File)
		res := s.post(body, nil)
		require.Equal(t, "*", res.Header.Get("Access-Control-Allow-Origin"), sample.File)
		if sample.Code == "" {
			require.Equal(t, http.StatusNoContent, res.StatusCode, sample.File)
			accepted++
			continue
		}
		want := http.StatusUnprocessableEntity
		switch sample.Code {
		case "body_too_large":
			want = http.StatusRequestEntityTooLarge
		case "token_missing":
			want = http.StatusForbidden
		}
		require.Equal(t, want, res.StatusCode, sample.File)
		require.Equal(t, "/problems/beacon-"+strings.ReplaceAll(sample.Code, "_", "-"), problemType(t, res), sample.File)
		refusals[sample.Code]++
		if sample.Code != "body_too_large" {
			kept[body] = sample.Code
		}
	}
	taken, refused := s.receipts()
	require.Len(t, taken, accepted)
	for _, r := range refused {
		refusals[string(r.Refused)]--
		require.Equal(t, r.Refused != "token_missing" && r.Account != "", r.Media == "media00001", "whose it is, if the token could be read")
	}
	for code, n := range refusals {
		require.Zero(t, n, "receipts of %s", code)
	}
	rejected := s.logged(eventlog.TopicRejected)
	require.Len(t, rejected, len(kept))
	for _, m := range rejected {
		require.Equal(t, kept[string(m.Value)], string(m.Headers[0].Value), "reason of %s", m.Value)
	}
}

func TestRecordsAreClampedAndEnriched(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	before := time.Now().UnixMilli()
	require.Equal(t, http.StatusNoContent, s.post(s.sample("valid-past-the-end.json"), nil).StatusCode)
	r := s.records()[0]
	require.Equal(t, "account001", r.Account)
	require.Equal(t, "media00001", r.Media)
	require.Equal(t, int64(60_000), r.DurationMS)
	require.Equal(t, [3]string{"desktop", "Chrome", "Linux"}, [3]string{r.Device, r.Browser, r.OS})
	require.False(t, r.Bot)
	require.Equal(t, "CH", r.Country)
	require.Len(t, r.Events, 2)
	for _, e := range r.Events {
		require.LessOrEqual(t, e.ToMS, int64(60_000))
		require.InDelta(t, before, e.AtMS, 60_000, "on the server's clock")
	}
}

func TestTokensOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	body := s.sample("valid-load-only.json")
	good := s.token(nil)
	expired := s.token(func(c *beacon.Claims) { c.ExpiresAt = time.Now().Add(-time.Minute) })
	res := s.post(strings.Replace(body, good, expired, 1), nil)
	require.Equal(t, http.StatusForbidden, res.StatusCode)
	require.Equal(t, "/problems/beacon-token-expired", problemType(t, res))
	foreign, err := beacon.SignViewToken([]byte("another deployment's key, 32 bytes"), beacon.Claims{Account: "a", Media: "m", View: "v", Duration: time.Second, ExpiresAt: time.Now().Add(time.Hour)})
	require.NoError(t, err)
	res = s.post(strings.Replace(body, good, foreign, 1), nil)
	require.Equal(t, http.StatusForbidden, res.StatusCode)
	require.Equal(t, "/problems/beacon-token-invalid", problemType(t, res))
	require.Empty(t, s.records())
}

func TestVisitorsArePseudonymsOfTheDayAndNoAddressIsKept(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	body := s.sample("valid-load-only.json")
	for _, header := range []http.Header{nil, nil, {"User-Agent": {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/605.1.15"}}, {"Sec-Gpc": {"1"}}, {"Dnt": {"1"}}} {
		require.Equal(t, http.StatusNoContent, s.post(body, header).StatusCode)
	}
	other := strings.Replace(body, s.token(nil), s.token(func(c *beacon.Claims) { c.Account = "account002" }), 1)
	require.Equal(t, http.StatusNoContent, s.post(other, nil).StatusCode)
	r := s.records()
	require.Len(t, r[0].Visitor, 32)
	require.Equal(t, r[0].Visitor, r[1].Visitor)
	require.NotEqual(t, r[0].Visitor, r[2].Visitor, "another browser")
	require.Empty(t, r[3].Visitor, "Sec-GPC")
	require.Empty(t, r[4].Visitor, "DNT")
	require.Equal(t, []bool{false, false, false, true, true, false}, []bool{r[0].OptedOut, r[1].OptedOut, r[2].OptedOut, r[3].OptedOut, r[4].OptedOut, r[5].OptedOut})
	require.NotEqual(t, r[0].Visitor, r[5].Visitor, "accounts cannot compare their visitors")
	for _, m := range s.logged(eventlog.TopicBeacons) {
		require.NotContains(t, string(m.Value), address)
		require.NotContains(t, string(m.Value), "Mozilla")
	}
}

func TestUserAgentsAreReduced(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	body := s.sample("valid-load-only.json")
	for _, c := range []struct {
		ua, device, browser, os string
		bot                     bool
	}{
		{"", "bot", "", "", true},
		{"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot", "other", "", true},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1", "mobile", "Safari", "iOS", false},
		{"Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1", "tablet", "Safari", "iOS", false},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0", "desktop", "Firefox", "Windows", false},
		{"Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/76.0 TV Safari/537.36", "tv", "Chrome", "Linux", false},
		{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36", "desktop", "Headless Chrome", "Linux", false},
		{"My own name " + strings.Repeat("x", 2000), "", "other", "", false},
	} {
		require.Equal(t, http.StatusNoContent, s.post(body, http.Header{"User-Agent": {c.ua}}).StatusCode)
		all := s.records()
		r := all[len(all)-1]
		require.Equal(t, []any{c.device, c.browser, c.os, c.bot}, []any{r.Device, r.Browser, r.OS, r.Bot}, c.ua)
		require.Equal(t, c.bot, r.BotReason != "", c.ua)
	}
}

func TestOnlyPlainTextIsTaken(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	for _, header := range []http.Header{{"Content-Type": {"application/json"}}, {"Content-Type": {""}}, {"Content-Encoding": {"gzip"}}, {"Content-Encoding": {"br"}}} {
		res := s.post(s.sample("valid-load-only.json"), header)
		require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode)
		require.Equal(t, "/problems/beacon-media-type", problemType(t, res))
	}
	r := httptest.NewRequest(http.MethodOptions, collect.Path, nil)
	w := httptest.NewRecorder()
	s.echo.ServeHTTP(w, r)
	require.Equal(t, http.StatusNoContent, w.Code)
	require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
	require.Empty(t, w.Header().Get("Access-Control-Allow-Credentials"))
}

func TestWithoutTheLogBeaconsAreAskedForAgain(t *testing.T) {
	t.Parallel()
	cfg := collect.DefaultConfig()
	cfg.AckTimeout = 200 * time.Millisecond
	s := openStation(t, cfg, []string{"127.0.0.1:1"})
	res := s.post(s.sample("valid-load-only.json"), nil)
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	require.Equal(t, "10", res.Header.Get("Retry-After"))
	require.Equal(t, "Retry-After", res.Header.Get("Access-Control-Expose-Headers"), "players of every site wait as long as it says")
	require.Equal(t, "/problems/event-log-away", problemType(t, res))
}

func TestALeavingViewersBeaconIsStillLogged(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, collect.Path, strings.NewReader(s.sample("valid-end.json")))
	r.Header.Set("Content-Type", "text/plain")
	s.echo.ServeHTTP(httptest.NewRecorder(), r)
	require.Len(t, s.records(), 1)
}

// BenchmarkCollect posts beacons of two intervals over HTTP from 256 connections,
// broker, server and clients in this process: run it with -cpu 1 for one core.
// The handler run leaves out the HTTP connections.
func BenchmarkCollect(b *testing.B) {
	cfg := collect.DefaultConfig()
	cfg.AddressPerSecond, cfg.MediaPerSecond = 1_000_000, 1_000_000
	s := openStation(b, cfg, newBroker(b))
	require.NoError(b, s.events.EnsureTopics(b.Context()))
	body := `{"v":1,"token":"` + s.token(nil) + `","seq":1,"sent_at_ms":1790000000000,"events":[` +
		`{"k":"watch","at_ms":1790000000000,"from_ms":0,"to_ms":5000,"rate":1,"repeat":false},` +
		`{"k":"watch","at_ms":1790000000000,"from_ms":1000,"to_ms":2000,"rate":1,"repeat":true}]}`
	b.Run("handler", func(b *testing.B) {
		b.SetParallelism(256)
		b.ReportAllocs()
		before := processorTime(b)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if res := s.post(body, nil); res.StatusCode != http.StatusNoContent {
					b.Errorf("status %d", res.StatusCode)
				}
			}
		})
		report(b, before)
	})
	b.Run("http", func(b *testing.B) {
		addr, stop := s.listen()
		b.Cleanup(stop)
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}}
		b.SetParallelism(256)
		before := processorTime(b)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				res, err := client.Post("http://"+addr+collect.Path, "text/plain", strings.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if res.StatusCode != http.StatusNoContent {
					b.Errorf("status %d", res.StatusCode)
				}
			}
		})
		report(b, before)
	})
}

// report adds rates by the clock and by processor time, which is the fairer one
// where others use the machine too.
func report(b *testing.B, before time.Duration) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "beacons/s")
	b.ReportMetric(float64(b.N)/(processorTime(b)-before).Seconds(), "beacons/cpu-s")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
