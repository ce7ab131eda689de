package sink_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/analytics/collect"
	"github.com/vitascope/vitascope/analytics/query"
	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/httpx"
)

// site serves collect and the statistics API; caller is whose account asks.
func (r *rig) site(keys auth.Keys, caller string) *httptest.Server {
	r.t.Helper()
	e := echo.New()
	e.HTTPErrorHandler = httpx.ErrorHandler(r.log)
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.SetRequest(c.Request().WithContext(auth.With(c.Request().Context(), auth.Principal{AccountID: caller})))
			return next(c)
		}
	})
	oneDay := func(string) []byte { return keys.VisitorSalt("2026-11-22") } // who comes before and after midnight is one visitor
	h, err := collect.New(generous(), collect.Keys{ViewToken: keys.ViewToken, VisitorSalt: oneDay}, r.producer, nil, prometheus.NewRegistry(), r.log)
	require.NoError(r.t, err)
	h.Register(e)
	query.Register(httpx.NewAPI(e, "test"), r.stats(), slog.New(slog.DiscardHandler))
	server := httptest.NewServer(e)
	r.t.Cleanup(server.Close)
	return server
}

func get(t testing.TB, url string, into any) int {
	t.Helper()
	res, err := http.Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	if res.StatusCode == http.StatusOK && into != nil {
		require.NoError(t, json.Unmarshal(body, into), "%s", body)
	}
	return res.StatusCode
}

func TestPostedBeaconsReachTheAnswersOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, 4, 33_200)
	keys, err := auth.NewKeys(secret)
	require.NoError(t, err)
	server := r.site(keys, r.account)
	r.start(sinkConfig(), r.store, nil)

	rnd := random(t)
	var playbacks []*playback
	var posts []*http.Request
	for i := range 30 {
		ua := fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", 100+i/2)
		p := simulate(rnd, r.duration, ua) // two views share each browser, and so a visitor
		if i%7 == 3 {
			p.visitor = "" // and some opt out
		}
		playbacks = append(playbacks, p)
		token, err := beacon.SignViewToken(keys.ViewToken, beacon.Claims{
			Account: r.account, Media: r.media, View: p.id, Generation: 1, Duration: time.Duration(r.duration) * time.Millisecond,
			IssuedAt: time.Now(), ExpiresAt: time.Now().Add(beacon.TokenLife),
		})
		require.NoError(t, err)
		for seq, events := range p.batches {
			body, err := json.Marshal(beacon.Batch{V: 1, Token: token, Seq: int64(seq), SentAtMS: time.Now().UnixMilli(), Events: events, Page: &beacon.Page{URL: "https://shop.example/"}})
			require.NoError(t, err)
			for range 1 + rnd.IntN(3) {
				post, err := http.NewRequestWithContext(context.Background(), http.MethodPost, server.URL+collect.Path, strings.NewReader(string(body)))
				require.NoError(t, err)
				post.Header.Set("Content-Type", "text/plain;charset=UTF-8")
				post.Header.Set("User-Agent", ua)
				if p.visitor == "" {
					post.Header.Set("Sec-GPC", "1")
				}
				posts = append(posts, post)
			}
		}
	}
	rnd.Shuffle(len(posts), func(i, j int) { posts[i], posts[j] = posts[j], posts[i] })
	var senders sync.WaitGroup
	for sender := range 8 {
		senders.Go(func() {
			for i := sender; i < len(posts); i += 8 {
				res, err := http.DefaultClient.Do(posts[i])
				if err != nil {
					t.Errorf("post: %v", err)
					return
				}
				_ = res.Body.Close()
				if res.StatusCode != http.StatusNoContent {
					t.Errorf("status %d", res.StatusCode)
				}
			}
		})
	}
	senders.Wait()
	r.drained()
	r.requireTruth(recount(r, playbacks))
	requireAPI(t, server.URL, r)
}

