package sharing_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/danielgtaylor/huma/v2"
	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/ingest/internal/ingesttest"
	"github.com/vitascope/vitascope/ingest/library"
	"github.com/vitascope/vitascope/ingest/sharing"
	"github.com/vitascope/vitascope/internal/apitest"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/internal/playback"
)

func TestMain(m *testing.M) { os.Exit(ingesttest.Main(m)) }

const public = "https://video.example.test"

var grantKey, sealingKey = []byte("the key of grants in these tests"), []byte("the key that closes secrets here")

type desk struct {
	*ingesttest.World
	srv *httptest.Server
}

func start(t *testing.T) *desk {
	t.Helper()
	w := ingesttest.New(t)
	s, err := sharing.New(sharing.Config{PublicURL: public, GrantKey: grantKey, SealingKey: sealingKey}, w.DB, w.Blobs, w.Jobs, w.Log)
	require.NoError(t, err)
	lc := library.DefaultConfig()
	lc.PublicURL, lc.GrantKey = public, grantKey
	lib, err := library.New(lc, w.DB, w.Blobs, w.Jobs, w.Log)
	require.NoError(t, err)
	return &desk{World: w, srv: w.Serve(t, func(_ *echo.Echo, api huma.API) { s.Register(api); lib.Register(api) })}
}

func (d *desk) media(t *testing.T) string {
	t.Helper()
	now := time.Now().UTC()
	m := catalog.Media{ID: catalog.NewID(), AccountID: d.Ann.Account, Name: "Ad", State: catalog.StateReady, Generation: 1,
		Width: 1080, Height: 1920, DurationMS: 60_000, UploadedAt: now, PlayableAt: now, ReadyAt: now}
	m.PosterKey = blob.GenerationPrefix(m.AccountID, m.ID, 1) + "a1/poster.jpg"
	require.NoError(t, d.DB.CreateMedia(t.Context(), d.DB, &m))
	return m.ID
}

func (d *desk) call(t *testing.T, token, method, path string, body, out any) int {
	t.Helper()
	return apitest.Call(t, d.srv.URL, token, method, path, body, out)
}

func TestAccessReachesTheObjectThatOriginsRead(t *testing.T) {
	t.Parallel()
	d := start(t)
	id := d.media(t)
	path := "/v1/media/" + id + "/access"
	var got sharing.Access
	require.Equal(t, 200, d.call(t, d.Ann.Token, "GET", path, "", &got))
	require.Equal(t, sharing.Access{Visibility: "public", Domains: []string{}}, got)

	require.Equal(t, 200, d.call(t, d.Ann.Token, "PUT", path,
		`{"visibility":"unlisted","password":"open sesame","domains":["https://Example.COM/page","*.example.org","bücher.example","localhost:3000","example.com"]}`, &got))
	require.True(t, got.HasPassword)
	require.Equal(t, []string{"*.example.org", "example.com", "localhost:3000", "xn--bcher-kva.example"}, got.Domains)
	doc, err := d.Blobs.ReadSettings(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, d.Ann.Account, doc.Account)
	require.Equal(t, "unlisted", doc.Access.Visibility)
	require.Equal(t, got.Domains, doc.Access.Domains)
	ok, err := argon2id.ComparePasswordAndHash("open sesame", doc.Access.PasswordHash)
	require.NoError(t, err)
	require.True(t, ok)

	require.Equal(t, 200, d.call(t, d.Ann.Token, "PUT", path, `{"visibility":"private"}`, &got))
	require.True(t, got.HasPassword, "a password that is left out stays")
	require.Empty(t, got.Domains)
	require.Equal(t, 200, d.call(t, d.Ann.Token, "PUT", path, `{"visibility":"public","password":""}`, &got))
	require.False(t, got.HasPassword)
	doc, err = d.Blobs.ReadSettings(t.Context(), id)
	require.NoError(t, err)
	require.True(t, doc.Access.Open())
}

