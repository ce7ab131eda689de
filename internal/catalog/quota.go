package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"
)

// ErrQuota is returned for a media with which its account would keep more than its
// quota allows.
var ErrQuota = errors.New("the account's quota is used up")

// Quota is what an account may keep.
type Quota struct {
	bun.BaseModel `bun:"table:quotas"`

	AccountID string `bun:"account_id,pk"`
	MaxBytes  int64  `bun:"max_bytes"` // of originals, those being uploaded included
	MaxFiles  int64  `bun:"max_files"`
}

// SetQuota replaces the account's quota.
func (db *DB) SetQuota(ctx context.Context, q Quota) error {
	_, err := db.NewInsert().Model(&q).On("CONFLICT (account_id) DO UPDATE").
		Set("max_bytes = EXCLUDED.max_bytes").Set("max_files = EXCLUDED.max_files").Exec(ctx)
	if err != nil {
		return fmt.Errorf("set quota of account %s: %w", q.AccountID, err)
	}
	return nil
}

// AccountOf returns the account of the user with an e-mail address, or ErrNotFound.
func (db *DB) AccountOf(ctx context.Context, email string) (string, error) {
	var u User
	err := db.NewSelect().Model(&u).Where("email = ?", email).Scan(ctx)
	return u.AccountID, notFound(err, "user", email)
}

// CreateMediaWithinQuota is CreateMedia, or ErrQuota. Of several media at once only as
// many are made as the quota allows.
func (db *DB) CreateMediaWithinQuota(ctx context.Context, m *Media) error {
	return db.InTx(ctx, func(ctx context.Context, tx Tx) error {
		var q Quota
		sel := tx.NewSelect().Model(&q).Where("account_id = ?", m.AccountID)
		if db.pool != nil {
			sel = sel.For("UPDATE") // creations of one account take turns, as on SQLite all do
		}
		switch err := sel.Scan(ctx); {
		case errors.Is(err, sql.ErrNoRows):
			return db.CreateMedia(ctx, tx, m)
		case err != nil:
			return fmt.Errorf("read quota of account %s: %w", m.AccountID, err)
		}
		var files, bytes int64
		err := tx.NewSelect().Model((*Media)(nil)).ColumnExpr("count(*)").ColumnExpr("coalesce(sum(size_bytes), 0)").
			Where("account_id = ? AND deleted_at IS NULL", m.AccountID).Scan(ctx, &files, &bytes)
		if err != nil {
			return fmt.Errorf("count media of account %s: %w", m.AccountID, err)
		}
		if files >= q.MaxFiles || m.SizeBytes > q.MaxBytes-bytes {
			return ErrQuota
		}
		return db.CreateMedia(ctx, tx, m)
	})
}
