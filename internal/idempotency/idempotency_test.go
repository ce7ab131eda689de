package idempotency_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/apitest"
	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/idempotency"
)

const theSecret = "hunter2-hunter2-hunter2"

// world is an API that makes things, on a catalog in a file.
type world struct {
	path     string
	db       *catalog.DB
	users    *auth.Service
	handler  http.Handler
	ann, eve apitest.Caller
	done     atomic.Int64  // how often a handler did its work
	begun    chan struct{} // one for each thing that waits
	goOn     chan struct{} // closed: those that wait end
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{path: filepath.Join(t.TempDir(), "catalog.db"), begun: make(chan struct{}, 8), goOn: make(chan struct{})}
	w.open(t)
	t.Cleanup(func() { require.NoError(t, w.db.Close()) })
	w.ann, w.eve = apitest.NewCaller(t, w.db, w.users, "ann"), apitest.NewCaller(t, w.db, w.users, "eve")
	return w
}

// open opens the catalog and starts the API, as a process does.
func (w *world) open(t *testing.T) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := catalog.Open(t.Context(), "sqlite://"+w.path, log)
	require.NoError(t, err)
	require.NoError(t, db.Migrate(t.Context()))
	w.db, w.users = db, auth.New(db, false, log)
	e := httpx.New(w.users, log)
	api := httpx.NewAPI(e, "test")
	keys, err := idempotency.New(idempotency.DefaultConfig(), db, log)
	require.NoError(t, err)
	keys.Use(api)
	w.register(api)
	w.handler = e
}

type thingInput struct {
	Body struct {
		Name string `json:"name" minLength:"1"`
	}
}

type thingOutput struct {
	Location string      `header:"Location"`
	Cookie   http.Cookie `header:"Set-Cookie"`
	Body     struct {
		Number int64  `json:"number"`
		Text   string `json:"text"`
	}
}

func (w *world) register(api huma.API) {
	for _, method := range []string{"POST", "PATCH", "PUT"} {
		httpx.Register(api, huma.Operation{OperationID: method, Method: method, Path: "/v1/things", DefaultStatus: 201}, w.thing)
	}
	httpx.Register(api, huma.Operation{OperationID: "other", Method: "POST", Path: "/v1/others", DefaultStatus: 201}, w.thing)
	httpx.Register(api, idempotency.AnswerIsSecret(huma.Operation{OperationID: "secret", Method: "POST", Path: "/v1/secrets"}), w.thing)
	httpx.Register(api, idempotency.Repeatable(huma.Operation{OperationID: "search", Method: "POST", Path: "/v1/searches"}), w.thing)
	httpx.Register(api, huma.Operation{OperationID: "empty", Method: "POST", Path: "/v1/empties", DefaultStatus: 202},
		func(context.Context, *struct{}) (*struct{}, error) { w.done.Add(1); return nil, nil })
}

// thing does what the name says.
func (w *world) thing(ctx context.Context, in *thingInput) (*thingOutput, error) {
	out := &thingOutput{Location: "/v1/things/1", Cookie: http.Cookie{Name: "c", Value: theSecret}}
	out.Body.Number, out.Body.Text = w.done.Add(1), theSecret
	switch in.Body.Name {
	case "internal":
		return nil, io.ErrUnexpectedEOF
	case "too many":
		return nil, fault.New(fault.RateLimited, "", "Later.")
	case "conflict":
		return nil, fault.New(fault.Conflict, "taken", "The name is taken.")
	case "panic":
		panic("no")
	case "long":
		out.Body.Text = strings.Repeat("x", 100<<10)
	case "wait":
		w.begun <- struct{}{}
		select {
		case <-w.goOn:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return out, nil
}

// ask sends a request in the name of who, with each of keys as a header of its own.
func (w *world) ask(t *testing.T, who apitest.Caller, method, path, body string, keys ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+who.Token)
	r.Header.Set("Content-Type", "application/json")
	r.Header["Idempotency-Key"] = keys
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

func named(name string) string { return fmt.Sprintf(`{"name":%q}`, name) }

func requireProblem(t *testing.T, rec *httptest.ResponseRecorder, status int, kind string) {
	t.Helper()
	var p httpx.Problem
	require.Equal(t, status, rec.Code, rec.Body.String())
	require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"))
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &p))
	require.Equal(t, "/problems/"+kind, p.Type)
	require.Empty(t, rec.Header().Get("Idempotent-Replayed"))
}