func TestWhatCannotBeAListOfDomainsIsRefused(t *testing.T) {
	t.Parallel()
	d := start(t)
	path := "/v1/media/" + d.media(t) + "/access"
	for _, bad := range []string{"", "*", "*.", "a b.com", "example.com; script-src *", "'self'", "https:", "exa\u202emple.com", "a\x00b.com", "example.com:port", "ex*mple.com", strings.Repeat("a", 250) + ".com"} {
		raw, err := json.Marshal(map[string]any{"visibility": "public", "domains": []string{bad}})
		require.NoError(t, err)
		require.Equal(t, http.StatusUnprocessableEntity, d.call(t, d.Ann.Token, "PUT", path, string(raw), nil), "%q", bad)
	}
	require.Equal(t, http.StatusUnprocessableEntity, d.call(t, d.Ann.Token, "PUT", path, `{"visibility":"public","password":"abc"}`, nil))
	require.Equal(t, http.StatusUnprocessableEntity, d.call(t, d.Ann.Token, "PUT", path, `{"visibility":"secret"}`, nil))
	require.Empty(t, d.JobKinds(t))
}

func TestShareLinksOpenUntilTheyAreRevoked(t *testing.T) {
	t.Parallel()
	d := start(t)
	id := d.media(t)
	path := "/v1/media/" + id + "/share-links"
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	var link sharing.ShareLink
	require.Equal(t, 201, d.call(t, d.Ann.Token, "POST", path, `{"name":"Press\u202e","expires_at":"`+end.Format(time.RFC3339)+`"}`, &link))
	require.Equal(t, "Press", link.Name)
	require.Equal(t, end, link.ExpiresAt)
	token, ok := strings.CutPrefix(link.URL, public+"/share/"+id+"#token=")
	require.True(t, ok, link.URL)
	g, err := playback.VerifyGrant(grantKey, id, token, time.Now())
	require.NoError(t, err)
	require.Equal(t, playback.Grant{Media: id, By: playback.ByLink, Ref: link.ID, Expires: end.Local()}, g)
	doc, err := d.Blobs.ReadSettings(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, []blob.ShareLink{{ID: link.ID, ExpiresMS: end.UnixMilli()}}, doc.Access.Links)

	var list struct{ Items []sharing.ShareLink }
	require.Equal(t, 200, d.call(t, d.Ann.Token, "GET", path, "", &list))
	require.Equal(t, link.URL, list.Items[0].URL, "a link can be copied again")
	require.Equal(t, 204, d.call(t, d.Ann.Token, "DELETE", path+"/"+link.ID, "", nil))
	require.Equal(t, 404, d.call(t, d.Ann.Token, "DELETE", path+"/"+link.ID, "", nil))
	doc, err = d.Blobs.ReadSettings(t.Context(), id)
	require.NoError(t, err)
	require.Empty(t, doc.Access.Links)
	for _, when := range []time.Time{time.Now().Add(-time.Second), time.Now().AddDate(6, 0, 0)} {
		require.Equal(t, 422, d.call(t, d.Ann.Token, "POST", path, `{"name":"x","expires_at":"`+when.UTC().Format(time.RFC3339)+`"}`, nil))
	}
}

