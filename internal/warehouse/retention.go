package warehouse

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// SetRetention says for how many days an account keeps views; 0 is for ever.
// Expire acts on it.
func (db *DB) SetRetention(ctx context.Context, account string, days int) error {
	if account == "" || days < 0 {
		return errors.New("set retention: an account and days of 0 or more are needed")
	}
	if err := db.Exec(ctx, "INSERT INTO retention (account_id, days, set_at) SELECT ?, ?, now64(6)", account, uint32(days)); err != nil {
		return fmt.Errorf("set retention: %w", err)
	}
	return nil
}

// Retention returns for how many days an account keeps views; 0 is for ever.
func (db *DB) Retention(ctx context.Context, account string) (days int, err error) {
	var n uint32
	if err := db.QueryRow(ctx, "SELECT argMax(days, set_at) FROM retention WHERE account_id = ?", account).Scan(&n); err != nil {
		return 0, fmt.Errorf("read retention: %w", err)
	}
	return int(n), nil
}

// Expired says what Expire removed of an account.
type Expired struct {
	Account string
	Before  time.Time // views opened before this moment
	Views   uint64
	Media   int // whose figures were counted again
}

// Expire removes, of every account with a retention, the views opened before the
// day (UTC) that lies so many days back, their events and the receipts of that
// time, and counts figures again without them. Tables keep following from events,
// so Verify and Rebuild know nothing of it. The sinks pause where there is
// something to remove. It may run any number of times.
func (db *DB) Expire(ctx context.Context, now time.Time) (done []Expired, err error) {
	rows, err := db.Query(ctx, "SELECT account_id, argMax(days, set_at) AS d FROM retention GROUP BY account_id HAVING d > 0 ORDER BY account_id")
	if err != nil {
		return nil, fmt.Errorf("read retention: %w", err)
	}
	defer rows.Close()
	var due []Expired
	for rows.Next() {
		var e Expired
		var days uint32
		if err := rows.Scan(&e.Account, &days); err != nil {
			return nil, fmt.Errorf("read retention: %w", err)
		}
		e.Before = now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -int(days))
		due = append(due, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read retention: %w", err)
	}
	for _, e := range due {
		if err := db.expire(ctx, &e); err != nil {
			return done, fmt.Errorf("expire views of account %s: %w", e.Account, err)
		}
		if e.Views > 0 {
			done = append(done, e)
		}
	}
	return done, nil
}

// expire removes what an account keeps no longer. Views go last: while there are
// some, a run that was cut off is taken up by the next.
func (db *DB) expire(ctx context.Context, e *Expired) (err error) {
	const old = "account_id = ? AND opened_at < fromUnixTimestamp64Milli(?, 'UTC')"
	before := e.Before.UnixMilli()
	if err := db.QueryRow(ctx, "SELECT count() FROM views FINAL WHERE "+old, e.Account, before).Scan(&e.Views); err != nil {
		return err
	}
	if e.Views == 0 {
		return nil
	}
	resume, err := db.Pause(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resume()) }()
	ctx = maintaining(ctx)
	var media []string
	if err := db.QueryRow(ctx, "SELECT groupUniqArray(media_id) FROM views WHERE "+old, e.Account, before).Scan(&media); err != nil {
		return err
	}
	e.Media = len(media)
	for _, statement := range []string{
		"DELETE FROM events WHERE account_id = ? AND UUIDv7ToDateTime(view_id, 'UTC') < fromUnixTimestamp64Milli(?, 'UTC')",
		"DELETE FROM receipts WHERE account_id = ? AND hour < fromUnixTimestamp64Milli(?, 'UTC')",
	} {
		if err := db.Exec(ctx, statement, e.Account, before); err != nil {
			return err
		}
	}
	for _, m := range media {
		if err := db.rebuildSumsSince(ctx, Key{e.Account, m}, e.Before); err != nil {
			return err
		}
	}
	if err := db.Exec(ctx, "DELETE FROM views WHERE "+old, e.Account, before); err != nil {
		return err
	}
	return db.purge(ctx, tenantTables()...)
}
