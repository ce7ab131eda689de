package query_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/analytics/query"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/warehouse"
)

// library has one media. What the figures are is tested in package sink, where
// there is a pipeline to fill the warehouse.
type library struct{}

func (library) Media(_ context.Context, account, id string) (catalog.Media, error) {
	if account != "account001" || id != "media00001" {
		return catalog.Media{}, fmt.Errorf("media %q: %w", id, catalog.ErrNotFound)
	}
	return catalog.Media{ID: id, DurationMS: 10_000}, nil
}

func TestRefusalsNeedNoWarehouseAndItsAbsenceIsSaid(t *testing.T) {
	t.Parallel()
	cfg := warehouse.DefaultConfig()
	cfg.URL = "http://user:password@127.0.0.1:1/vitascope" // nobody is there
	db, err := warehouse.Open(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	svc, ctx := query.New(db, library{}), t.Context()

	_, err = svc.Media(ctx, "account002", "media00001", query.Filter{})
	require.ErrorIs(t, err, catalog.ErrNotFound)
	_, err = svc.Engagement(ctx, "account001", "media00002", query.Filter{})
	require.ErrorIs(t, err, catalog.ErrNotFound)
	_, err = svc.Views(ctx, "account002", "media00001", "", 10, query.Filter{})
	require.ErrorIs(t, err, catalog.ErrNotFound)
	for _, cursor := range []string{"?", "bm9uc2Vuc2U", "MTIvbm90LWEtdXVpZA"} {
		_, err = svc.Views(ctx, "account001", "media00001", cursor, 10, query.Filter{})
		require.Equal(t, fault.Invalid, fault.KindOf(err), cursor)
	}
	_, err = svc.Media(ctx, "account001", "media00001", query.Filter{})
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "got %v", err)
	_, err = svc.Overview(ctx, "account001", query.Filter{})
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
}

func TestAnIdentityMayBeEscapedInThePath(t *testing.T) {
	t.Parallel()
	e := httpx.New(nil, slog.New(slog.DiscardHandler))
	type out struct{ Body string }
	httpx.Register(httpx.NewAPI(e, "test"), huma.Operation{OperationID: "who", Method: http.MethodGet, Path: "/v1/who/{viewer}", Security: httpx.Public},
		func(_ context.Context, in *query.ViewerInput) (*out, error) { return &out{in.Viewer}, nil })
	for path, want := range map[string]string{
		"ann@example.com":   "ann@example.com",
		"ann%40example.com": "ann@example.com",
		"a%25b":             "a%b",
		"50%25%40shop%2F7":  "50%@shop/7",
	} {
		rec := httptest.NewRecorder()
		e.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/who/"+path, nil))
		require.JSONEq(t, strconv.Quote(want), rec.Body.String(), path)
	}
}

var update = flag.Bool("update", false, "write docs/definitions.md")

func TestTheDocumentOfDefinitionsIsUpToDate(t *testing.T) {
	t.Parallel()
	const path = "../../docs/definitions.md"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(query.DefinitionsDocument()), 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, query.DefinitionsDocument(), string(got), "go test ./analytics/query -run Document -update")
}

func TestEveryDefinitionIsASentence(t *testing.T) {
	t.Parallel()
	for name, formula := range query.Definitions() {
		require.Regexp(t, `^[A-Z0-9].{20,}\.$`, formula, name)
	}
}
