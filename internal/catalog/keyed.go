package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// KeyedRequest is a request that was sent with an Idempotency-Key, and what came of it.
type KeyedRequest struct {
	bun.BaseModel `bun:"table:keyed_requests"`

	AccountID   string `bun:"account_id,pk"`
	Key         string `bun:"request_key,pk"`
	Fingerprint string `bun:"fingerprint"` // tells another request with the same key
	Holder      string `bun:"holder"`      // the attempt that may finish or release it
	ExpiresMS   int64  `bun:"expires_ms"`
	Status      int    `bun:"status"`  // of the answer; 0 while it runs
	Headers     string `bun:"headers"` // JSON object
	Body        []byte `bun:"body"`    // nil: the answer was not one to keep
}

// claimTries bounds how often a key is looked for that others take and release.
const claimTries = 3

// ClaimRequest gives r's account and key to r's holder for the time of lease, if they
// are new or their time is over. If not it returns false and the request that has them.
func (db *DB) ClaimRequest(ctx context.Context, r KeyedRequest, lease time.Duration) (KeyedRequest, bool, error) {
	for range claimTries {
		res, err := db.ExecContext(ctx, `INSERT INTO keyed_requests (account_id, request_key, fingerprint, holder, expires_ms)
			VALUES (?, ?, ?, ?, ? + ?)
			ON CONFLICT (account_id, request_key) DO UPDATE SET fingerprint = EXCLUDED.fingerprint, holder = EXCLUDED.holder,
				expires_ms = EXCLUDED.expires_ms, status = 0, headers = '', body = NULL
			WHERE keyed_requests.expires_ms < ?`,
			r.AccountID, r.Key, r.Fingerprint, r.Holder, db.nowMS(), lease.Milliseconds(), db.nowMS())
		if err != nil {
			return KeyedRequest{}, false, fmt.Errorf("claim request key: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 1 {
			return r, err == nil, err
		}
		var first KeyedRequest
		err = db.NewSelect().Model(&first).Where("account_id = ? AND request_key = ?", r.AccountID, r.Key).Scan(ctx)
		if err == nil {
			return first, false, nil
		}
		if !errors.Is(err, sql.ErrNoRows) { // released in between: it may be had now
			return KeyedRequest{}, false, fmt.Errorf("read keyed request: %w", err)
		}
	}
	return KeyedRequest{Fingerprint: r.Fingerprint}, false, nil
}

// FinishRequest keeps what came of r for the time of keep, or returns ErrConflict when
// r's holder has it no longer.
func (db *DB) FinishRequest(ctx context.Context, r KeyedRequest, keep time.Duration) error {
	res, err := db.NewUpdate().Model((*KeyedRequest)(nil)).
		Set("status = ?", r.Status).Set("headers = ?", r.Headers).Set("body = ?", r.Body).
		Set("expires_ms = ? + ?", db.nowMS(), keep.Milliseconds()).
		Where("account_id = ? AND request_key = ? AND holder = ? AND status = 0", r.AccountID, r.Key, r.Holder).Exec(ctx)
	if err != nil {
		return fmt.Errorf("finish keyed request: %w", err)
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = ErrConflict
	}
	if err != nil {
		return fmt.Errorf("finish keyed request: %w", err)
	}
	return nil
}

// ReleaseRequest forgets r, if its holder still has it: the next one with its key is
// the first.
func (db *DB) ReleaseRequest(ctx context.Context, r KeyedRequest) error {
	_, err := db.NewDelete().Model((*KeyedRequest)(nil)).
		Where("account_id = ? AND request_key = ? AND holder = ? AND status = 0", r.AccountID, r.Key, r.Holder).Exec(ctx)
	if err != nil {
		return fmt.Errorf("release keyed request: %w", err)
	}
	return nil
}

// PurgeRequests forgets all whose time is over, and returns how many they were.
func (db *DB) PurgeRequests(ctx context.Context) (int64, error) {
	res, err := db.NewDelete().Model((*KeyedRequest)(nil)).Where("expires_ms < ?", db.nowMS()).Exec(ctx)
	if err != nil {
		return 0, fmt.Errorf("purge keyed requests: %w", err)
	}
	return res.RowsAffected()
}
