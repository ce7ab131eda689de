package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// heatInsertBy is how many views a statement makes: about 400 MB of them in the
// engine's memory.
const heatInsertBy = 500_000

// making returns ctx for statements that make the audience.
func making(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"insert_deduplicate": 0, "max_insert_threads": 2, "max_block_size": 65536, "max_execution_time": 0, "lightweight_deletes_sync": 2,
		"optimize_skip_merged_partitions": 1,
	}))
}

// generate makes the views of an account and the sums that follow from them, or
// what is missing of them.
func (h *heatBench) generate(millions int) error {
	ctx := making(h.ctx)
	started, account, views, made := time.Now(), heatAccount(millions), millions*1_000_000/heatPerView, 0
	for at := 0; at < views; at += heatInsertBy {
		n, tag := min(heatInsertBy, views-at), fmt.Sprint("made-", at)
		have, err := h.count(ctx, "SELECT count() FROM views WHERE account_id = ? AND os = ?", account, tag)
		if err != nil {
			return err
		}
		if have == n {
			continue
		}
		if have > 0 { // cut off in the middle
			if err := h.db.Exec(ctx, "DELETE FROM views WHERE account_id = ? AND os = ?", account, tag); err != nil {
				return err
			}
		}
		if err := h.db.Exec(ctx, generateSQL, account, tag, at, n); err != nil {
			return fmt.Errorf("generate: %w", err)
		}
		made += n
	}
	if made > 0 { // one part a month: nothing is left to merge for who reads
		if err := h.db.Exec(ctx, "OPTIMIZE TABLE views FINAL"); err != nil {
			return fmt.Errorf("merge: %w", err)
		}
	}
	inserted := time.Since(started).Round(time.Second)
	derived, err := h.derive(ctx, account)
	if err != nil {
		return fmt.Errorf("derive: %w", err)
	}
	if made == 0 && !derived {
		return nil
	}
	for _, table := range []string{"heat", "figures", "uniques"} {
		if err := h.db.Exec(ctx, "OPTIMIZE TABLE "+table+" FINAL"); err != nil {
			return fmt.Errorf("merge: %w", err)
		}
	}
	bytes, err := h.count(ctx, "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase()")
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "heatmap: %d M intervals made in %s (views in %s), %d MB in all tables\n", millions, time.Since(started).Round(time.Second), inserted, bytes>>20)
	return nil
}

// derive adds the sums, for ranges of media that hold about as many views each.
func (h *heatBench) derive(ctx context.Context, account string) (did bool, err error) {
	for lo := 1; lo <= heatMedia; lo *= 2 {
		of, args := "account_id = ? AND media_id >= ? AND media_id < ?", []any{account, mediaID(lo), mediaID(min(2*lo, heatMedia+1))}
		want, err := h.count(ctx, "SELECT count() FROM views WHERE "+of, args...)
		if err != nil {
			return did, err
		}
		have, err := h.count(ctx, "SELECT toUInt64(sum(loads)) FROM figures WHERE dimension = '' AND "+of, args...)
		if err != nil {
			return did, err
		}
		users, err := h.count(ctx, "SELECT toUInt64(count() > 0) FROM uniques WHERE "+of, args...)
		if err != nil {
			return did, err
		}
		if have == want && users > 0 { // uniques come last
			continue
		}
		did = true
		for _, table := range []string{"heat", "figures", "uniques"} { // what a run that was cut off left
			n, err := h.count(ctx, "SELECT toUInt64(count()) FROM "+table+" WHERE "+of, args...)
			if err != nil {
				return did, err
			}
			if n == 0 {
				continue
			}
			if err := h.db.Exec(ctx, "DELETE FROM "+table+" WHERE "+of, args...); err != nil {
				return did, err
			}
		}
		if err := h.db.AddSums(h.ctx, of, args...); err != nil {
			return did, err
		}
	}
	return did, nil
}

func (h *heatBench) count(ctx context.Context, statement string, args ...any) (int, error) {
	var n uint64
	err := h.db.QueryRow(ctx, statement, args...).Scan(&n)
	return int(n), err
}

// mediaID names media number n; the first is the hot one.
func mediaID(n int) string { return fmt.Sprintf("m%010d", n) }
