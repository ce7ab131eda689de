package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// copy makes an audience of several copies of another: the same views under other
// ids. Sums of views that are alike are multiples, and their visitors the same
// ones, so that the sums need not be counted again.
func (h *heatBench) copy(from, to int) error {
	ctx, started := making(h.ctx), time.Now()
	views, err := h.copyViews(ctx, from, to)
	if err != nil {
		return fmt.Errorf("copy views: %w", err)
	}
	sums, err := h.copySums(ctx, heatAccount(from), heatAccount(to), to/from)
	if err != nil {
		return fmt.Errorf("copy sums: %w", err)
	}
	if !views && !sums {
		return nil
	}
	for _, table := range []string{"views", "heat", "figures", "uniques"} {
		if err := h.db.Exec(ctx, "OPTIMIZE TABLE "+table+" FINAL"); err != nil {
			return fmt.Errorf("merge: %w", err)
		}
	}
	bytes, err := h.count(ctx, "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase()")
	fmt.Fprintf(os.Stderr, "heatmap: %d M intervals copied in %s, %d MB in all tables\n", to, time.Since(started).Round(time.Second), bytes>>20)
	return err
}

// copyViews copies what is missing. The time in a view's id stays.
func (h *heatBench) copyViews(ctx context.Context, from, to int) (did bool, err error) {
	source, account := heatAccount(from), heatAccount(to)
	columns, err := h.viewColumns(ctx, "account_id", "view_id", "os")
	if err != nil {
		return false, err
	}
	for k := range to / from {
		tag := fmt.Sprint("copy-", k)
		have, err := h.count(ctx, "SELECT count() FROM views WHERE account_id = ? AND os = ?", account, tag)
		if err != nil {
			return did, err
		}
		if have == from*1_000_000/heatPerView {
			continue
		}
		did = true
		if have > 0 { // cut off in the middle
			if err := h.db.Exec(ctx, "DELETE FROM views WHERE account_id = ? AND os = ?", account, tag); err != nil {
				return did, err
			}
		}
		err = h.db.Exec(ctx, "INSERT INTO views (account_id, view_id, os, "+columns+") SELECT ?, "+
			"toUUID(concat(substring(toString(view_id), 1, 35), substring('0123456789abcdef', toUInt8(?) + 1, 1))), ?, "+columns+" FROM views WHERE account_id = ?", account, k, tag, source)
		if err != nil {
			return did, err
		}
	}
	return did, nil
}

// viewColumns lists the columns of views but some.
func (h *heatBench) viewColumns(ctx context.Context, but ...string) (columns string, err error) {
	err = h.db.QueryRow(ctx, `SELECT arrayStringConcat(groupArray(name), ', ') FROM (SELECT name FROM system.columns
		WHERE database = currentDatabase() AND table = 'views' AND name NOT IN (?) ORDER BY position)`, but).Scan(&columns)
	return columns, err
}

// copySums copies the sums of an account that has so many times the views of another.
func (h *heatBench) copySums(ctx context.Context, source, account string, times int) (did bool, err error) {
	for _, t := range []struct {
		table, keys string
		sums        []string
	}{
		{"heat", "media_id, grain, bucket, kind, cell", []string{"delta"}},
		{"figures", "media_id, dimension, bucket, value", []string{"loads", "plays", "views", "finished", "engagement_ppb", "watched_ms"}},
		{"uniques", "media_id, grain, bucket, visitors, players, visitor_bits, player_bits", nil},
	} {
		have, err := h.count(ctx, "SELECT count() FROM "+t.table+" WHERE account_id = ?", account)
		if err != nil {
			return did, err
		}
		if have > 0 {
			continue
		}
		did = true
		columns, values := []string{t.keys}, []string{t.keys}
		for _, sum := range t.sums {
			columns, values = append(columns, sum), append(values, fmt.Sprintf("%s * %d", sum, times))
		}
		err = h.db.Exec(ctx, "INSERT INTO "+t.table+" (account_id, "+strings.Join(columns, ", ")+") SELECT ?, "+strings.Join(values, ", ")+" FROM "+t.table+" WHERE account_id = ?", account, source)
		if err != nil {
			return did, err
		}
	}
	return did, nil
}
