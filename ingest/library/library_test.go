package library_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/ingest/internal/ingesttest"
	"github.com/vitascope/vitascope/ingest/library"
	"github.com/vitascope/vitascope/internal/apitest"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
)

func TestMain(m *testing.M) { os.Exit(ingesttest.Main(m)) }

const public = "https://video.example.test"

// shelf is a running library.
type shelf struct {
	*ingesttest.World
	service *library.Service
	srv     *httptest.Server
}

func start(t *testing.T) *shelf {
	t.Helper()
	w := ingesttest.New(t)
	cfg := library.DefaultConfig()
	cfg.PublicURL = public
	cfg.PollEvery, cfg.PingEvery = 5*time.Millisecond, 50*time.Millisecond
	s, err := library.New(cfg, w.DB, w.Blobs, w.Jobs, w.Log)
	require.NoError(t, err)
	srv := w.Serve(t, func(_ *echo.Echo, api huma.API) { s.Register(api) })
	return &shelf{World: w, service: s, srv: srv}
}

// put creates a media of the account.
func (s *shelf) put(t *testing.T, account, name string, state catalog.MediaState, edit func(*catalog.Media)) catalog.Media {
	t.Helper()
	m := catalog.Media{ID: catalog.NewID(), AccountID: account, Name: name, State: state, Generation: 1, SizeBytes: 1000}
	m.SourceKey = blob.SourceKey(account, m.ID, 1)
	if state != catalog.StateUploading {
		m.UploadedAt = time.Now().UTC()
	}
	if edit != nil {
		edit(&m)
	}
	require.NoError(t, s.DB.CreateMedia(t.Context(), s.DB, &m))
	return m
}

func (s *shelf) call(t *testing.T, token, method, path string, body, out any) int {
	t.Helper()
	return apitest.Call(t, s.srv.URL, token, method, path, body, out)
}

type page struct {
	Items      []library.Media
	NextCursor string `json:"next_cursor"`
}

func TestListPagesThroughTheAccountsMedia(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, name := range []string{"one", "two", "50% off_er", "four"} {
		s.put(t, s.Ann.Account, name, catalog.StateProbing, nil)
	}
	s.put(t, s.Eve.Account, "foreign", catalog.StateProbing, nil)
	var got []string
	for path := "/v1/media?limit=3"; path != ""; {
		var p page
		require.Equal(t, http.StatusOK, s.call(t, s.Ann.Token, "GET", path, "", &p))
		for _, m := range p.Items {
			got = append(got, m.Name)
		}
		path = ""
		if p.NextCursor != "" {
			path = "/v1/media?limit=3&cursor=" + p.NextCursor
		}
	}
	require.Equal(t, []string{"four", "50% off_er", "two", "one"}, got)

	var p page
	require.Equal(t, http.StatusOK, s.call(t, s.Ann.Token, "GET", "/v1/media?q=0%25+OFF_", "", &p))
	require.Len(t, p.Items, 1)
	require.Equal(t, http.StatusOK, s.call(t, s.Ann.Token, "GET", "/v1/media?q=t%00wo", "", &p))
	require.Len(t, p.Items, 1)
	require.Equal(t, http.StatusUnprocessableEntity, s.call(t, s.Ann.Token, "GET", "/v1/media?limit=0", "", nil))
	require.Equal(t, http.StatusUnprocessableEntity, s.call(t, s.Ann.Token, "GET", "/v1/media?cursor=zzzzzzzzzz", "", nil))
	require.Equal(t, http.StatusUnprocessableEntity, s.call(t, s.Ann.Token, "GET", "/v1/media?cursor=%00", "", nil))
}

