package marketing_test

import (
	"encoding/json"
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
	"github.com/vitascope/vitascope/ingest/marketing"
	"github.com/vitascope/vitascope/ingest/sharing"
	"github.com/vitascope/vitascope/internal/apitest"
	"github.com/vitascope/vitascope/internal/catalog"
)

func TestMain(m *testing.M) { os.Exit(ingesttest.Main(m)) }

var viewKey = []byte("the key of view tokens in tests.")

type desk struct {
	*ingesttest.World
	srv *httptest.Server
}

func start(t *testing.T) *desk {
	t.Helper()
	w := ingesttest.New(t)
	shared, err := sharing.New(sharing.Config{PublicURL: "https://video.example.test", GrantKey: make([]byte, 32), SealingKey: make([]byte, 32)}, w.DB, w.Blobs, w.Jobs, w.Log)
	require.NoError(t, err)
	s, err := marketing.New(marketing.Config{ViewTokenKey: viewKey}, w.DB, w.Blobs, shared, w.Jobs, w.Log)
	require.NoError(t, err)
	return &desk{World: w, srv: w.Serve(t, func(e *echo.Echo, api huma.API) { s.Register(api); s.RegisterPublic(e) })}
}

func (d *desk) media(t *testing.T) string {
	t.Helper()
	now := time.Now().UTC()
	m := catalog.Media{ID: catalog.NewID(), AccountID: d.Ann.Account, Name: "Ad", State: catalog.StateReady, Generation: 1,
		Width: 1080, Height: 1920, DurationMS: 60_000, UploadedAt: now, PlayableAt: now, ReadyAt: now}
	require.NoError(t, d.DB.CreateMedia(t.Context(), d.DB, &m))
	return m.ID
}

func (d *desk) call(t *testing.T, token, method, path string, body, out any) int {
	t.Helper()
	return apitest.Call(t, d.srv.URL, token, method, path, body, out)
}

type items struct{ Items []marketing.PlayerAction }

func TestActionsReachTheObjectThatOriginsRead(t *testing.T) {
	t.Parallel()
	d := start(t)
	id := d.media(t)
	path := "/v1/media/" + id + "/actions"
	var got items
	require.Equal(t, 200, d.call(t, d.Ann.Token, "GET", path, nil, &got))
	require.Empty(t, got.Items)
	require.Equal(t, 200, d.call(t, d.Ann.Token, "PUT", path, items{[]marketing.PlayerAction{
		{ID: "gate", Type: "gate", At: "start", AtSeconds: 3, Text: "Who are you?", Fields: []string{"phone", "name"}, Consent: "News by mail"},
		{Type: "cta", At: "end", Text: "Try it", URL: "https://example.com/a b", Skippable: true},
		{ID: "note", Type: "annotation", At: "time", AtSeconds: 12.5, Text: "The study", URL: "mailto:a@example.com"},
	}}, &got))
	require.Len(t, got.Items[1].ID, 10, "made when left out")
	require.Equal(t, []string{"name", "phone"}, got.Items[0].Fields)
	require.Zero(t, got.Items[0].AtSeconds)
	require.InDelta(t, 10, got.Items[2].DurationSeconds, 0)

	doc, err := d.Blobs.ReadSettings(t.Context(), id)
	require.NoError(t, err)
	var player struct{ Actions []map[string]any }
	require.NoError(t, json.Unmarshal(doc.Player, &player))
	require.Equal(t, "start", player.Actions[0]["at_seconds"])
	require.Equal(t, "end", player.Actions[1]["at_seconds"])
	require.InDelta(t, 12.5, player.Actions[2]["at_seconds"], 0)
	require.Equal(t, "https://example.com/a%20b", player.Actions[1]["url"])
	require.NotContains(t, player.Actions[0], "at")

	require.Equal(t, 200, d.call(t, d.Ann.Token, "PUT", path, items{[]marketing.PlayerAction{}}, &got))
	doc, err = d.Blobs.ReadSettings(t.Context(), id)
	require.NoError(t, err)
	require.Empty(t, doc.Player)
}

