package query

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Statements read views by FINAL: each row is a view. In each the account comes
// first (see Filter.where).

// names are expressions on a row of views that statements share. A name that is
// not used costs nothing.
const names = `WITH
	if(identity != '', identity, if(visitor != '', visitor, toString(view_id))) AS who,
	plays > 0 OR watched_ms + rewatched_ms > 0 AS played,
	watched_ms + rewatched_ms > 0 AS watched,
	played AND (ends > 0 OR max_watched_to_ms + 2000 >= duration_ms) AS reached_end,
	if(watched_ms >= duration_ms, 1000000000, intDiv(watched_ms * 1000000000 + intDiv(greatest(duration_ms, 1), 2), greatest(duration_ms, 1))) AS share_ppb,
	playing_ms + rebuffer_ms AS watch_time_ms,
	startups > 0 OR watched AS started
`

// totalsColumns are the columns of a totals row, in its order.
const totalsColumns = `
	toInt64(count()) AS t_loads, uniqExact(who) AS t_visitors, toInt64(countIf(played)) AS t_plays, uniqExactIf(who, played) AS t_players,
	toInt64(countIf(watched)) AS t_views, toInt64(countIf(reached_end)) AS t_finished,
	toInt64(sumIf(share_ppb, played)) AS t_share, toInt64(sum(watched_ms + rewatched_ms)) AS t_watched`

// reading returns ctx with the settings of statements that read views: parts
// merge within a month only, because a view never leaves its month.
func reading(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"do_not_merge_across_partitions_select_final": 1,
		"max_execution_time":                          int(timeout.Seconds()),
	}))
}

// summing returns ctx for statements that read a few thousand rows of sums: more
// threads, and columns read one after the other, would cost more than they gain.
func summing(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"max_threads": 1, "optimize_move_to_prewhere": 0, "max_execution_time": int(timeout.Seconds()),
	}))
}

// streaming returns ctx for statements whose answer is read as it comes.
func streaming(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"do_not_merge_across_partitions_select_final": 1, "max_threads": 1, "max_block_size": 8192,
		"max_bytes_before_external_sort": 128 << 20, "optimize_read_in_order": 1,
	}))
}

// sprintf puts a condition in a statement's %s.
func sprintf(statement string, c *clause) string { return fmt.Sprintf(statement, c.sql.String()) }