func TestKeysSignUntilTheyAreRotatedOut(t *testing.T) {
	t.Parallel()
	d := start(t)
	id := d.media(t)
	published := func() []playback.Key {
		doc, err := d.Blobs.ReadPlaybackKeys(t.Context(), d.Ann.Account)
		require.NoError(t, err)
		return doc.Keys
	}
	sign := func(k sharing.NewKey) string {
		key, err := playback.SigningKey(k.Algorithm, k.Secret)
		require.NoError(t, err)
		token := jwt.NewWithClaims(jwt.GetSigningMethod(k.Algorithm), jwt.MapClaims{"sub": id, "aud": "playback", "exp": time.Now().Add(time.Hour).Unix()})
		token.Header["kid"] = k.ID
		text, err := token.SignedString(key)
		require.NoError(t, err)
		return text
	}
	for _, alg := range []string{"EdDSA", "HS256"} {
		var old, next sharing.NewKey
		require.Equal(t, 201, d.call(t, d.Ann.Token, "POST", "/v1/playback-keys", `{"name":"Shop","algorithm":"`+alg+`"}`, &old))
		require.Equal(t, old.Secret, old.JWK.D+old.JWK.K)
		_, err := playback.VerifyPlayback(published(), sealingKey, id, sign(old), time.Now())
		require.NoError(t, err)

		require.Equal(t, 201, d.call(t, d.Ann.Token, "POST", "/v1/playback-keys/"+old.ID+"/rotations", `{"keep_seconds":600}`, &next))
		require.Equal(t, alg, next.Algorithm)
		require.NotEqual(t, old.ID, next.ID)
		for _, k := range []sharing.NewKey{old, next} {
			_, err = playback.VerifyPlayback(published(), sealingKey, id, sign(k), time.Now().Add(599*time.Second))
			require.NoError(t, err)
		}
		_, err = playback.VerifyPlayback(published(), sealingKey, id, sign(old), time.Now().Add(601*time.Second))
		require.ErrorIs(t, err, playback.ErrInvalid)
		require.Equal(t, 409, d.call(t, d.Ann.Token, "POST", "/v1/playback-keys/"+old.ID+"/rotations", `{"keep_seconds":900}`, nil))
		require.Equal(t, 204, d.call(t, d.Ann.Token, "DELETE", "/v1/playback-keys/"+old.ID, "", nil))
		_, err = playback.VerifyPlayback(published(), sealingKey, id, sign(old), time.Now())
		require.ErrorIs(t, err, playback.ErrInvalid)

		raw, err := json.Marshal(published())
		require.NoError(t, err)
		require.NotContains(t, string(raw), next.Secret)
		require.Equal(t, 404, d.call(t, d.Eve.Token, "DELETE", "/v1/playback-keys/"+next.ID, "", nil))
		require.Equal(t, 404, d.call(t, d.Eve.Token, "POST", "/v1/playback-keys/"+next.ID+"/rotations", `{"keep_seconds":0}`, nil))
	}
	var list struct{ Items []map[string]any }
	require.Equal(t, 200, d.call(t, d.Ann.Token, "GET", "/v1/playback-keys", "", &list))
	require.Len(t, list.Items, 2)
	require.NotContains(t, list.Items[0], "secret")
	require.NotContains(t, list.Items[0], "jwk")
	require.Equal(t, 200, d.call(t, d.Eve.Token, "GET", "/v1/playback-keys", "", &list))
	require.Empty(t, list.Items)
}

func TestEmbedCodesAreOfTheVideosShape(t *testing.T) {
	t.Parallel()
	d := start(t)
	id := d.media(t)
	var codes map[string]string
	require.Equal(t, 200, d.call(t, d.Ann.Token, "GET", "/v1/media/"+id+"/embed-codes?start_seconds=12.5&muted=true&color=6457f9&max_width=640", "", &codes))
	require.Contains(t, codes["inline"], `aspect="1080/1920" start="12.5" muted player-color="#6457f9" style="max-width:640px"`)
	require.Contains(t, codes["popover"], ` mode="popover"`)
	require.Contains(t, codes["popover_link"], ">Ad</vitascope-player>")
	require.Contains(t, codes["iframe"], "aspect-ratio:1080/1920")
	require.Contains(t, codes["react"], "style={{ maxWidth: 640 }} />")
	require.Equal(t, public+"/watch/"+id+"?t=12.5", codes["link"])
	require.Equal(t, public+"/oembed?url=https%3A%2F%2Fvideo.example.test%2Fwatch%2F"+id, codes["oembed_url"])
	require.Equal(t, 200, d.call(t, d.Ann.Token, "GET", "/v1/media/"+id+"/embed-codes?playlist=k3v9x0a1bz%20p8c2m4q7wd", "", &codes))
	require.Contains(t, codes["inline"], ` playlist="k3v9x0a1bz p8c2m4q7wd">`)
	require.Contains(t, codes["react"], ` playlist="k3v9x0a1bz p8c2m4q7wd" />`)
	require.Contains(t, codes["iframe"], "?playlist=k3v9x0a1bz+p8c2m4q7wd")
	require.Equal(t, 422, d.call(t, d.Ann.Token, "GET", "/v1/media/"+id+"/embed-codes?playlist=%22%3E", "", nil))
	require.Equal(t, 200, d.call(t, d.Ann.Token, "PUT", "/v1/media/"+id+"/access", `{"visibility":"signed"}`, nil))
	require.Equal(t, 200, d.call(t, d.Ann.Token, "GET", "/v1/media/"+id+"/embed-codes", "", &codes))
	require.Contains(t, codes["inline"], ` token="YOUR-TOKEN"`)
	require.Contains(t, codes["react"], ` token={token}`)
}