func TestARepeatIsAnsweredAsTheFirstWas(t *testing.T) {
	t.Parallel()
	w := start(t)
	first := w.ask(t, w.ann, "POST", "/v1/things", named("a"), "k1")
	require.Equal(t, 201, first.Code)
	require.Empty(t, first.Header().Get("Idempotent-Replayed"))
	for _, restart := range []bool{false, true} {
		if restart {
			require.NoError(t, w.db.Close())
			w.open(t)
		}
		again := w.ask(t, w.ann, "POST", "/v1/things", named("a"), "k1")
		require.Equal(t, 201, again.Code)
		require.Equal(t, "true", again.Header().Get("Idempotent-Replayed"))
		for _, h := range []string{"Content-Type", "Location", "Cache-Control"} {
			require.NotEmpty(t, first.Header().Get(h), h)
			require.Equal(t, first.Header().Get(h), again.Header().Get(h), h)
		}
		require.Empty(t, again.Header().Get("Set-Cookie"), "cookies are not kept")
		require.Equal(t, first.Body.String(), again.Body.String())
		require.NotEqual(t, first.Header().Get("X-Request-Id"), again.Header().Get("X-Request-Id"))
	}
	require.Equal(t, int64(1), w.done.Load())

	require.Equal(t, 201, w.ask(t, w.ann, "POST", "/v1/things", named("a"), "k2").Code, "another key is another thing")
	require.Equal(t, 201, w.ask(t, w.eve, "POST", "/v1/things", named("a"), "k1").Code, "another account's key is another key")
	require.Equal(t, 201, w.ask(t, w.ann, "POST", "/v1/things", named("a")).Code, "without a key everything is done")
	require.Equal(t, int64(4), w.done.Load())

	require.Equal(t, 202, w.ask(t, w.ann, "POST", "/v1/empties", "", "none").Code)
	again := w.ask(t, w.ann, "POST", "/v1/empties", "", "none")
	require.Equal(t, 202, again.Code)
	require.Equal(t, "true", again.Header().Get("Idempotent-Replayed"), "an answer without a body is one")
	require.Equal(t, int64(5), w.done.Load())
}

func TestAKeyIsForOneRequest(t *testing.T) {
	t.Parallel()
	w := start(t)
	colleague := catalog.User{ID: catalog.NewID(), AccountID: w.ann.Account, Email: "bob@example.test", Role: catalog.RoleMember}
	_, err := w.db.NewInsert().Model(&colleague).Exec(t.Context())
	require.NoError(t, err)
	token, _, err := w.users.NewAPIToken(t.Context(), w.ann.Account, colleague.ID, "test")
	require.NoError(t, err)

	require.Equal(t, 201, w.ask(t, w.ann, "POST", "/v1/things", named("a"), "k").Code)
	for name, ask := range map[string]func() *httptest.ResponseRecorder{
		"another body":   func() *httptest.ResponseRecorder { return w.ask(t, w.ann, "POST", "/v1/things", named("b"), "k") },
		"another path":   func() *httptest.ResponseRecorder { return w.ask(t, w.ann, "POST", "/v1/others", named("a"), "k") },
		"another query":  func() *httptest.ResponseRecorder { return w.ask(t, w.ann, "POST", "/v1/things?x=1", named("a"), "k") },
		"another method": func() *httptest.ResponseRecorder { return w.ask(t, w.ann, "PATCH", "/v1/things", named("a"), "k") },
		"another user": func() *httptest.ResponseRecorder {
			return w.ask(t, apitest.Caller{Token: token}, "POST", "/v1/things", named("a"), "k")
		},
	} {
		requireProblem(t, ask(), 422, "idempotency-key-reused")
		require.Equal(t, int64(1), w.done.Load(), name)
	}
}

func TestKeysAreChecked(t *testing.T) {
	t.Parallel()
	w := start(t)
	for name, keys := range map[string][]string{
		"empty": {""}, "a space": {"a b"}, "not ASCII": {"clé"}, "a control character": {"a\x7f"}, "too long": {strings.Repeat("k", 256)}, "two": {"a", "b"},
	} {
		requireProblem(t, w.ask(t, w.ann, "POST", "/v1/things", named("a"), keys...), 400, "idempotency-key-invalid")
		require.Zero(t, w.done.Load(), name)
	}
	require.Equal(t, 201, w.ask(t, w.ann, "POST", "/v1/things", named("a"), strings.Repeat("~", 255)).Code)
	requireProblem(t, w.ask(t, w.ann, "POST", "/v1/things", named(strings.Repeat("a", 1<<20)), "k"), 413, "body-too-large")
	requireProblem(t, w.ask(t, apitest.Caller{Token: "vs_x"}, "POST", "/v1/things", named("a"), "k"), 401, "unauthorized")
	require.Equal(t, int64(1), w.done.Load())
}