func TestAMediaTellsEverythingAboutItself(t *testing.T) {
	t.Parallel()
	s := start(t)
	up := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	m := s.put(t, s.Ann.Account, `"Ad" <b>`, catalog.StateReady, func(m *catalog.Media) {
		m.DurationMS, m.Width, m.Height, m.FrameRate, m.HasVideo, m.HasAudio = 60500, 1080, 1920, 29.97, true, true
		m.UploadedAt, m.PlayableAt, m.ReadyAt = up, up.Add(3*time.Second), up.Add(9500*time.Millisecond)
		m.PosterKey = blob.GenerationPrefix(m.AccountID, m.ID, 1) + "a1/poster.jpg"
		m.Progress = 0.97
	})
	for _, r := range []catalog.Rendition{
		{Name: "a0", Kind: catalog.RenditionAudio, Codecs: "mp4a.40.2"},
		{Name: "v720", Kind: catalog.RenditionVideo, Codecs: "avc1.64001f", Width: 406, Height: 720, BandwidthBPS: 3_000_000},
		{Name: "v360", Kind: catalog.RenditionVideo, Codecs: "avc1.64001e", Width: 202, Height: 360},
	} {
		r.MediaID, r.Generation = m.ID, 1
		require.NoError(t, s.DB.PutRendition(t.Context(), s.DB, &r))
	}
	var got library.Media
	require.Equal(t, http.StatusOK, s.call(t, s.Ann.Token, "GET", "/v1/media/"+m.ID, "", &got))
	require.Equal(t, "ready", got.State)
	require.Nil(t, got.Failure)
	require.InDelta(t, 1, got.Progress, 0)
	require.InDelta(t, 60.5, got.DurationSeconds, 1e-9)
	require.InDelta(t, 3, *got.PlayableSecondsAfterUpload, 1e-9)
	require.InDelta(t, 9.5, *got.ReadySecondsAfterUpload, 1e-9)
	require.Equal(t, []string{"v360", "v720", "a0"}, []string{got.Renditions[0].Name, got.Renditions[1].Name, got.Renditions[2].Name})
	require.Equal(t, public+"/hls/"+m.ID+"/g1/a1/poster.jpg", got.PosterURL)
	require.Equal(t, public+"/hls/"+m.ID+"/multivariant.m3u8", got.HLSURL)
	require.Equal(t, public+"/watch/"+m.ID, got.WatchURL)
	require.Equal(t, public+"/#/media/"+m.ID, got.AnalyticsURL)
	require.Equal(t, `<script type="module" async src="`+public+`/player.js"></script>`+
		`<style>vitascope-player[media-id="`+m.ID+`"]:not(:defined){display:block;aspect-ratio:1080/1920}</style>`+
		`<vitascope-player media-id="`+m.ID+`" aspect="1080/1920"></vitascope-player>`, got.EmbedCode)
	require.Contains(t, got.IframeCode, `title="&#34;Ad&#34; &lt;b&gt;"`)
	require.Contains(t, got.IframeCode, "aspect-ratio:1080/1920")
}

func TestAFailureHasASentence(t *testing.T) {
	t.Parallel()
	s := start(t)
	m := s.put(t, s.Ann.Account, "x", catalog.StateProbing, nil)
	require.NoError(t, s.DB.FailMedia(t.Context(), m.ID, 1, "not_media", "This is not a video.", false))
	var got library.Media
	require.Equal(t, http.StatusOK, s.call(t, s.Ann.Token, "GET", "/v1/media/"+m.ID, "", &got))
	require.Equal(t, &library.Failure{Code: "not_media", Reason: "This is not a video."}, got.Failure)
	require.Empty(t, got.PosterURL)
}

