package player_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/player"
)

func config(t *testing.T, url string, headers ...string) map[string]any {
	t.Helper()
	res := get(t, url, headers...)
	require.Equal(t, http.StatusOK, res.StatusCode, res.body)
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	require.Equal(t, "*", res.Header.Get("Access-Control-Allow-Origin"))
	var c map[string]any
	require.NoError(t, json.Unmarshal([]byte(res.body), &c))
	return c
}

func TestConfigStartsAViewOfItsOwn(t *testing.T) {
	t.Parallel()
	publish(t, "cfgready01", "ready")
	server := serve(t, store, nil)
	c := config(t, server.URL+"/embed/medias/cfgready01/config.json")
	require.Equal(t, "cfgready01", c["media_id"])
	require.Equal(t, "A <b>bold</b> title", c["name"])
	require.Equal(t, "ready", c["state"])
	require.InDelta(t, 61.5, c["duration_seconds"], 1e-9)
	require.EqualValues(t, 1920, c["width"])
	require.Equal(t, true, c["has_video"])
	require.Equal(t, server.URL+"/hls/cfgready01/multivariant.m3u8", c["hls_url"])
	require.Equal(t, server.URL+"/beacons/v1", c["beacon_url"])
	for _, name := range []string{"hls_url", "poster_url", "storyboard_url"} {
		require.Equal(t, http.StatusOK, get(t, c[name].(string)).StatusCode, name)
	}

	claims, err := beacon.VerifyViewToken(viewKey, c["view_token"].(string), time.Now())
	require.NoError(t, err)
	require.Equal(t, account, claims.Account)
	require.Equal(t, "cfgready01", claims.Media)
	require.Equal(t, c["view_id"], claims.View)
	require.Equal(t, 61_500*time.Millisecond, claims.Duration)
	again := config(t, server.URL+"/embed/medias/cfgready01/config.json")
	require.NotEqual(t, c["view_id"], again["view_id"])
}

func TestConfigUsesThePublicAddress(t *testing.T) {
	t.Parallel()
	publish(t, "cfgpublic1", "playable")
	server := serve(t, store, nil, func(c *player.Config) { c.PublicURL = "https://video.example.com" })
	c := config(t, server.URL+"/embed/medias/cfgpublic1/config.json")
	require.Equal(t, "https://video.example.com/hls/cfgpublic1/multivariant.m3u8", c["hls_url"])
}

func TestConfigBeforeThereIsAnythingToPlay(t *testing.T) {
	t.Parallel()
	known := states{"cfgsoon001": {Name: "Soon", State: "probing"}, "cfgbad0001": {Name: "Bad", State: "failed"}}
	server := serve(t, store, known)
	for id, state := range known {
		c := config(t, server.URL+"/embed/medias/"+id+"/config.json")
		require.Equal(t, state.State, c["state"])
		require.Empty(t, c["hls_url"])
		require.Empty(t, c["view_token"])
	}
	for _, id := range []string{"cfgnone001", "no", "..%2f..%2fx"} {
		res := get(t, server.URL+"/embed/medias/"+id+"/config.json")
		require.Equal(t, http.StatusNotFound, res.StatusCode, id)
		require.Equal(t, "*", res.Header.Get("Access-Control-Allow-Origin"), "a player of another origin can tell")
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	publish(t, "pageready1", "ready")
	server := serve(t, store, states{"pagesoon01": {Name: "Soon", State: "probing"}})
	t.Run("the watch page describes the video to people and to machines", func(t *testing.T) {
		t.Parallel()
		res := get(t, server.URL+"/watch/pageready1")
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Contains(t, res.Header.Get("Content-Type"), "text/html")
		for _, want := range []string{
			"<title>A &lt;b&gt;bold&lt;/b&gt; title</title>", `media-id="pageready1"`, `aspect="1920/1080"`, "1:01",
			`<meta property="og:type" content="video.other">`, `<meta name="twitter:card" content="player">`,
			`<meta property="og:image" content="` + server.URL + `/hls/pageready1/poster.jpg">`,
			`<meta name="twitter:player" content="` + server.URL + `/embed/iframe/pageready1">`,
		} {
			require.Contains(t, res.body, want)
		}
		require.NotContains(t, res.body, "<b>")
	})
	t.Run("no page needs anything inline, and the frame may be framed", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/watch/pageready1", "/embed/iframe/pageready1", "/watch/unknown001"} {
			res := get(t, server.URL+path)
			policy := res.Header.Get("Content-Security-Policy")
			require.NotContains(t, policy, "unsafe")
			require.Contains(t, policy, "default-src 'none'")
			require.NotContains(t, res.body, "<style")
			require.NotContains(t, res.body, " style=")
			require.Equal(t, strings.HasPrefix(path, "/embed/"), strings.Contains(policy, "frame-ancestors *"), path)
		}
		require.Contains(t, get(t, server.URL+"/examples/pageready1").Header.Get("Content-Security-Policy"), "frame-src 'self'", "its examples hold an iframe")
	})
	t.Run("the frame takes options from its address, and only known ones", func(t *testing.T) {
		t.Parallel()
		res := get(t, server.URL+"/embed/iframe/pageready1?autoplay=1&muted=true&color=e11d48")
		require.Contains(t, res.body, ` autoplay muted player-color="#e11d48">`)
		res = get(t, server.URL+"/embed/iframe/pageready1?color=red;background:url(x)&autoplay=maybe")
		require.Contains(t, res.body, `media-id="pageready1"></vitascope-player>`)
	})
	t.Run("a video in work has a page already", func(t *testing.T) {
		t.Parallel()
		res := get(t, server.URL+"/watch/pagesoon01")
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.NotContains(t, res.body, "og:video")
	})
	t.Run("an unknown video is told so, on a page", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/watch/unknown001", "/watch/x", "/embed/iframe/unknown001"} {
			res := get(t, server.URL+path)
			require.Equal(t, http.StatusNotFound, res.StatusCode, path)
			require.Contains(t, res.body, "This video is not here")
		}
	})
}

func TestConfigOfTheRoleIsChecked(t *testing.T) {
	t.Parallel()
	require.NoError(t, player.DefaultConfig().Validate())
	bad := player.Config{PublicURL: "video.example.com/x", CacheBytes: 1, CacheObjectBytes: -1}
	err := bad.Validate()
	for _, key := range []string{"public-url", "player-cache-bytes", "player-cache-object-bytes"} {
		require.ErrorContains(t, err, key)
	}
	_, err = player.New(player.DefaultConfig(), store, nil, player.Keys{}, nil, discard)
	require.Error(t, err, "views cannot be signed without a key")
}

func benchmark(b *testing.B, h *player.Handler, path string, size int64) {
	b.Helper()
	e := httpx.New(nil, discard)
	h.Register(e)
	b.SetBytes(size)
	for b.Loop() {
		rec := httptest.NewRecorder()
		e.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
		if rec.Code != http.StatusOK {
			b.Fatalf("status %d", rec.Code)
		}
	}
}
