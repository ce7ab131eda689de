package warehouse

import (
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// viewColumn says how a column of views is made from the events of one view.
type viewColumn struct{ name, fromEvents string }

// viewColumns lists every column of views but its key. Package sink makes the
// same rows batch by batch; Verify compares the two.
func viewColumns() []viewColumn {
	greatest := func(names ...string) (list []viewColumn) {
		for _, name := range names {
			list = append(list, viewColumn{name, "max(" + name + ")"})
		}
		return list
	}
	countKind := func(name, kind string) viewColumn { return viewColumn{name, "countIf(kind = '" + kind + "')"} }
	lo, hi := cellSQL("from_ms"), cellSQL("to_ms")
	first, again := "kind = 'watch' AND NOT repeat AND "+lo+" < "+hi, "kind = 'watch' AND repeat AND "+lo+" < "+hi
	drawn := func(cell, when string) string {
		return fmt.Sprintf("arrayMap(x -> toUInt32(x), groupArrayIf(%d)(%s, %s))", MaxSpans, cell, when)
	}
	playing := "toUInt64(floor((to_ms - from_ms) / greatest(toFloat64(rate), 0.05) + 0.5))"
	list := []viewColumn{
		{"started_at", "min(at)"},
		{"last_seen_at", "max(at)"},
		{"opted_out", "toUInt8(max(opted_out))"},
	}
	list = append(list, greatest("visitor", "identity", "bot_reason", "page_url", "page", "referrer", "referrer_host", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "variant",
		"language", "country", "device", "browser", "os", "duration_ms", "player_width", "player_height", "screen_width", "screen_height")...)
	return append(list,
		viewColumn{"batches", "uniqExact(seq)"},
		countKind("loads", "load"),
		countKind("plays", "play"),
		viewColumn{"autoplays", "countIf(kind = 'play' AND autoplay)"},
		countKind("pauses", "pause"),
		countKind("seeks", "seek"),
		countKind("ends", "end"),
		countKind("rate_changes", "rate"),
		viewColumn{"watched_ms", "sumIf(toUInt64(to_ms - from_ms), kind = 'watch' AND NOT repeat)"},
		viewColumn{"rewatched_ms", "sumIf(toUInt64(to_ms - from_ms), kind = 'watch' AND repeat)"},
		viewColumn{"playing_ms", "sumIf(" + playing + ", kind = 'watch')"},
		viewColumn{"muted_ms", "sumIf(" + playing + ", kind = 'watch' AND muted)"},
		viewColumn{"fullscreen_ms", "sumIf(" + playing + ", kind = 'watch' AND fullscreen)"},
		viewColumn{"hidden_ms", "sumIf(" + playing + ", kind = 'watch' AND hidden)"},
		viewColumn{"max_watched_to_ms", "maxIf(to_ms, kind = 'watch')"},
		viewColumn{"first_lo", drawn(lo, first)},
		viewColumn{"first_hi", drawn(hi, first)},
		viewColumn{"again_lo", drawn(lo, again)},
		viewColumn{"again_hi", drawn(hi, again)},
		viewColumn{"first_spans", fmt.Sprintf("least(countIf(%s), %d)", first, MaxSpans)},
		viewColumn{"again_spans", fmt.Sprintf("least(countIf(%s), %d)", again, MaxSpans)},
		countKind("startups", "startup"),
		viewColumn{"startup_ms", "sumIf(toUInt64(took_ms), kind = 'startup')"},
		viewColumn{"played_at_ms", "if(countIf(kind = 'play') = 0, toInt64(9223372036854775807), minIf(toUnixTimestamp64Milli(at), kind = 'play'))"},
		countKind("rebuffers", "rebuffer"),
		viewColumn{"rebuffer_ms", "sumIf(toUInt64(took_ms), kind = 'rebuffer')"},
		countKind("seek_waits", "seek_wait"),
		viewColumn{"seek_wait_ms", "sumIf(toUInt64(took_ms), kind = 'seek_wait')"},
		viewColumn{"upshifts", "countIf(kind = 'rung' AND shift = 'up')"},
		viewColumn{"downshifts", "countIf(kind = 'rung' AND shift = 'down')"},
		viewColumn{"top_height", "maxIf(height, kind IN ('rung', 'quality'))"},
		countKind("errors", "error"),
		viewColumn{"fatal_errors", "countIf(kind = 'error' AND fatal)"},
		viewColumn{"business_errors", "countIf(kind = 'error' AND severity = 'business')"},
		viewColumn{"error_code", "maxIf(code, kind = 'error' AND fatal)"},
		viewColumn{"sampled_ms", "sumIf(toUInt64(played_ms), kind = 'quality')"},
		viewColumn{"bitrate_ms", "sumIf(intDiv(bitrate_bps, 1000) * played_ms, kind = 'quality')"},
		viewColumn{"upscale_ms", "sumIf(" + weighSQL("upscale_avg_pct", "played_ms") + ", kind = 'quality')"},
		viewColumn{"upscale_max", "toUInt32(maxIf(" + weighSQL("upscale_max_pct", "1") + ", kind = 'quality'))"},
		viewColumn{"downscale_ms", "sumIf(" + weighSQL("downscale_avg_pct", "played_ms") + ", kind = 'quality')"},
		viewColumn{"downscale_max", "toUInt32(maxIf(" + weighSQL("downscale_max_pct", "1") + ", kind = 'quality'))"},
		viewColumn{"frames", "sumIf(frames, kind = 'quality')"},
		viewColumn{"dropped_frames", "sumIf(dropped_frames, kind = 'quality')"},
		viewColumn{"requests", "sumIf(toUInt64(requests), kind = 'requests')"},
		viewColumn{"requests_failed", "sumIf(toUInt64(failed), kind = 'requests')"},
		viewColumn{"request_bytes", "sumIf(bytes, kind = 'requests')"},
		viewColumn{"ttfb_ms", "sumIf(ttfb_ms, kind = 'requests')"},
		viewColumn{"actions", fmt.Sprintf("groupUniqArrayIf(%d)(%s, kind = 'action')", MaxActions, actionSQL)},
		viewColumn{"action_count", fmt.Sprintf("least(uniqExactIf(%s, kind = 'action'), %d)", actionSQL, MaxActions)},
	)
}

// viewColumnNames lists the columns of views, its key first.
func viewColumnNames() []string {
	names := []string{"account_id", "media_id", "opened_at", "view_id", "bot"}
	for _, c := range viewColumns() {
		if c.name != "action_count" { // known while batches are written, and nowhere kept
			names = append(names, c.name)
		}
	}
	return names
}

// ViewsFromEvents is what to select from events, grouped by account_id,
// media_id, view_id and bot, for rows of views. It needs [ColumnsFirst].
var ViewsFromEvents = "account_id, media_id, UUIDv7ToDateTime(view_id, 'UTC') AS opened_at, view_id, toUInt8(bot) AS bot, " + ViewColumnsFromEvents(viewColumnNames()[5:]...)

// MaxActions is how many different actions of a view are kept; see package sink.
const MaxActions = 500

const actionSQL = "concat(action_type, '\\x1f', action_id, '\\x1f', action_verb)"

// weighSQL multiplies a percentage as package sink does.
func weighSQL(percent, by string) string {
	return "toUInt64(floor(toFloat64(" + percent + ") * " + by + " + 0.5))"
}

// MaxSpans is how many intervals of each kind of a view are drawn; see package
// sink.
const MaxSpans = 20_000

// cellSQL is beacon.Cells' rule for one end of an interval: the first second
// whose midpoint is not before column.
func cellSQL(column string) string {
	n := "intDiv(toInt64(duration_ms) + 999, 1000)"
	last := "(" + n + " - 1)"
	middle := "if(" + last + " * 1000 + 500 < duration_ms, " + last + " * 1000 + 500, intDiv(" + last + " * 1000 + duration_ms, 2))"
	cell := "intDiv(toInt64(" + column + ") + 499, 1000)"
	return "if(" + cell + " < " + last + ", " + cell + ", if(" + middle + " >= " + column + ", " + last + ", " + n + "))"
}

// ViewColumnsFromEvents returns, for a SELECT from events grouped by view and
// bot, the expressions of the named columns of views under their names. The
// statement needs [ColumnsFirst]. It panics when a name is unknown.
func ViewColumnsFromEvents(names ...string) string {
	sql := map[string]string{}
	for _, c := range viewColumns() {
		sql[c.name] = c.fromEvents
	}
	parts := make([]string, len(names))
	for i, name := range names {
		if sql[name] == "" {
			panic("warehouse: views has no column " + name)
		}
		parts[i] = sql[name] + " AS " + name
	}
	return strings.Join(parts, ", ")
}

// ColumnsFirst returns ctx under which a name in a statement means the column,
// not an alias of the same name.
func ColumnsFirst(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"prefer_column_name_to_alias": 1}))
}
