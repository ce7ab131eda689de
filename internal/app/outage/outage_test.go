// Package outage_test runs whole processes while systems behind them are away.
package outage_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/deploy/engines"
	"github.com/vitascope/vitascope/internal/app"
	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/playback"
)

var discard = slog.New(slog.DiscardHandler)

// nowhere is an address at which nothing listens.
const nowhere = "127.0.0.1:1"

// world is what stays up.
type world struct {
	secret string
	s3     engines.Endpoints
	kafka  string
}

var up world

func TestMain(m *testing.M) {
	status, err := withEngines(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func withEngines(run func() int) (int, error) {
	dir, err := os.MkdirTemp("", "vitascope-outage-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	up.secret = hex.EncodeToString(bytes.Repeat([]byte("outages!"), 4))
	cfg := engines.DefaultConfig(dir)
	cfg.S3, cfg.Kafka, cfg.ClickHouse = true, true, false
	e, err := engines.New(cfg, []byte(up.secret), discard)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if up.s3, err = e.Start(ctx); err != nil {
		return 0, err
	}
	up.kafka = up.s3.KafkaBrokers[0]
	status := run()
	return status, e.Stop(context.Background())
}

// publish stores an open and a signed media, and returns a token for the second.
func publish(t *testing.T) (token string) {
	t.Helper()
	store, err := blob.Open(blob.Config{Endpoint: up.s3.S3Addr, Region: up.s3.S3Region, Bucket: "vitascope",
		AccessKey: up.s3.S3AccessKey, SecretKey: up.s3.S3SecretKey}, discard)
	require.NoError(t, err)
	require.NoError(t, store.EnsureBucket(t.Context()))
	const account = "outageacct"
	for _, id := range []string{"openmedia1", "signmedia1"} {
		for name, body := range map[string]string{
			"g1/p1/multivariant.m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n../a1/v360/index.m3u8\n",
			"g1/a1/v360/index.m3u8":   "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:2,\n0.m4s\n",
			"g1/a1/v360/0.m4s":        "a segment", "g1/a1/v360/init.mp4": "init",
		} {
			require.NoError(t, store.PutBytes(t.Context(), blob.MediaPrefix(account, id)+name, []byte(body), ""))
		}
		require.NoError(t, store.WritePointer(t.Context(), blob.Pointer{Account: account, Media: id, Generation: 1, Publication: 1,
			State: "ready", Name: id, DurationMS: 2000, Multivariant: "g1/p1/multivariant.m3u8"}))
	}
	keys, err := auth.NewKeys([]byte(up.secret))
	require.NoError(t, err)
	key, private, err := playback.NewKey("k1", playback.EdDSA, keys.Sealing)
	require.NoError(t, err)
	require.NoError(t, store.WritePlaybackKeys(t.Context(), blob.PlaybackKeys{Account: account, Keys: []playback.Key{key}}))
	require.NoError(t, store.WriteSettings(t.Context(), blob.Settings{Account: account, Media: "signmedia1", Access: blob.Access{Visibility: blob.Signed}}))
	signing, err := playback.SigningKey(playback.EdDSA, private)
	require.NoError(t, err)
	j := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"sub": "signmedia1", "aud": "playback", "exp": time.Now().Add(time.Hour).Unix()})
	j.Header["kid"] = "k1"
	token, err = j.SignedString(signing)
	require.NoError(t, err)
	return token
}

// start runs a process of players and collectors and returns where it answers.
func start(t *testing.T, change func(*app.Config)) string {
	t.Helper()
	cfg := app.DefaultConfig()
	cfg.Data, cfg.Listen, cfg.Secret = t.TempDir(), "127.0.0.1:0", up.secret
	cfg.Roles = []string{app.RolePlayer, app.RoleCollect}
	cfg.S3Endpoint, cfg.S3AccessKey, cfg.S3SecretKey = up.s3.S3Addr, up.s3.S3AccessKey, up.s3.S3SecretKey
	change(&cfg)
	a, err := app.New(cfg, "test", discard)
	require.NoError(t, err)
	ready, done := make(chan string, 1), make(chan error, 1)
	a.OnReady = func(r app.Ready) { ready <- r.URL }
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	select {
	case url := <-ready:
		return url
	case err := <-done:
		done <- err
		require.NoError(t, err)
		return ""
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}

// play starts a view and fetches what it needs.
func play(t *testing.T, base, id, token string) {
	t.Helper()
	raw, err := json.Marshal(map[string]string{"token": token})
	require.NoError(t, err)
	res, err := http.Post(base+"/embed/medias/"+id+"/config.json", "text/plain", bytes.NewReader(raw))
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	var config struct {
		HLSURL    string `json:"hls_url"`
		ViewToken string `json:"view_token"`
	}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&config))
	require.NotEmpty(t, config.ViewToken)
	files := strings.TrimSuffix(config.HLSURL, "multivariant.m3u8")
	for name, want := range map[string]string{"multivariant.m3u8": "#EXTM3U", "g1/a1/v360/index.m3u8": "0.m4s", "g1/a1/v360/0.m4s": "a segment"} {
		status, body := get(t, files+name)
		require.Equal(t, http.StatusOK, status, name)
		require.Contains(t, body, want)
	}
	if token != "" {
		status, _ := get(t, base+"/hls/"+id+"/g1/a1/v360/0.m4s")
		require.Equal(t, http.StatusUnauthorized, status, "without the token")
	}
}

func TestAPlayerStartsAndPlaysWithTheObjectStoreAlone(t *testing.T) {
	token := publish(t)
	base := start(t, func(c *app.Config) {
		c.Catalog, c.KafkaBrokers, c.ClickHouseURL = "postgres://nobody:x@"+nowhere+"/none", []string{nowhere}, "http://"+nowhere
	})
	play(t, base, "openmedia1", "")
	play(t, base, "signmedia1", token)
	status, body := get(t, base+"/readyz")
	require.Equal(t, http.StatusOK, status, body)
	status, _ = get(t, base+"/embed/medias/nosuchthng/config.json")
	require.Equal(t, http.StatusServiceUnavailable, status, "what only the catalog knows")
}

func TestAPlayerGoesOnWhenTheEventLogBreaksOff(t *testing.T) {
	token := publish(t)
	broker := connect(t, up.kafka)
	base := start(t, func(c *app.Config) { c.KafkaBrokers = []string{broker.addr} })
	play(t, base, "signmedia1", token)
	broker.sever()
	play(t, base, "openmedia1", "")
	play(t, base, "signmedia1", token)
	status, body := get(t, base+"/readyz")
	require.Equal(t, http.StatusOK, status, body)
}

// cable passes connections on until it is broken.
type cable struct {
	addr  string
	l     net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func connect(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &cable{addr: l.Addr().String(), l: l}
	t.Cleanup(c.sever)
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			onto, err := net.Dial("tcp", to)
			if err != nil {
				_ = from.Close()
				continue
			}
			c.mu.Lock()
			c.conns = append(c.conns, from, onto)
			c.mu.Unlock()
			go func() { _, _ = io.Copy(onto, from) }()
			go func() { _, _ = io.Copy(from, onto) }()
		}
	}()
	return c
}

func (c *cable) sever() {
	_ = c.l.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}
