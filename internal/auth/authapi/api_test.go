package authapi_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/auth/authapi"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/httpx"
)

type bundle struct {
	t     *testing.T
	url   string
	svc   *auth.Service
	db    *catalog.DB
	admin catalog.User
}

func setup(t *testing.T) *bundle {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := catalog.Open(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "c.db"), log)
	require.NoError(t, err)
	require.NoError(t, db.Migrate(t.Context()))
	admin, _, err := db.EnsureAdmin(t.Context(), "Acme", "admin@example.com")
	require.NoError(t, err)
	svc := auth.New(db, false, log)
	e := httpx.New(svc, log)
	authapi.Register(httpx.NewAPI(e, "test"), svc, db)
	srv := httptest.NewServer(e)
	t.Cleanup(func() { srv.Close(); require.NoError(t, db.Close()) })
	return &bundle{t: t, url: srv.URL, svc: svc, db: db, admin: admin}
}

// call sends a request and returns status, body and cookies. headers are
// "Name: value" pairs.
func (b *bundle) call(method, path, body string, headers ...string) (int, map[string]any, http.Header) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	require.NoError(b.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(b.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	var out map[string]any
	if len(raw) > 0 {
		require.NoError(b.t, json.Unmarshal(raw, &out), "%s", raw)
	}
	return res.StatusCode, out, res.Header
}

func (b *bundle) signIn() string {
	b.t.Helper()
	token, err := b.svc.NewLoginToken(b.t.Context(), b.admin.ID)
	require.NoError(b.t, err)
	status, _, head := b.call("POST", "/v1/sessions", `{"login_token":"`+token+`"}`)
	require.Equal(b.t, 201, status)
	cookie, _, _ := strings.Cut(head.Get("Set-Cookie"), ";")
	return "Cookie: " + cookie
}

func TestLoginLinkSignsInOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token, err := b.svc.NewLoginToken(t.Context(), b.admin.ID)
	require.NoError(t, err)
	status, body, head := b.call("POST", "/v1/sessions", `{"login_token":"`+token+`"}`)
	require.Equal(t, 201, status)
	require.Equal(t, "Acme", body["account"].(map[string]any)["name"])
	require.Contains(t, head.Get("Set-Cookie"), "HttpOnly")
	require.Contains(t, head.Get("Set-Cookie"), "SameSite=Lax")

	status, body, _ = b.call("POST", "/v1/sessions", `{"login_token":"`+token+`"}`)
	require.Equal(t, 401, status)
	require.Equal(t, "/problems/login-link-used", body["type"])
	require.NotEmpty(t, body["instance"])
}

func TestSessionKnowsItsUserUntilItIsSignedOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	status, body, head := b.call("GET", "/v1/session", "")
	require.Equal(t, 401, status)
	require.Equal(t, "application/problem+json", head.Get("Content-Type"))
	require.Equal(t, "/problems/unauthorized", body["type"])

	cookie := b.signIn()
	status, body, _ = b.call("GET", "/v1/session", "", cookie)
	require.Equal(t, 200, status)
	require.Equal(t, "admin@example.com", body["user"].(map[string]any)["email"])

	status, _, _ = b.call("DELETE", "/v1/session", "", cookie)
	require.Equal(t, 204, status)
	status, _, _ = b.call("GET", "/v1/session", "", cookie)
	require.Equal(t, 401, status)
}

func TestPasswordSignsInAndWrongOnesAllLookAlike(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cookie := b.signIn()
	status, body, _ := b.call("PUT", "/v1/session/password", `{"password":"short"}`, cookie)
	require.Equal(t, 422, status)
	require.NotEmpty(t, body["errors"])

	login := func(email, password string) (int, map[string]any) {
		status, body, _ := b.call("POST", "/v1/sessions", `{"email":"`+email+`","password":"`+password+`"}`)
		delete(body, "instance")
		return status, body
	}
	before, unset := login("admin@example.com", "correct horse battery")
	require.Equal(t, 401, before, "no password is chosen yet")
	status, _, _ = b.call("PUT", "/v1/session/password", `{"password":"correct horse battery"}`, cookie)
	require.Equal(t, 204, status)

	status, _ = login("Admin@Example.com", "correct horse battery")
	require.Equal(t, 201, status)
	_, wrong := login("admin@example.com", "incorrect horse")
	_, unknown := login("nobody@example.com", "correct horse battery")
	require.Equal(t, wrong, unknown)
	require.Equal(t, wrong, unset)
}

func TestGuessingIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	last, header := 0, http.Header{}
	for range 12 {
		last, _, header = b.call("POST", "/v1/sessions", `{"login_token":"guess"}`)
		require.Equal(t, []string{`"sign-in";q=10;w=60`}, header.Values("RateLimit-Policy"))
		require.Contains(t, header.Get("RateLimit"), `"sign-in";r=`)
	}
	require.Equal(t, 429, last)
	require.Len(t, header.Values("Retry-After"), 1)
	require.Equal(t, `"sign-in";r=0;t=`+header.Get("Retry-After"), header.Get("RateLimit"))
}

func TestAPITokenWorksUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cookie := b.signIn()
	status, body, _ := b.call("POST", "/v1/api-tokens", `{"name":"laptop"}`, cookie)
	require.Equal(t, 201, status)
	secret, id := body["token"].(string), body["id"].(string)
	require.Regexp(t, "^vs_", secret)

	bearer := "Authorization: Bearer " + secret
	status, body, _ = b.call("GET", "/v1/api-tokens", "", bearer)
	require.Equal(t, 200, status)
	require.NotContains(t, body["items"].([]any)[0], "token")
	status, _, _ = b.call("DELETE", "/v1/api-tokens/"+id, "", cookie)
	require.Equal(t, 204, status)
	status, _, _ = b.call("GET", "/v1/api-tokens", "", bearer)
	require.Equal(t, 401, status)
	status, _, _ = b.call("DELETE", "/v1/api-tokens/"+id, "", cookie)
	require.Equal(t, 404, status)
}

func TestAnotherSitesPageCannotUseTheSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cookie := b.signIn()
	status, body, _ := b.call("POST", "/v1/api-tokens", `{"name":"stolen"}`, cookie, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site")
	require.Equal(t, 403, status)
	require.Equal(t, "/problems/cross-origin", body["type"])
}
