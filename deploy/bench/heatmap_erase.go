package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// eraseGoal is within how many seconds an account is to be gone from every table.
const eraseGoal = 60

// goneAccount is made to be erased.
const goneAccount = "benchgone"

// eraseEventsSQL makes the events that views follow from, of a month.
const eraseEventsSQL = `INSERT INTO events (account_id, media_id, view_id, seq, idx, kind, at, received_at, offset, receipt, visitor, page_url, page, referrer_host, utm_source,
		country, device, browser, duration_ms, from_ms, to_ms, rate, repeat)
	SELECT account_id, media_id, view_id, 0, n, 'watch', opened_at + n, opened_at + n, rowNumberInAllBlocks(), cityHash64(view_id, n), visitor, page_url, page, referrer_host, utm_source,
		country, device, browser, duration_ms, lo * 1000, hi * 1000, 1, n > length(first_lo)
	FROM views ARRAY JOIN arrayConcat(first_lo, again_lo) AS lo, arrayConcat(first_hi, again_hi) AS hi, arrayEnumerate(arrayConcat(first_lo, again_lo)) AS n
	WHERE account_id = ? AND toYYYYMM(opened_at) = ?`

// erase makes a copy of an account, with events and receipts, beside all others and
// times how long it takes to erase it from every table.
func (h *heatBench) erase(millions int) error {
	ctx, started := making(h.ctx), time.Now()
	if _, err := h.db.EraseAccount(h.ctx, goneAccount); err != nil { // what a run that was cut off left
		return err
	}
	columns, err := h.viewColumns(ctx, "account_id")
	if err != nil {
		return err
	}
	if err := h.db.Exec(ctx, "INSERT INTO views (account_id, "+columns+") SELECT ?, "+columns+" FROM views WHERE account_id = ?", goneAccount, heatAccount(millions)); err != nil {
		return fmt.Errorf("copy views: %w", err)
	}
	if _, err := h.copySums(ctx, heatAccount(millions), goneAccount, 1); err != nil {
		return fmt.Errorf("copy sums: %w", err)
	}
	var months []uint32
	if err := h.db.QueryRow(ctx, "SELECT groupUniqArray(toYYYYMM(opened_at)) FROM views WHERE account_id = ?", goneAccount).Scan(&months); err != nil {
		return err
	}
	for _, month := range months {
		if err := h.db.Exec(ctx, eraseEventsSQL, goneAccount, month); err != nil {
			return fmt.Errorf("make events: %w", err)
		}
	}
	if err := h.db.Exec(ctx, "INSERT INTO receipts (account_id, hour, receipt, class) SELECT account_id, toStartOfHour(opened_at), cityHash64(view_id), 1 FROM views WHERE account_id = ?", goneAccount); err != nil {
		return fmt.Errorf("make receipts: %w", err)
	}
	fmt.Fprintf(os.Stderr, "heatmap: an account of %d M intervals to erase made in %s\n", millions, time.Since(started).Round(time.Second))
	began := time.Now()
	gone, err := h.db.EraseAccount(h.ctx, goneAccount)
	if err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	for _, table := range strings.Fields("events views heat figures uniques receipts") {
		left, err := h.count(ctx, "SELECT count() FROM "+table+" WHERE account_id = ?", goneAccount)
		if err != nil {
			return err
		}
		if left > 0 {
			return fmt.Errorf("%d rows of %s are left of an erased account", left, table)
		}
	}
	all, err := h.count(ctx, "SELECT count() FROM views")
	if err != nil {
		return err
	}
	return h.report(Measure{Name: fmt.Sprintf("erase_account_%dm", millions), Ours: took, Peer: eraseGoal, Unit: "s", Goal: 1,
		Note: fmt.Sprintf("%d events, %d views and what follows from them, beside %d other views; peer: what it may take", gone.Events, gone.Views, all)}, false)
}