func TestForeignAndUnknownMediaLookAlike(t *testing.T) {
	t.Parallel()
	s := start(t)
	m := s.put(t, s.Ann.Account, "mine", catalog.StateFailed, func(m *catalog.Media) { m.FailureRetryable = true })
	type problem struct{ Type, Title, Detail string }
	for _, op := range []struct{ method, path, body string }{
		{"GET", "", ""}, {"PATCH", "", `{"name":"taken"}`}, {"DELETE", "", ""}, {"POST", "/retries", ""},
		{"GET", "/captions", ""}, {"GET", "/captions/de", ""}, {"PUT", "/captions/de", srt}, {"DELETE", "/captions/de", ""},
		{"GET", "/chapters", ""}, {"PUT", "/chapters", `{"items":[]}`}, {"PUT", "/poster", `{"time_seconds":1}`}, {"PUT", "/poster/picture", "\xff\xd8\xff"},
	} {
		require.Equal(t, http.StatusUnauthorized, s.call(t, "", op.method, "/v1/media/"+m.ID+op.path, op.body, nil))
		var foreign, unknown problem
		require.Equal(t, http.StatusNotFound, s.call(t, s.Eve.Token, op.method, "/v1/media/"+m.ID+op.path, op.body, &foreign))
		for _, id := range []string{"0000000000", "%00", "..%2f..", "a"} {
			require.Equal(t, http.StatusNotFound, s.call(t, s.Eve.Token, op.method, "/v1/media/"+id+op.path, op.body, &unknown), id)
			require.Equal(t, foreign, unknown)
		}
	}
	require.Equal(t, http.StatusUnauthorized, s.call(t, "", "GET", "/v1/media", "", nil))
	require.Equal(t, http.StatusUnauthorized, s.call(t, "", "GET", "/v1/events", "", nil))
	kept, err := s.DB.Media(t.Context(), s.Ann.Account, m.ID)
	require.NoError(t, err)
	require.Equal(t, "mine", kept.Name)
	require.Equal(t, catalog.StateFailed, kept.State)
	require.Empty(t, s.JobKinds(t))
}

func TestRenamingReachesThePublishedPointer(t *testing.T) {
	t.Parallel()
	s := start(t)
	for state, published := range map[catalog.MediaState]string{
		catalog.StateReady:    "New name",
		catalog.StatePlayable: "old", // the ladder's next publication brings it
	} {
		m := s.put(t, s.Ann.Account, "old", state, nil)
		require.NoError(t, s.Blobs.WritePointer(t.Context(), blob.Pointer{Account: m.AccountID, Media: m.ID, Generation: 1, Publication: 3, Name: "old"}))
		var got library.Media
		require.Equal(t, http.StatusOK, s.call(t, s.Ann.Token, "PATCH", "/v1/media/"+m.ID, `{"name":" New\u202e\u0000 name "}`, &got))
		require.Equal(t, "New name", got.Name)
		p, err := s.Blobs.ReadPointer(t.Context(), m.ID)
		require.NoError(t, err)
		require.Equal(t, published, p.Name)
		require.Equal(t, 3, p.Publication)
	}
	m := s.put(t, s.Ann.Account, "old", catalog.StateProbing, nil)
	require.Equal(t, http.StatusUnprocessableEntity, s.call(t, s.Ann.Token, "PATCH", "/v1/media/"+m.ID, `{"name":""}`, nil))
	require.Equal(t, http.StatusUnprocessableEntity, s.call(t, s.Ann.Token, "PATCH", "/v1/media/"+m.ID, `{"name":"`+strings.Repeat("x", 256)+`"}`, nil))
}

