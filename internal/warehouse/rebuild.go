package warehouse

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Scope narrows maintenance to media. Empty fields narrow nothing.
type Scope struct {
	Account string
	Media   string
	Day     time.Time // of views opened on that day (UTC)
}

// Key names a media of an account.
type Key struct{ Account, Media string }

// media lists the media of the scope that have events.
func (db *DB) media(ctx context.Context, s Scope) ([]Key, error) {
	where, args := "1", []any{}
	and := func(condition string, arg any) { where, args = where+" AND "+condition, append(args, arg) }
	if s.Account != "" {
		and("account_id = ?", s.Account)
	}
	if s.Media != "" {
		and("media_id = ?", s.Media)
	}
	events := where
	if !s.Day.IsZero() {
		events += " AND toDate(UUIDv7ToDateTime(view_id, 'UTC')) = toDate('" + s.Day.UTC().Format(time.DateOnly) + "')"
	}
	return db.keys(ctx, "SELECT DISTINCT toString(account_id), media_id FROM (SELECT account_id, media_id FROM events WHERE "+events+
		" UNION ALL SELECT account_id, media_id FROM views WHERE "+where+") ORDER BY 1, 2", append(args, args...)...)
}

// keys reads the media that a statement selects.
func (db *DB) keys(ctx context.Context, statement string, args ...any) ([]Key, error) {
	rows, err := db.Query(ctx, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("list media: %w", err)
	}
	defer rows.Close()
	var list []Key
	for rows.Next() {
		var k Key
		if err := rows.Scan(&k.Account, &k.Media); err != nil {
			return nil, fmt.Errorf("list media: %w", err)
		}
		list = append(list, k)
	}
	return list, rows.Err()
}

// maintaining returns ctx for statements that rewrite: memory stays bounded, and
// rows are written even if the same ones were before.
func maintaining(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"prefer_column_name_to_alias": 1, "optimize_aggregation_in_order": 1, "insert_deduplicate": 0,
		"do_not_merge_across_partitions_select_final": 1, "lightweight_deletes_sync": 2, "mutations_sync": 2,
		"max_bytes_before_external_group_by": 256 << 20, "max_insert_threads": 1, "max_threads": 2,
	}))
}

// Rebuild makes the derived tables anew from events, while the sinks pause, and
// returns of which media.
func (db *DB) Rebuild(ctx context.Context, s Scope) (done []Key, err error) {
	list, err := db.media(ctx, s)
	if err != nil {
		return nil, err
	}
	resume, err := db.Pause(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, resume()) }()
	for _, k := range list {
		if err := db.rebuildMedia(maintaining(ctx), k, s.Day); err != nil {
			return done, fmt.Errorf("rebuild media %s: %w", k.Media, err)
		}
		done = append(done, k)
	}
	return done, nil
}

// rebuildMedia makes views from events, those of a day if one is given, and the
// sums from views.
func (db *DB) rebuildMedia(ctx context.Context, k Key, day time.Time) error {
	of, args := "account_id = ? AND media_id = ?", []any{k.Account, k.Media}
	views, events := of, of
	if !day.IsZero() {
		date := "toDate('" + day.UTC().Format(time.DateOnly) + "')"
		views += " AND toDate(opened_at) = " + date
		events += " AND toDate(UUIDv7ToDateTime(view_id, 'UTC')) = " + date
	}
	if err := db.exec(ctx, args,
		"DELETE FROM views WHERE "+views,
		"INSERT INTO views ("+strings.Join(viewColumnNames(), ", ")+") SELECT "+ViewsFromEvents+" FROM events WHERE "+events+" GROUP BY account_id, media_id, view_id, bot",
	); err != nil {
		return err
	}
	return db.rebuildSums(ctx, k)
}

// rebuildSums makes heat, figures and uniques of a media from its views.
func (db *DB) rebuildSums(ctx context.Context, k Key) error {
	return db.rebuildSumsSince(ctx, k, time.UnixMilli(0))
}

