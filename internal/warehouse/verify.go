package warehouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Difference is that a derived table does not say what follows from its source.
type Difference struct {
	Key
	Table string
	Rows  uint64 // rows that differ; for uniques, days and months
}

// Verify compares the derived tables with what they follow from, while the sinks
// pause: views with events, and heat, figures and uniques with views. It returns
// how many media it compared and every difference found.
func (db *DB) Verify(ctx context.Context, s Scope) (media int, found []Difference, err error) {
	list, err := db.media(ctx, s)
	if err != nil {
		return 0, nil, err
	}
	resume, err := db.Pause(ctx)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, resume()) }()
	for _, k := range list {
		for _, table := range comparisons(s.Day) {
			var rows uint64
			args := []any{}
			for range strings.Count(table.sql, "?") / 2 {
				args = append(args, k.Account, k.Media)
			}
			if err := db.QueryRow(maintaining(ctx), table.sql, args...).Scan(&rows); err != nil {
				return media, found, fmt.Errorf("compare %s of media %s: %w", table.name, k.Media, err)
			}
			if rows > 0 {
				found = append(found, Difference{Key: k, Table: table.name, Rows: rows})
			}
		}
		media++
	}
	return media, found, nil
}

type comparison struct{ name, sql string }

func comparisons(day time.Time) []comparison {
	of := "account_id = ? AND media_id = ?"
	views, events := of, of
	if !day.IsZero() {
		date := "toDate('" + day.UTC().Format(time.DateOnly) + "')"
		views += " AND toDate(opened_at) = " + date
		events += " AND toDate(UUIDv7ToDateTime(view_id, 'UTC')) = " + date
	}
	var texts []string
	for _, name := range viewColumnNames() {
		switch name {
		case "first_lo", "first_hi", "again_lo", "again_hi", "actions":
			name = "arraySort(" + name + ")" // batches may be stored in any order
		}
		texts = append(texts, "toString("+name+")")
	}
	row := "view_id, bot, cityHash64(" + strings.Join(texts, ", ") + ") AS hash"
	list := []comparison{{"views", fmt.Sprintf(`SELECT uniqExact(view_id, bot) FROM (
		SELECT view_id, bot, hash FROM (
			SELECT %[1]s FROM views FINAL WHERE %[2]s
			UNION ALL SELECT %[1]s FROM (SELECT %[3]s FROM events WHERE %[4]s GROUP BY account_id, media_id, view_id, bot))
		GROUP BY view_id, bot, hash HAVING count() != 2)`, row, views, ViewsFromEvents, events)}}
	for _, d := range derivations("(SELECT count() > 0 FROM heat WHERE " + of + " AND " + marksSQL + ")") {
		key, sums, _ := strings.Cut(strings.TrimPrefix(d.columns, "account_id, media_id, "), map[string]string{"heat": ", delta", "figures": ", loads", "uniques": ", visitors"}[d.table])
		sums = map[string]string{"heat": "delta", "figures": "loads", "uniques": "visitors"}[d.table] + sums
		if d.table == "uniques" {
			// A visitor who was told apart differently at first is in the states still: they
			// may say more than the views, never less.
			list = append(list, comparison{d.table, fmt.Sprintf(`SELECT count() FROM (
				SELECT grain, bucket, uniqCombined64MergeIf(14)(visitors, kept = 1) AS is_v, uniqCombined64MergeIf(14)(visitors, kept = 0) AS be_v,
					uniqCombined64IfMergeIf(14)(players, kept = 1) AS is_p, uniqCombined64IfMergeIf(14)(players, kept = 0) AS be_p,
					groupBitmapIfMergeIf(visitor_bits, kept = 1) AS is_vb, groupBitmapIfMergeIf(visitor_bits, kept = 0) AS be_vb,
					groupBitmapIfMergeIf(player_bits, kept = 1) AS is_pb, groupBitmapIfMergeIf(player_bits, kept = 0) AS be_pb FROM (
					SELECT grain, bucket, visitors, players, visitor_bits, player_bits, 1 AS kept FROM uniques WHERE %s
					UNION ALL SELECT grain, bucket, visitors, players, visitor_bits, player_bits, 0 FROM (%s))
				GROUP BY grain, bucket HAVING is_v < be_v * 0.97 OR is_p < be_p * 0.97 OR is_vb < be_vb OR is_pb < be_pb)`, of, d.fromViews(of))})
			continue
		}
		var plus, minus, off []string
		for _, c := range strings.Split(sums, ", ") {
			plus, minus, off = append(plus, c), append(minus, "-"+c), append(off, "sum("+c+") != 0")
		}
		list = append(list, comparison{d.table, fmt.Sprintf(`SELECT count() FROM (
			SELECT %[1]s FROM (SELECT %[1]s, %[2]s FROM %[5]s WHERE %[6]s UNION ALL SELECT %[1]s, %[3]s FROM (%[7]s))
			GROUP BY %[1]s HAVING %[4]s)`, key, strings.Join(plus, ", "), strings.Join(minus, ", "), strings.Join(off, " OR "), d.table, of+map[string]string{"heat": " AND NOT (" + marksSQL + ")"}[d.table], d.fromViews(of))})
	}
	return list
}