// requireAPI checks the shape of the answers and who gets them.
func requireAPI(t *testing.T, base string, r *rig) {
	t.Helper()
	var figures map[string]any
	require.Equal(t, http.StatusOK, get(t, base+"/v1/stats/media/"+r.media, &figures))
	for _, name := range []string{"media_id", "duration_seconds", "loads", "visitors", "plays", "play_rate", "views", "average_engagement", "hours_watched", "finished", "definitions"} {
		require.Contains(t, figures, name)
	}
	for name, formula := range figures["definitions"].(map[string]any) {
		require.NotEmpty(t, formula, name)
		require.Contains(t, figures, name, "a definition without its figure")
	}
	var graph map[string]any
	require.Equal(t, http.StatusOK, get(t, base+"/v1/stats/media/"+r.media+"/engagement", &graph))
	require.Len(t, graph["engagement"], 34)
	require.Len(t, graph["rewatches"], 34)
	var page struct {
		Items []struct {
			ViewID   string   `json:"view_id"`
			PageURL  string   `json:"page_url"`
			Device   string   `json:"device"`
			Browser  string   `json:"browser"`
			Live     *bool    `json:"live"`
			Strip    [][2]int `json:"strip"`
			Started  string   `json:"started_at"`
			Watched  float64  `json:"watched_seconds"`
			Fraction float64  `json:"percent_watched"`
		} `json:"items"`
		NextCursor string `json:"next_cursor"`
	}
	require.Equal(t, http.StatusOK, get(t, base+"/v1/stats/media/"+r.media+"/views?limit=5", &page))
	require.Len(t, page.Items, 5)
	require.NotEmpty(t, page.NextCursor)
	v := page.Items[0]
	require.Equal(t, []string{"https://shop.example/", "desktop", "Chrome"}, []string{v.PageURL, v.Device, v.Browser})
	require.NotNil(t, v.Live)
	require.InDelta(t, v.Watched/33.2, v.Fraction, 1e-9)
	cells := 0
	for _, run := range v.Strip {
		cells += run[1]
	}
	require.Equal(t, 34, cells)
	var overview map[string]any
	require.Equal(t, http.StatusOK, get(t, base+"/v1/stats/overview", &overview))
	require.InDelta(t, 1, overview["media"], 0)
	require.Equal(t, figures["plays"], overview["plays"])

	require.Equal(t, http.StatusUnprocessableEntity, get(t, base+"/v1/stats/media/"+r.media+"/views?cursor=nonsense", nil))
	require.Equal(t, http.StatusUnprocessableEntity, get(t, base+"/v1/stats/media/"+r.media+"/views?limit=1000", nil))
	other := r.site(auth.Keys{ViewToken: secret}, "account002")
	for _, path := range []string{"", "/engagement", "/views"} {
		require.Equal(t, http.StatusNotFound, get(t, base+"/v1/stats/media/unknown000"+path, nil), path)
		require.Equal(t, http.StatusNotFound, get(t, other.URL+"/v1/stats/media/"+r.media+path, nil), "another account's, %s", path)
	}
	var nothing map[string]any
	require.Equal(t, http.StatusOK, get(t, other.URL+"/v1/stats/overview", &nothing))
	require.InDelta(t, 0, nothing["loads"], 0)
	require.InDelta(t, 0, nothing["play_rate"], 0)
	anonymous := r.site(auth.Keys{ViewToken: secret}, "")
	require.Equal(t, http.StatusUnauthorized, get(t, anonymous.URL+"/v1/stats/overview", nil))
}

func TestLongMediaHaveAtMostAThousandCells(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 2_500_000) // 2,500 s: cells of 3 s
	at := time.Now().UnixMilli()
	p := &playback{id: "0199b0a0-0000-7000-8000-000000000000", batches: [][]beacon.Event{{
		{Kind: beacon.KindPlay, AtMS: at},
		{Kind: beacon.KindWatch, AtMS: at, FromMS: 0, ToMS: 601_000, Rate: 1},
		{Kind: beacon.KindWatch, AtMS: at, FromMS: 0, ToMS: 30_000, Rate: 1, Repeat: true},
	}}}
	r.send(p.record(r, 0))
	r.start(sinkConfig(), r.store, nil)
	r.drained()
	graph, err := r.stats().Engagement(t.Context(), r.account, r.media, query.Filter{})
	require.NoError(t, err)
	require.Equal(t, 3, graph.CellSeconds)
	require.Len(t, graph.Engagement, 834)
	for cell := range graph.Engagement {
		middle := min(3*cell+1, 2499)
		require.Equal(t, middle < 601, graph.Engagement[cell] == 1, "cell %d", cell)
		require.Equal(t, middle < 30, graph.Rewatches[cell] == 1, "cell %d", cell)
	}
	views, err := r.stats().Views(t.Context(), r.account, r.media, "", 10, query.Filter{})
	require.NoError(t, err)
	require.Equal(t, []beacon.Run{{2, 10}, {1, 190}, {0, 634}}, views.Items[0].Strip)
	_, err = r.stats().Engagement(t.Context(), r.account, "unknown000", query.Filter{})
	require.ErrorIs(t, err, catalog.ErrNotFound)
}

// generous lets one address, that of the test, send all there is.
func generous() collect.Config {
	cfg := collect.DefaultConfig()
	cfg.AddressPerSecond = 100_000
	return cfg
}
