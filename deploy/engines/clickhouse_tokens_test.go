package engines_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/deploy/engines"
)

// An engine that is killed between noting a token and committing the part leaves the
// note and no part.
func TestAnInsertTheEngineWasKilledInIsTakenWhenItIsRepeated(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, t.TempDir())
	cfg.ClickHouse = true
	session := func(do func(driver.Conn)) {
		e, err := engines.New(cfg, testSecret(), testLog(t))
		require.NoError(t, err)
		endpoints, err := e.Start(t.Context())
		require.NoError(t, err)
		options, err := clickhouse.ParseDSN(endpoints.ClickHouseURL())
		require.NoError(t, err)
		conn, err := clickhouse.Open(options)
		require.NoError(t, err)
		do(conn)
		require.NoError(t, conn.Close())
		require.NoError(t, e.Stop(context.Background()))
	}
	insert := func(conn driver.Conn, token string, month, n int) {
		ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": token}))
		require.NoError(t, conn.Exec(ctx, "INSERT INTO kept SELECT ?, ?", month, n))
	}
	rows := func(conn driver.Conn) (list []uint32) {
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT arraySort(groupArray(n)) FROM kept").Scan(&list))
		return list
	}
	var path string
	session(func(conn driver.Conn) {
		require.NoError(t, conn.Exec(t.Context(), "CREATE TABLE kept (month UInt32, n UInt32) ENGINE = MergeTree PARTITION BY month ORDER BY n SETTINGS non_replicated_deduplication_window = 100"))
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT data_paths[1] FROM system.tables WHERE name = 'kept'").Scan(&path))
		insert(conn, "a", 1, 1)
		insert(conn, "b", 1, 2)
		insert(conn, "c", 2, 3)
		insert(conn, "d", 1, 4)
	})
	lost, err := filepath.Glob(filepath.Join(path, "1_4_4_*"))
	require.NoError(t, err)
	require.Len(t, lost, 1)
	require.NoError(t, os.RemoveAll(lost[0]))
	notes := filepath.Join(path, "deduplication_logs", "deduplication_log_1.txt")
	f, err := os.OpenFile(notes, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString("1\t1_5_")
	require.NoError(t, err)
	require.NoError(t, f.Close())

	session(func(conn driver.Conn) {
		require.Equal(t, []uint32{1, 2, 3}, rows(conn))
		for range 2 {
			insert(conn, "a", 1, 1)
			insert(conn, "b", 1, 2)
			insert(conn, "c", 2, 3)
			insert(conn, "d", 1, 4)
			require.Equal(t, []uint32{1, 2, 3, 4}, rows(conn), "what was lost is taken once, what was there is not taken again")
		}
	})
	session(func(conn driver.Conn) { // and it stays so
		insert(conn, "d", 1, 4)
		require.Equal(t, []uint32{1, 2, 3, 4}, rows(conn))
	})
}
