package httpx_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/httpx"
)

// somebody is signed in whenever the request says so.
type somebody struct{}

func (somebody) Identify(r *http.Request) (context.Context, error) {
	if r.Header.Get("X-Test-Account") == "" {
		return r.Context(), nil
	}
	return auth.With(r.Context(), auth.Principal{AccountID: r.Header.Get("X-Test-Account")}), nil
}

func answer(t *testing.T, e *echo.Echo, method, path string, headers ...string) (*httptest.ResponseRecorder, httpx.Problem) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	e.ServeHTTP(rec, req)
	var p httpx.Problem
	if rec.Header().Get("Content-Type") == "application/problem+json" && method != http.MethodHead {
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &p))
		require.Equal(t, rec.Header().Get("X-Request-Id"), p.Instance)
	}
	return rec, p
}

func TestErrorsBecomeProblems(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		status int
		kind   string
		detail string
	}{
		"a fault with its own code":         {fault.New(fault.TooLarge, "upload-too-large", "Too big."), 413, "/problems/upload-too-large", "Too big."},
		"a fault without a code":            {fault.New(fault.NotFound, "", "Gone."), 404, "/problems/not-found", "Gone."},
		"a foreign id like an unknown one":  {catalog.ErrNotFound, 404, "/problems/not-found", "There is nothing here with that id."},
		"a lost race":                       {catalog.ErrConflict, 409, "/problems/conflict", "It changed in the meantime. Read it again, then decide."},
		"a part that is away":               {fault.New(fault.Unavailable, "", "Later."), 503, "/problems/unavailable", "Later."},
		"the rest is internal and not told": {errors.New("password is hunter2"), 500, "/problems/internal", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := httpx.New(nil, slog.New(slog.DiscardHandler))
			e.GET("/echo", func(echo.Context) error { return c.err })
			api := httpx.NewAPI(e, "test")
			httpx.Register(api, huma.Operation{OperationID: "x", Method: http.MethodGet, Path: "/v1/huma", Security: httpx.Public},
				func(context.Context, *struct{}) (*struct{}, error) { return nil, c.err })
			for _, path := range []string{"/echo", "/v1/huma"} {
				rec, p := answer(t, e, http.MethodGet, path)
				require.Equal(t, c.status, rec.Code, path)
				require.Equal(t, c.kind, p.Type, path)
				require.NotContains(t, rec.Body.String(), "hunter2")
				if c.detail != "" {
					require.Equal(t, c.detail, p.Detail, path)
				}
				require.Equal(t, c.status == 503, rec.Header().Get("Retry-After") != "", path)
			}
		})
	}
}

func TestPanicsAreAnsweredAndTheServerGoesOn(t *testing.T) {
	t.Parallel()
	e := httpx.New(nil, slog.New(slog.DiscardHandler))
	e.GET("/", func(echo.Context) error { panic("no") })
	rec, p := answer(t, e, http.MethodGet, "/")
	require.Equal(t, 500, rec.Code)
	require.Equal(t, "/problems/internal", p.Type)
}

func TestOperationsNeedACallerUnlessPublic(t *testing.T) {
	t.Parallel()
	e := httpx.New(somebody{}, slog.New(slog.DiscardHandler))
	api := httpx.NewAPI(e, "test")
	type out struct{ Body string }
	httpx.Register(api, huma.Operation{OperationID: "mine", Method: http.MethodGet, Path: "/v1/mine"},
		func(ctx context.Context, _ *struct{}) (*out, error) { return &out{auth.AccountID(ctx)}, nil })
	e.GET("/uploads/x", func(c echo.Context) error { return c.NoContent(204) }, httpx.RequireAccount)

	for _, path := range []string{"/v1/mine", "/uploads/x"} {
		rec, p := answer(t, e, http.MethodGet, path)
		require.Equal(t, 401, rec.Code)
		require.Equal(t, "/problems/unauthorized", p.Type)
		rec, _ = answer(t, e, http.MethodGet, path, "X-Test-Account: acme")
		require.Less(t, rec.Code, 300)
		require.Equal(t, "no-store", rec.Header().Get("Cache-Control"))
	}
}

func TestOnlyNamedProxiesAreBelieved(t *testing.T) {
	t.Parallel()
	seen := func(networks ...string) string {
		e := httpx.New(nil, slog.New(slog.DiscardHandler))
		var list []*net.IPNet
		for _, n := range networks {
			_, x, err := net.ParseCIDR(n)
			require.NoError(t, err)
			list = append(list, x)
		}
		httpx.TrustProxies(e, list)
		e.GET("/", func(c echo.Context) error { return c.String(200, c.RealIP()) })
		rec, _ := answer(t, e, http.MethodGet, "/", "X-Forwarded-For: 203.0.113.7")
		return rec.Body.String()
	}
	require.Equal(t, "192.0.2.1", seen(), "httptest's own address")
	require.Equal(t, "203.0.113.7", seen("192.0.2.0/24"))
	require.Equal(t, "192.0.2.1", seen("10.0.0.0/8"))
}
