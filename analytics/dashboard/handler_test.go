package dashboard_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/analytics/dashboard"
)

func build() fstest.MapFS {
	return fstest.MapFS{
		"index.html":                        {Data: []byte("<!doctype html><title>page</title>")},
		"assets/dashboard/app-abc123.js":    {Data: []byte("plain")},
		"assets/dashboard/app-abc123.js.br": {Data: []byte("brotli")},
		"assets/dashboard/app-abc123.js.gz": {Data: []byte("gzip")},
		"assets/dashboard/app-def456.css":   {Data: []byte("body{}")},
	}
}

func answer(t *testing.T, h http.Handler, method, path, accept string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	if accept != "" {
		r.Header.Set("Accept-Encoding", accept)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPageIsNeverCachedAndAllowsNoInlineScript(t *testing.T) {
	t.Parallel()
	h, err := dashboard.NewFromFS(build())
	require.NoError(t, err)
	for _, path := range []string{"/", "/index.html"} {
		w := answer(t, h, http.MethodGet, path, "br")
		require.Equal(t, http.StatusOK, w.Code, path)
		require.Equal(t, "no-cache", w.Header().Get("Cache-Control"))
		require.Contains(t, w.Body.String(), "<title>page</title>")
		require.Contains(t, w.Header().Get("Content-Security-Policy"), "script-src 'self';")
		require.Contains(t, w.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'")
	}
}

func TestAssetsAreImmutableAndTakeTheSmallestAcceptedForm(t *testing.T) {
	t.Parallel()
	h, err := dashboard.NewFromFS(build())
	require.NoError(t, err)
	tests := []struct{ name, accept, encoding, body string }{
		{"brotli is preferred", "gzip, deflate, br", "br", "brotli"},
		{"gzip when brotli is not accepted", "gzip", "gzip", "gzip"},
		{"quality zero refuses", "br;q=0, gzip;q=0.5", "gzip", "gzip"},
		{"plain when nothing is accepted", "", "", "plain"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := answer(t, h, http.MethodGet, "/assets/dashboard/app-abc123.js", tt.accept)
			require.Equal(t, http.StatusOK, w.Code)
			require.Equal(t, tt.encoding, w.Header().Get("Content-Encoding"))
			require.Equal(t, tt.body, w.Body.String())
			require.Equal(t, "public, max-age=31536000, immutable", w.Header().Get("Cache-Control"))
			require.Equal(t, "text/javascript; charset=utf-8", w.Header().Get("Content-Type"))
			require.Equal(t, "Accept-Encoding", w.Header().Get("Vary"))
		})
	}
}

func TestUnknownPathsAndMethodsAreRefused(t *testing.T) {
	t.Parallel()
	h, err := dashboard.NewFromFS(build())
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, answer(t, h, http.MethodGet, "/assets/dashboard/none.js", "").Code)
	require.Equal(t, http.StatusNotFound, answer(t, h, http.MethodGet, "/assets/dashboard/../../x", "").Code)
	require.Equal(t, http.StatusMethodNotAllowed, answer(t, h, http.MethodPost, "/", "").Code)
	head := answer(t, h, http.MethodHead, "/assets/dashboard/app-def456.css", "")
	require.Equal(t, http.StatusOK, head.Code)
	require.Empty(t, head.Body.String())
	require.Equal(t, "6", head.Header().Get("Content-Length"))
}

func TestPolicyAdmitsMediaFromThePublicOrigin(t *testing.T) {
	t.Parallel()
	h, err := dashboard.NewFromFS(build(), "https://video.example/base/")
	require.NoError(t, err)
	policy := answer(t, h, http.MethodGet, "/", "").Header().Get("Content-Security-Policy")
	require.Contains(t, policy, "connect-src 'self' https://video.example;")
	require.Contains(t, policy, "script-src 'self';")
	for _, bad := range []string{"", "javascript:alert(1)", "//video.example", "https://"} {
		_, err := dashboard.NewFromFS(build(), bad)
		require.Error(t, err, bad)
	}
}

func TestEmbeddedDashboardAlwaysHasAPage(t *testing.T) {
	t.Parallel()
	w := answer(t, dashboard.New(), http.MethodGet, "/", "")
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), "Vitascope")
}

func TestBuildWithoutAPageIsAnError(t *testing.T) {
	t.Parallel()
	_, err := dashboard.NewFromFS(fstest.MapFS{})
	require.ErrorContains(t, err, "dashboard's page")
}
