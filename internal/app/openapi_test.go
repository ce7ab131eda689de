package app

import (
	"encoding/json"
	"flag"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/analytics/query"
	"github.com/vitascope/vitascope/analytics/replay"
	"github.com/vitascope/vitascope/ingest"
	"github.com/vitascope/vitascope/ingest/library"
	"github.com/vitascope/vitascope/ingest/marketing"
	"github.com/vitascope/vitascope/ingest/sharing"
	"github.com/vitascope/vitascope/internal/auth/authapi"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/idempotency"
	"github.com/vitascope/vitascope/internal/webhooks"
)

var update = flag.Bool("update", false, "write the OpenAPI document that the dashboard's types are made from")

const dashboardDocument = "../../analytics/dashboard/openapi.json"

func document(t *testing.T) (huma.API, *echo.Echo) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	e := httpx.New(nil, log)
	api := httpx.NewAPI(e, "1")
	keys, err := idempotency.New(idempotency.DefaultConfig(), nil, log)
	require.NoError(t, err)
	keys.Use(api)
	authapi.Register(api, nil, nil)
	lc := library.DefaultConfig()
	lc.PublicURL = "http://127.0.0.1:8080"
	lib, err := library.New(lc, nil, nil, nil, log)
	require.NoError(t, err)
	lib.Register(api)
	shared, err := sharing.New(sharing.Config{PublicURL: lc.PublicURL, GrantKey: make([]byte, 32), SealingKey: make([]byte, 32)}, nil, nil, nil, log)
	require.NoError(t, err)
	shared.Register(api)
	market, err := marketing.New(marketing.Config{ViewTokenKey: make([]byte, 32)}, nil, nil, shared, nil, log)
	require.NoError(t, err)
	market.Register(api)
	wc := webhooks.DefaultConfig()
	wc.SealingKey = make([]byte, 32)
	hooks, err := webhooks.New(wc, nil, nil, log)
	require.NoError(t, err)
	hooks.Register(api)
	up := ingest.DefaultConfig()
	up.TempDir = t.TempDir()
	imports, err := ingest.NewImports(ingest.DefaultImportConfig(), up, nil, nil, nil, log)
	require.NoError(t, err)
	imports.Register(api)
	query.Register(api, query.New(nil, nil), log)
	replay.Register(api, nil)
	return api, e
}

// TestDashboardTypesComeFromThisAPI fails when the committed document is not what
// the server says; then run it with -update, and "npm run api" in the dashboard.
func TestDashboardTypesComeFromThisAPI(t *testing.T) {
	t.Parallel()
	api, _ := document(t)
	got, err := json.MarshalIndent(api.OpenAPI(), "", "  ")
	require.NoError(t, err)
	got = append(got, '\n')
	if *update {
		require.NoError(t, os.WriteFile(dashboardDocument, got, 0o644))
	}
	want, err := os.ReadFile(dashboardDocument)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got), "go test ./internal/app -run Dashboard -update && npm run api -w analytics/dashboard")
}

func TestEveryRouteIsInTheDocument(t *testing.T) {
	t.Parallel()
	api, e := document(t)
	require.Equal(t, "3.1.0", api.OpenAPI().OpenAPI)
	for _, r := range e.Routes() {
		if !strings.HasPrefix(r.Path, "/v1/") {
			continue
		}
		path := r.Path
		for _, part := range strings.Split(r.Path, "/") {
			if name, ok := strings.CutPrefix(part, ":"); ok {
				path = strings.Replace(path, part, "{"+name+"}", 1)
			}
		}
		require.Contains(t, api.OpenAPI().Paths, path)
	}
}

// unkeyed are the operations that are repeated without a key, and why.
var unkeyed = map[string]string{
	"create-session":            "nobody is signed in yet",
	"search-leads":              "only reads",
	"create-stats-erasure":      "what is erased is erased",
	"create-stats-rebuild":      "makes the same again",
	"create-stats-verification": "only reads",
	"create-stats-replay":       "only counts",
}

// TestWhatIsNotIdempotentTakesAKey also finds answers with secrets that would be kept.
func TestWhatIsNotIdempotentTakesAKey(t *testing.T) {
	t.Parallel()
	api, _ := document(t)
	for path, item := range api.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Post, item.Patch} {
			if op == nil {
				continue
			}
			keyed := slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == "header" && p.Name == idempotency.Header })
			require.Equal(t, unkeyed[op.OperationID] == "", keyed, "%s %s", op.OperationID, path)
			for status, res := range op.Responses {
				if !keyed || res.Content["application/json"] == nil || !strings.HasPrefix(status, "2") {
					continue
				}
				raw, err := json.Marshal(resolved(api, res.Content["application/json"].Schema))
				require.NoError(t, err)
				for _, name := range []string{"secret", "token", "jwk", "password"} {
					if strings.Contains(string(raw), `"`+name+`":{`) {
						require.True(t, idempotency.IsSecret(op), "the answer of %s has a %s and would be kept", op.OperationID, name)
					}
				}
			}
		}
	}
}

func resolved(api huma.API, s *huma.Schema) *huma.Schema {
	if s.Ref != "" {
		return api.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref)
	}
	return s
}