func TestDeletingRemovesEverything(t *testing.T) {
	t.Parallel()
	s := start(t)
	gone := s.put(t, s.Ann.Account, "gone", catalog.StateReady, nil)
	kept := s.put(t, s.Ann.Account, "kept", catalog.StateReady, nil)
	ctx := t.Context()
	for _, m := range []catalog.Media{gone, kept} {
		for _, key := range []string{m.SourceKey, blob.GenerationPrefix(m.AccountID, m.ID, 1) + "a1/v360/0.m4s", blob.PointerKey(m.ID)} {
			require.NoError(t, s.Blobs.PutBytes(ctx, key, []byte("x"), "text/plain"))
		}
		_, err := s.Blobs.StartParts(ctx, blob.SourceKey(m.AccountID, m.ID, 2), "video/mp4")
		require.NoError(t, err)
	}
	require.Equal(t, http.StatusNoContent, s.call(t, s.Ann.Token, "DELETE", "/v1/media/"+gone.ID, "", nil))
	require.Equal(t, http.StatusNotFound, s.call(t, s.Ann.Token, "GET", "/v1/media/"+gone.ID, "", nil))
	require.Equal(t, http.StatusNotFound, s.call(t, s.Ann.Token, "DELETE", "/v1/media/"+gone.ID, "", nil))

	work, err := jobs.New(s.DB, jobs.Config{Queues: map[string]int{jobs.QueueDefault: 1}}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	library.AddWorkers(work, s.Blobs)
	runCtx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- work.Run(runCtx) }()
	require.Eventually(t, func() bool { return s.count(t, gone) == 0 }, 3*time.Minute, 20*time.Millisecond)
	stop()
	require.NoError(t, <-ended)
	require.Equal(t, 4, s.count(t, kept))
	var forgets int
	require.NoError(t, s.DB.NewRaw("SELECT count(*) FROM river_job WHERE kind = ?", jobs.ForgetArgs{}.Kind()).Scan(ctx, &forgets))
	require.Equal(t, 2, forgets, "its figures go too, now and when the last view token has expired")
}

// count is how much is stored for a media, unfinished parts included.
func (s *shelf) count(t *testing.T, m catalog.Media) int {
	t.Helper()
	parts, err := s.Blobs.StartedParts(t.Context(), blob.MediaPrefix(m.AccountID, m.ID))
	require.NoError(t, err)
	n := len(parts)
	for _, prefix := range []string{blob.MediaPrefix(m.AccountID, m.ID), blob.PointerKey(m.ID)} {
		for _, err := range s.Blobs.List(t.Context(), prefix) {
			require.NoError(t, err)
			n++
		}
	}
	return n
}

func TestRetryingIsForFailuresThatMayPass(t *testing.T) {
	t.Parallel()
	s := start(t)
	m := s.put(t, s.Ann.Account, "x", catalog.StateProbing, nil)
	path := "/v1/media/" + m.ID + "/retries"
	require.Equal(t, http.StatusConflict, s.call(t, s.Ann.Token, "POST", path, "", nil))
	require.NoError(t, s.DB.FailMedia(t.Context(), m.ID, 1, "not_media", "No.", false))
	require.Equal(t, http.StatusConflict, s.call(t, s.Ann.Token, "POST", path, "", nil))
	require.Empty(t, s.JobKinds(t))
	require.NoError(t, s.DB.FailMedia(t.Context(), m.ID, 1, "internal_error", "Later.", true))
	var got library.Media
	require.Equal(t, http.StatusAccepted, s.call(t, s.Ann.Token, "POST", path, "", &got))
	require.Equal(t, "probing", got.State)
	require.Nil(t, got.Failure)
	require.Equal(t, http.StatusConflict, s.call(t, s.Ann.Token, "POST", path, "", nil))
	require.Equal(t, []string{"probe"}, s.JobKinds(t))
}

func TestPublicStateKnowsNoAccount(t *testing.T) {
	t.Parallel()
	s := start(t)
	m := s.put(t, s.Ann.Account, "x", catalog.StateProbing, nil)
	name, state, err := s.service.PublicState(t.Context(), m.ID)
	require.NoError(t, err)
	require.Equal(t, "x", name)
	require.Equal(t, catalog.StateProbing, state)
	for _, id := range []string{"0000000000", "a\x00b"} {
		_, _, err = s.service.PublicState(t.Context(), id)
		require.ErrorIs(t, err, catalog.ErrNotFound)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := library.New(library.Config{PublicURL: "nowhere"}, nil, nil, nil, nil)
	require.ErrorContains(t, err, "public-url")
	require.ErrorContains(t, err, "events")
}