// rebuildSumsSince leaves views out that were opened earlier.
func (db *DB) rebuildSumsSince(ctx context.Context, k Key, since time.Time) error {
	of, args := "account_id = ? AND media_id = ?", []any{k.Account, k.Media}
	views := of
	if since.UnixMilli() > 0 {
		views += fmt.Sprintf(" AND opened_at >= fromUnixTimestamp64Milli(%d, 'UTC')", since.UnixMilli())
	}
	busy, err := db.busy(ctx, k)
	if err != nil {
		return err
	}
	statements := []string{}
	for _, table := range []string{"heat", "figures", "uniques"} {
		statements = append(statements, "DELETE FROM "+table+" WHERE "+of)
	}
	for _, d := range derivations(strconv.FormatBool(busy)) {
		statements = append(statements, "INSERT INTO "+d.table+" ("+d.columns+") "+d.fromViews(views))
	}
	if err := db.exec(ctx, args, statements...); err != nil || !busy {
		return err
	}
	return db.mark(ctx, k)
}

// AddSums adds to heat, figures and uniques what the views that meet a condition
// come to. They must not have been added before: it is for views that were not
// brought by a sink, such as a bench's.
func (db *DB) AddSums(ctx context.Context, condition string, args ...any) error {
	var statements []string
	for _, d := range derivations("(account_id, media_id) IN (SELECT account_id, media_id FROM heat WHERE " + marksSQL + ")") {
		statements = append(statements, "INSERT INTO "+d.table+" ("+d.columns+") "+d.fromViews(condition))
	}
	return db.exec(maintaining(ctx), args, statements...)
}

// exec runs statements that each take args, some of them several times.
func (db *DB) exec(ctx context.Context, args []any, statements ...string) error {
	for _, statement := range statements {
		var all []any
		for range strings.Count(statement, "?") / len(args) {
			all = append(all, args...)
		}
		if err := db.Exec(ctx, statement, all...); err != nil {
			return err
		}
	}
	return nil
}

// derivation says how rows of a table follow from views.
type derivation struct {
	table, columns string
	fromViews      func(of string) string
}

// playedSQL and the like are package sink's ViewState in the warehouse's words.
const (
	playedSQL   = "(plays > 0 OR watched_ms + rewatched_ms > 0)"
	finishedSQL = "(" + playedSQL + " AND (ends > 0 OR max_watched_to_ms + 2000 >= duration_ms))"
	sharePPBSQL = "if(watched_ms >= duration_ms, 1000000000, intDiv(watched_ms * 1000000000 + intDiv(greatest(duration_ms, 1), 2), greatest(duration_ms, 1)))"
	sumsSQL     = "toInt64(count()) AS loads, toInt64(countIf(" + playedSQL + ")) AS plays, toInt64(countIf(watched_ms + rewatched_ms > 0)) AS views, " +
		"toInt64(countIf(" + finishedSQL + ")) AS finished, toInt64(sumIf(" + sharePPBSQL + ", " + playedSQL + ")) AS engagement_ppb, toInt64(sum(watched_ms + rewatched_ms)) AS watched_ms"
	whoSQL = "if(identity != '', identity, if(visitor != '', visitor, toString(view_id)))"
)

// people is where views of people are that meet a condition.
func people(of string) string { return " FROM views FINAL WHERE " + of + " AND bot = 0 " }

