// Package ingesttest gives the tests of receiving a whole small world: the
// embedded S3 server, a SQLite catalog with two accounts, the job tables and an
// HTTP server with sign-in. One S3 server serves the tests of one package.
package ingesttest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/deploy/engines"
	"github.com/vitascope/vitascope/internal/apitest"
	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/idempotency"
	"github.com/vitascope/vitascope/internal/jobs"
)

// server is the S3 server of this test program, started by the first test that
// needs one: fuzzing starts many programs that do not.
type server struct {
	dir       string
	engines   *engines.Engines
	endpoints engines.Endpoints
}

var shared = sync.OnceValues(startServer)

func startServer() (*server, error) {
	dir, err := os.MkdirTemp("", "vitascope-ingest-*")
	if err != nil {
		return nil, err
	}
	cfg := engines.DefaultConfig(dir)
	cfg.Kafka, cfg.ClickHouse = false, false
	e, err := engines.New(cfg, bytes.Repeat([]byte("s"), 32), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	endpoints, err := e.Start(context.Background())
	used.Store(true)
	return &server{dir: dir, engines: e, endpoints: endpoints}, err
}

var used atomic.Bool // whether shared has a server to stop

// Main runs the package's tests and stops the S3 server, if any started it. The
// value is for os.Exit.
func Main(m *testing.M) int {
	code := m.Run()
	if !used.Load() {
		return code
	}
	s, err := shared()
	if err != nil {
		return failed(err)
	}
	defer os.RemoveAll(s.dir)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.engines.Stop(ctx); err != nil {
		return failed(err)
	}
	return code
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// World is what a test works on. Ann and Eve have different accounts.
type World struct {
	DB    *catalog.DB
	Blobs *blob.Store
	Jobs  *jobs.Client
	Auth  *auth.Service
	Log   *slog.Logger
	Temp  string
	Ann   apitest.Caller
	Eve   apitest.Caller

	blobs blob.Config
}

// New returns a World with an empty bucket and catalog.
func New(t *testing.T) *World {
	t.Helper()
	ctx := t.Context()
	w := &World{Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})), Temp: t.TempDir()}
	s3, err := shared()
	require.NoError(t, err)
	w.blobs = blob.Config{
		Endpoint: s3.endpoints.S3Addr, Region: s3.endpoints.S3Region, Bucket: "t" + catalog.NewID(),
		AccessKey: s3.endpoints.S3AccessKey, SecretKey: s3.endpoints.S3SecretKey,
	}
	w.Blobs, err = blob.Open(w.blobs, w.Log)
	require.NoError(t, err)
	require.NoError(t, w.Blobs.EnsureBucket(ctx))
	w.DB, err = catalog.Open(ctx, "sqlite://"+filepath.Join(w.Temp, "catalog.db"), w.Log)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.DB.Close()) })
	require.NoError(t, w.DB.Migrate(ctx))
	require.NoError(t, jobs.Migrate(ctx, w.DB, slog.New(slog.DiscardHandler)))
	w.Jobs, err = jobs.New(w.DB, jobs.Config{}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	w.Auth = auth.New(w.DB, false, w.Log)
	w.Ann, w.Eve = apitest.NewCaller(t, w.DB, w.Auth, "ann"), apitest.NewCaller(t, w.DB, w.Auth, "eve")
	return w
}

// Behind returns the same world whose requests to the S3 server are seen by before
// as they come, on their way there.
func (w *World) Behind(t *testing.T, before func(r *http.Request)) *World {
	t.Helper()
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		before(r.In)
		r.SetURL(&url.URL{Scheme: "http", Host: w.blobs.Endpoint})
		r.Out.Host = r.In.Host // which is signed
	}}
	srv := httptest.NewServer(proxy)
	t.Cleanup(srv.Close)
	other, cfg := *w, w.blobs
	cfg.Endpoint = srv.Listener.Addr().String()
	var err error
	other.Blobs, err = blob.Open(cfg, w.Log)
	require.NoError(t, err)
	return &other
}

// Serve starts an HTTP server with sign-in and what register mounts, and returns
// its address.
func (w *World) Serve(t *testing.T, register func(e *echo.Echo, api huma.API)) *httptest.Server {
	t.Helper()
	e := httpx.New(w.Auth, w.Log)
	api := httpx.NewAPI(e, "test")
	keys, err := idempotency.New(idempotency.DefaultConfig(), w.DB, w.Log)
	require.NoError(t, err)
	keys.Use(api)
	register(e, api)
	srv := httptest.NewServer(e)
	t.Cleanup(srv.Close)
	return srv
}

// JobKinds returns the kinds of all enqueued jobs, oldest first.
func (w *World) JobKinds(t *testing.T) []string {
	t.Helper()
	var kinds []string
	require.NoError(t, w.DB.NewSelect().Table("river_job").Column("kind").Order("id").Scan(t.Context(), &kinds))
	return kinds
}