func TestOnlyWhatIsNotIdempotentTakesAKey(t *testing.T) {
	t.Parallel()
	w := start(t)
	for i, c := range []string{"PUT /v1/things", "POST /v1/searches"} {
		method, path, _ := strings.Cut(c, " ")
		for range 2 {
			require.Less(t, w.ask(t, w.ann, method, path, named("a"), "k").Code, 300)
		}
		require.Equal(t, int64(2*i+2), w.done.Load(), c)
	}
}

func TestWhatFailedForNowIsDoneAgain(t *testing.T) {
	t.Parallel()
	w := start(t)
	for name, status := range map[string]int{"internal": 500, "too many": 429, "panic": 500} {
		before := w.done.Load()
		for range 2 {
			require.Equal(t, status, w.ask(t, w.ann, "POST", "/v1/things", named(name), "k").Code, name)
		}
		require.Equal(t, before+2, w.done.Load(), name)
	}
	for range 2 { // what failed for good is not
		require.Equal(t, 409, w.ask(t, w.ann, "POST", "/v1/things", named("conflict"), "k").Code)
	}
	require.Equal(t, int64(7), w.done.Load())
	require.Equal(t, "true", w.ask(t, w.ann, "POST", "/v1/things", named("conflict"), "k").Header().Get("Idempotent-Replayed"))
}

func TestSecretsAreNotStoredAndNotMadeTwice(t *testing.T) {
	t.Parallel()
	w := start(t)
	first := w.ask(t, w.ann, "POST", "/v1/secrets", named("a"), "k")
	require.Equal(t, 200, first.Code)
	require.Contains(t, first.Body.String(), theSecret)
	requireProblem(t, w.ask(t, w.ann, "POST", "/v1/secrets", named("a"), "k"), 409, "idempotency-answer-not-kept")
	requireProblem(t, w.ask(t, w.ann, "POST", "/v1/secrets", named("b"), "k"), 422, "idempotency-key-reused")
	require.Equal(t, int64(1), w.done.Load())
	files, err := filepath.Glob(w.path + "*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		require.False(t, bytes.Contains(raw, []byte(theSecret)), f)
	}
}

func TestALongAnswerIsSentWholeAndNotMadeTwice(t *testing.T) {
	t.Parallel()
	w := start(t)
	first := w.ask(t, w.ann, "POST", "/v1/things", named("long"), "k")
	require.Equal(t, 201, first.Code)
	require.True(t, json.Valid(first.Body.Bytes()))
	require.Greater(t, first.Body.Len(), 100<<10)
	requireProblem(t, w.ask(t, w.ann, "POST", "/v1/things", named("long"), "k"), 409, "idempotency-answer-not-kept")
	require.Equal(t, int64(1), w.done.Load())
}

// TestACallerWhoHangsUpFindsItDone cuts the connection while the first request works.
func TestACallerWhoHangsUpFindsItDone(t *testing.T) {
	t.Parallel()
	w := start(t)
	srv := httptest.NewServer(w.handler)
	t.Cleanup(srv.Close)
	ctx, hangUp := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", srv.URL+"/v1/things", strings.NewReader(named("wait")))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+w.ann.Token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", "k")
	ended := make(chan error, 1)
	go func() {
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			err = res.Body.Close()
		}
		ended <- err
	}()
	<-w.begun
	busy := w.ask(t, w.ann, "POST", "/v1/things", named("wait"), "k")
	requireProblem(t, busy, 409, "idempotency-key-in-use")
	require.Equal(t, "2", busy.Header().Get("Retry-After"))
	requireProblem(t, w.ask(t, w.ann, "POST", "/v1/things", named("a"), "k"), 422, "idempotency-key-reused")

	hangUp()
	require.ErrorIs(t, <-ended, context.Canceled)
	close(w.goOn)
	srv.Close() // waits for the handler
	again := w.ask(t, w.ann, "POST", "/v1/things", named("wait"), "k")
	require.Equal(t, 201, again.Code)
	require.Equal(t, "true", again.Header().Get("Idempotent-Replayed"))
	require.Equal(t, int64(1), w.done.Load())
}

func TestAConfigThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	cfg := idempotency.DefaultConfig()
	require.NoError(t, cfg.Validate())
	cfg.Lease, cfg.Keep = cfg.Timeout, 0
	_, err := idempotency.New(cfg, nil, nil)
	require.ErrorContains(t, err, "lease")
	require.ErrorContains(t, err, "positive")
}