// derivations lists the tables that follow from views. busy is a condition on a media:
// whether heat keeps its days.
func derivations(busy string) []derivation {
	heat := derivation{"heat", "account_id, media_id, grain, bucket, kind, cell, delta", func(of string) string { return heatFromViews(of, busy) }}
	figures := derivation{"figures", "account_id, media_id, dimension, bucket, value, loads, plays, views, finished, engagement_ppb, watched_ms", func(of string) string {
		columns := "account_id, media_id, view_id, opened_at, plays, watched_ms, rewatched_ms, ends, max_watched_to_ms, duration_ms, page, referrer_host, utm_source, utm_medium, utm_campaign, country, device, browser"
		return `SELECT account_id, media_id, d.1 AS dimension, d.2 AS bucket, d.3 AS value, ` + sumsSQL + ` FROM (
			SELECT *, arrayJoin([('', toStartOfFifteenMinutes(opened_at), ''), ('page', toDateTime(toStartOfMonth(opened_at), 'UTC'), page), ('referrer', toDateTime(toStartOfMonth(opened_at), 'UTC'), referrer_host),
				('utm_source', toDateTime(toStartOfMonth(opened_at), 'UTC'), utm_source), ('utm_medium', toDateTime(toStartOfMonth(opened_at), 'UTC'), utm_medium),
				('utm_campaign', toDateTime(toStartOfMonth(opened_at), 'UTC'), utm_campaign), ('country', toDateTime(toStartOfMonth(opened_at), 'UTC'), toString(country)),
				('device', toDateTime(toStartOfMonth(opened_at), 'UTC'), toString(device)), ('browser', toDateTime(toStartOfMonth(opened_at), 'UTC'), toString(browser))]) AS d
			FROM (SELECT ` + columns + people(of) + `)) GROUP BY account_id, media_id, dimension, bucket, value`
	}}
	return []derivation{heat, figures, uniquesFromViews()}
}

// heatFromViews is what to select for rows of heat.
func heatFromViews(of, busy string) string {
	var parts []string
	for _, p := range []struct{ kind, cell, sign, when string }{
		{"first", "arrayJoin(first_lo)", "", ""}, {"first", "arrayJoin(first_hi)", "-", ""},
		{"repeat", "arrayJoin(again_lo)", "", ""}, {"repeat", "arrayJoin(again_hi)", "-", ""},
		{"exit", "toUInt32(intDiv(max_watched_to_ms - 1, 1000))", "", "AND max_watched_to_ms > 0 AND NOT " + finishedSQL},
	} {
		parts = append(parts, fmt.Sprintf("SELECT account_id, media_id, %s AS is_busy, if(is_busy, toDate(opened_at), toStartOfMonth(opened_at)) AS day, '%s' AS kind, %s AS cell, %stoInt64(count()) AS delta%s%s GROUP BY account_id, media_id, is_busy, day, cell",
			busy, p.kind, p.cell, p.sign, people(of), p.when))
	}
	return `SELECT account_id, media_id, g.1 AS grain, g.2 AS bucket, kind, cell, sum(delta) AS delta FROM (
		SELECT *, arrayJoin(arrayConcat([('all', toDate(0)), ('month', toStartOfMonth(day))], if(is_busy, [('day', day)], []))) AS g FROM (` + strings.Join(parts, " UNION ALL ") + `))
		GROUP BY account_id, media_id, grain, bucket, kind, cell HAVING sum(delta) != 0`
}

func uniquesFromViews() derivation {
	return derivation{"uniques", "account_id, media_id, grain, bucket, visitors, players, visitor_bits, player_bits", func(of string) string {
		return `SELECT account_id, media_id, g.1 AS grain, g.2 AS bucket, uniqCombined64State(14)(who) AS visitors, uniqCombined64IfState(14)(who, toUInt8(player)) AS players,
			groupBitmapIfState(bit, toUInt8(grain != 'month')) AS visitor_bits, groupBitmapIfState(bit, toUInt8(grain != 'month' AND player)) AS player_bits FROM (
			SELECT account_id, media_id, ` + whoSQL + ` AS who, toUInt32(sipHash64(who) % 262144) AS bit, ` + playedSQL + ` AS player,
				arrayJoin([('all', toDate(0)), ('day', toDate(opened_at)), ('month', toStartOfMonth(opened_at))]) AS g` + people(of) + `)
			GROUP BY account_id, media_id, grain, bucket`
	}}
}