func TestPeopleOfTheAccountSeeWhatIsProtected(t *testing.T) {
	t.Parallel()
	d := start(t)
	id := d.media(t)
	var m library.Media
	require.Equal(t, 200, d.call(t, d.Ann.Token, "GET", "/v1/media/"+id, "", &m))
	require.Empty(t, m.PreviewToken)
	require.Equal(t, "public", m.Visibility)
	require.Equal(t, 200, d.call(t, d.Ann.Token, "PUT", "/v1/media/"+id+"/access", `{"visibility":"private"}`, nil))
	require.Equal(t, 200, d.call(t, d.Ann.Token, "GET", "/v1/media/"+id, "", &m))
	g, err := playback.VerifyGrant(grantKey, id, m.PreviewToken, time.Now().Add(23*time.Hour))
	require.NoError(t, err)
	require.Equal(t, playback.ByOwner, g.By)
	require.Equal(t, public+"/hls/"+id+"/~"+m.PreviewToken+"/g1/a1/poster.jpg", m.PosterURL)
}

func TestForeignAndUnknownIdsLookAlike(t *testing.T) {
	t.Parallel()
	d := start(t)
	id := d.media(t)
	type problem struct{ Type, Title, Detail string }
	end := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for _, op := range []struct{ method, path, body string }{
		{"GET", "/access", ""}, {"PUT", "/access", `{"visibility":"public"}`}, {"GET", "/embed-codes", ""}, {"GET", "/share-links", ""},
		{"POST", "/share-links", `{"name":"x","expires_at":"` + end + `"}`}, {"DELETE", "/share-links/0000000000", ""},
	} {
		require.Equal(t, 401, d.call(t, "", op.method, "/v1/media/"+id+op.path, op.body, nil))
		var foreign, unknown problem
		require.Equal(t, 404, d.call(t, d.Eve.Token, op.method, "/v1/media/"+id+op.path, op.body, &foreign), op.path)
		for _, other := range []string{"0000000000", "%00", "..%2f..", "a"} {
			require.Equal(t, 404, d.call(t, d.Eve.Token, op.method, "/v1/media/"+other+op.path, op.body, &unknown), other)
			require.Equal(t, foreign, unknown)
		}
	}
	require.Empty(t, d.JobKinds(t))
}

// TestAChangeThatWasNotPublishedIsMadeUpFor stands for a store that was away: the
// object is what it was, and the job that came with the change brings it up.
func TestAChangeThatWasNotPublishedIsMadeUpFor(t *testing.T) {
	t.Parallel()
	d := start(t)
	id, ctx := d.media(t), t.Context()
	require.Equal(t, 200, d.call(t, d.Ann.Token, "PUT", "/v1/media/"+id+"/access", `{"visibility":"private"}`, nil))
	require.NoError(t, d.Blobs.WriteSettings(ctx, blob.Settings{Account: d.Ann.Account, Media: id}))
	require.Equal(t, []string{"publish_settings"}, d.JobKinds(t))
	_, err := d.DB.ExecContext(ctx, "UPDATE river_job SET state = 'available', scheduled_at = created_at")
	require.NoError(t, err)

	work, err := jobs.New(d.DB, jobs.Config{Queues: map[string]int{jobs.QueueDefault: 1}}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	sharing.AddWorkers(work, d.DB, d.Blobs)
	library.AddWorkers(work, d.Blobs)
	runCtx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- work.Run(runCtx) }()
	require.Eventually(t, func() bool {
		doc, err := d.Blobs.ReadSettings(ctx, id)
		return err == nil && doc.Access.Visibility == "private"
	}, 3*time.Minute, 20*time.Millisecond)

	// Deleted, its settings go with the last sweep alone.
	require.Equal(t, 204, d.call(t, d.Ann.Token, "DELETE", "/v1/media/"+id, "", nil))
	require.Eventually(t, func() bool {
		n, err := d.DB.NewSelect().Table("river_job").Where("kind = 'sweep_media' AND state = 'completed'").Count(ctx)
		return err == nil && n == 1
	}, 3*time.Minute, 20*time.Millisecond)
	_, err = d.Blobs.ReadSettings(ctx, id)
	require.NoError(t, err)
	_, err = d.DB.ExecContext(ctx, "UPDATE river_job SET state = 'available', scheduled_at = created_at WHERE kind = 'sweep_media' AND state = 'scheduled'")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := d.Blobs.ReadSettings(ctx, id)
		return err != nil
	}, 3*time.Minute, 20*time.Millisecond)
	stop()
	require.NoError(t, <-ended)
}
