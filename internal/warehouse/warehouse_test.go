package warehouse_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/deploy/engines"
	"github.com/vitascope/vitascope/internal/warehouse"
)

func TestMain(m *testing.M) {
	engines.MaybeRunChild()
	m.Run()
}

func open(t *testing.T) *warehouse.DB {
	t.Helper()
	cfg := engines.DefaultConfig(t.TempDir())
	cfg.S3, cfg.Kafka, cfg.AllowUnsandboxed = false, false, true
	e, err := engines.New(cfg, []byte("0123456789abcdef0123456789abcdef"), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	endpoints, err := e.Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Stop(context.Background())) })
	wcfg := warehouse.DefaultConfig()
	wcfg.URL = strings.TrimSuffix(endpoints.ClickHouseURL(), "/vitascope") + "/new_one"
	db, err := warehouse.Open(wcfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestMigrateMakesTheDatabaseAndCanBeRepeatedAtTheSameTime(t *testing.T) {
	t.Parallel()
	db := open(t)
	var starters sync.WaitGroup
	for range 3 {
		starters.Go(func() {
			if err := db.Migrate(context.Background()); err != nil {
				t.Errorf("migrate: %v", err)
			}
		})
	}
	starters.Wait()
	require.NoError(t, db.Migrate(t.Context()))
	rows, err := db.Query(t.Context(), "SELECT name, create_table_query FROM system.tables WHERE database = 'new_one' AND name NOT LIKE 'goose%' ORDER BY name")
	require.NoError(t, err)
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name, ddl string
		require.NoError(t, rows.Scan(&name, &ddl))
		require.Contains(t, ddl, "non_replicated_deduplication_window", name)
		if !strings.HasPrefix(name, "sink_") {
			require.Regexp(t, `ORDER BY \(?account_id`, ddl, "%s: the account comes first", name)
		}
		names = append(names, name)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, []string{"events", "figures", "heat", "receipts", "retention", "sink_batches", "sink_pauses", "uniques", "views"}, names)
	insertTwice(t, db)
}

func TestTheEngineReadsTheDDLOfACluster(t *testing.T) {
	t.Parallel()
	db := open(t)
	require.NoError(t, db.Migrate(t.Context()))
	statements, err := warehouse.ClusterDDL("main")
	require.NoError(t, err)
	require.Greater(t, len(statements), 10)
	for _, statement := range statements {
		var formatted string
		require.NoError(t, db.QueryRow(t.Context(), "SELECT formatQuery(?)", statement).Scan(&formatted), statement)
		require.Contains(t, formatted, "ON CLUSTER main", statement)
	}
}

// insertTwice repeats an insert under one token, then under another.
func insertTwice(t *testing.T, db *warehouse.DB) {
	t.Helper()
	insert := func(token string) {
		batch, err := db.PrepareBatch(warehouse.WithToken(t.Context(), token), "INSERT INTO heat (account_id, media_id, kind, cell, delta)")
		require.NoError(t, err)
		require.NoError(t, batch.Append("a", "m", "first", uint32(3), int64(1)))
		require.NoError(t, batch.Send())
	}
	total := func() (sum int64) {
		require.NoError(t, db.QueryRow(t.Context(), "SELECT sum(delta) FROM heat").Scan(&sum))
		return sum
	}
	insert("one")
	insert("one")
	require.Equal(t, int64(1), total(), "the same token lands once")
	insert("two")
	require.Equal(t, int64(2), total(), "another token lands though the rows are the same")
}

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                                  "url",
		"clickhouse://u:p@127.0.0.1:9000/d": "http",
		"http://u:hunter2@127.0.0.1:8123/bad-name": "database",
		"http://u:hunter2@[::1/d":                  "url",
	} {
		cfg := warehouse.DefaultConfig()
		cfg.URL = url
		_, err := warehouse.Open(cfg, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, want, url)
		require.NotContains(t, err.Error(), "hunter2")
	}
	require.ErrorContains(t, warehouse.Config{URL: "http://h/"}.Validate(), "max_conns")
}