func TestHostileTextsStayText(t *testing.T) {
	t.Parallel()
	d := start(t)
	path := "/v1/media/" + d.media(t) + "/actions"
	hostile := "<script>alert(1)</script>\u202egnp.exe\x00\n<img src=x onerror=alert(1)>"
	var got items
	require.Equal(t, 200, d.call(t, d.Ann.Token, "PUT", path, items{[]marketing.PlayerAction{
		{Type: "cta", At: "end", Text: hostile, Description: "one\r\ntwo\u2066", Button: hostile[:40]},
	}}, &got))
	require.Equal(t, "<script>alert(1)</script>gnp.exe <img src=x onerror=alert(1)>", got.Items[0].Text)
	require.Equal(t, "one\ntwo", got.Items[0].Description)
	require.True(t, got.Items[0].Skippable, "without a link nothing else ends it")
}

func TestActionsThatCannotBeShownAreRefused(t *testing.T) {
	t.Parallel()
	d := start(t)
	path := "/v1/media/" + d.media(t) + "/actions"
	for name, bad := range map[string]marketing.PlayerAction{
		"no text":               {Type: "cta", At: "end", Text: "\u202e \x00"},
		"long text":             {Type: "cta", At: "end", Text: strings.Repeat("ü", 201)},
		"4 KB":                  {Type: "cta", At: "end", Text: strings.Repeat("a", 4096)},
		"a script's address":    {Type: "cta", At: "end", Text: "x", URL: "javascript:alert(1)"},
		"a spaced script":       {Type: "cta", At: "end", Text: "x", URL: "java\tscript:alert(1)"},
		"data picture":          {Type: "cta", At: "end", Text: "x", ImageURL: "data:text/html,<script>"},
		"someone's password":    {Type: "cta", At: "end", Text: "x", URL: "https://a:b@example.com"},
		"no host":               {Type: "cta", At: "end", Text: "x", URL: "https:///x"},
		"half an address":       {Type: "annotation", At: "time", Text: "x", URL: "/pricing"},
		"annotation at the end": {Type: "annotation", At: "end", Text: "x"},
		"after the end":         {Type: "cta", At: "time", AtSeconds: 60, Text: "x"},
		"unknown kind":          {Type: "popup", At: "end", Text: "x"},
		"unknown field":         {Type: "gate", At: "end", Text: "x", Fields: []string{"password"}},
		"strange id":            {ID: "a b", Type: "gate", At: "end", Text: "x"},
	} {
		require.Equal(t, http.StatusUnprocessableEntity, d.call(t, d.Ann.Token, "PUT", path, items{[]marketing.PlayerAction{bad}}, nil), name)
	}
	same := marketing.PlayerAction{ID: "a", Type: "gate", At: "end", Text: "x"}
	require.Equal(t, http.StatusUnprocessableEntity, d.call(t, d.Ann.Token, "PUT", path, items{[]marketing.PlayerAction{same, same}}, nil))
	many := make([]marketing.PlayerAction, 21)
	for i := range many {
		many[i] = marketing.PlayerAction{Type: "gate", At: "end", Text: "x"}
	}
	require.Equal(t, http.StatusUnprocessableEntity, d.call(t, d.Ann.Token, "PUT", path, items{many}, nil))
	for i := range many[:20] {
		many[i].Description = strings.Repeat("😀", 600)
		many[i].Type, many[i].URL = "cta", "https://example.com/"+strings.Repeat("x", 2000)
	}
	require.Equal(t, http.StatusRequestEntityTooLarge, d.call(t, d.Ann.Token, "PUT", path, items{many[:20]}, nil))
}

func TestAnotherAccountsActionsAnswerAsUnknownOnes(t *testing.T) {
	t.Parallel()
	d := start(t)
	id := d.media(t)
	for _, path := range []string{"/v1/media/" + id + "/actions", "/v1/media/zzzzzzzzzz/actions", "/v1/media/..%2f/actions"} {
		require.Equal(t, 404, d.call(t, d.Eve.Token, "GET", path, nil, nil))
		require.Equal(t, 404, d.call(t, d.Eve.Token, "PUT", path, items{[]marketing.PlayerAction{}}, nil))
		require.Equal(t, 401, d.call(t, "", "GET", path, nil, nil))
	}
}
