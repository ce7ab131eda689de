package warehouse

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/deploy/engines"
)

// A warehouse of the release before: 3,000 views of 1,000 visitors on 30 days, of
// whom every third plays, and their uniques without bits and without all time.
const (
	olderViewsSQL = `
	INSERT INTO views (account_id, media_id, opened_at, view_id, bot, visitor, duration_ms, loads, plays)
	SELECT 'account001', concat('media0000', toString(number % 2)), toDateTime64('2026-03-01 00:00:00', 3, 'UTC') + toIntervalMinute(number * 14), generateUUIDv4(number), 0,
		concat('v', toString(number % 1000)), 20000, 1, number % 3 = 0 FROM numbers(3000)`
	olderUniquesSQL = `
	INSERT INTO uniques (account_id, media_id, grain, bucket, visitors, players)
	SELECT account_id, media_id, g.1, g.2, uniqCombined64State(14)(visitor), uniqCombined64IfState(14)(visitor, toUInt8(plays > 0)) FROM (
		SELECT account_id, media_id, visitor, plays, arrayJoin([('day', toDate(opened_at)), ('month', toStartOfMonth(opened_at))]) AS g FROM views)
	GROUP BY account_id, media_id, g`
)

func TestMigrateAddsTheVisitorsOfViewsThatAreThereAlready(t *testing.T) {
	t.Parallel()
	cfg := engines.DefaultConfig(t.TempDir())
	cfg.S3, cfg.Kafka, cfg.AllowUnsandboxed = false, false, true
	log := slog.New(slog.DiscardHandler)
	e, err := engines.New(cfg, []byte("0123456789abcdef0123456789abcdef"), log)
	require.NoError(t, err)
	endpoints, err := e.Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Stop(context.Background())) })
	wcfg := DefaultConfig()
	wcfg.URL = endpoints.ClickHouseURL()
	db, err := Open(wcfg, log)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	ctx := t.Context()
	require.NoError(t, db.createDatabase(ctx))
	std := clickhouse.OpenDB(db.clone())
	t.Cleanup(func() { _ = std.Close() })
	provider, err := db.provider(std)
	require.NoError(t, err)
	_, err = provider.UpTo(ctx, 3)
	require.NoError(t, err)
	for _, statement := range []string{
		olderViewsSQL, olderUniquesSQL,
		"INSERT INTO figures (account_id, media_id, dimension, bucket, value, loads) SELECT account_id, media_id, '', toStartOfFifteenMinutes(opened_at), '', 1 FROM views",
	} {
		require.NoError(t, db.Exec(ctx, statement))
	}
	require.NoError(t, db.Migrate(ctx))
	require.NoError(t, db.addVisitors(ctx), "again changes nothing")
	for _, media := range []string{"media00000", "media00001"} {
		var want, players, bits, playerBits, states, loads uint64
		require.NoError(t, db.QueryRow(ctx, `SELECT uniqExact(visitor), uniqExactIf(visitor, plays > 0) FROM views WHERE media_id = ?`, media).Scan(&want, &players))
		require.NoError(t, db.QueryRow(ctx, `
			SELECT toUInt64(groupBitmapIfMerge(visitor_bits)), toUInt64(groupBitmapIfMerge(player_bits)), uniqCombined64Merge(14)(visitors), count() FROM uniques FINAL
			WHERE media_id = ? AND grain = 'all'`, media).Scan(&bits, &playerBits, &states, &loads))
		require.InDelta(t, want, bits, 5) // few of 500 share a bit
		require.InDelta(t, players, playerBits, 5)
		require.Equal(t, want, states) // exact up to 512
		require.Equal(t, uint64(1), loads)
		for _, c := range comparisons(time.Time{}) {
			if c.name == "uniques" {
				var rows uint64
				require.NoError(t, db.QueryRow(maintaining(ctx), c.sql, "account001", media, "account001", media).Scan(&rows))
				require.Zero(t, rows)
			}
		}
	}
}
