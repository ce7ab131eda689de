package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

type session struct {
	bun.BaseModel `bun:"table:sessions"`

	TokenHash string `bun:"token_hash,pk"`
	Data      []byte `bun:"data"`
	ExpiresMS int64  `bun:"expires_ms"`
}

// Sessions stores signed-in browsers for scs. It implements scs.CtxStore; the
// tokens it is given are already hashed.
type Sessions struct{ db *DB }

// Sessions returns the session store of the catalog.
func (db *DB) Sessions() Sessions { return Sessions{db} }

// FindCtx returns the data of a session that has not expired.
func (s Sessions) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	var row session
	err := s.db.NewSelect().Model(&row).Where("token_hash = ? AND expires_ms > ?", token, time.Now().UnixMilli()).Scan(ctx)
	if err := notFound(err, "session", "given"); errors.Is(err, ErrNotFound) {
		return nil, false, nil
	} else if err != nil {
		return nil, false, err
	}
	return row.Data, true, nil
}

// CommitCtx stores a session.
func (s Sessions) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	row := session{TokenHash: token, Data: b, ExpiresMS: expiry.UnixMilli()}
	_, err := s.db.NewInsert().Model(&row).On("CONFLICT (token_hash) DO UPDATE").
		Set("data = EXCLUDED.data").Set("expires_ms = EXCLUDED.expires_ms").Exec(ctx)
	if err != nil {
		return fmt.Errorf("commit session: %w", err)
	}
	return nil
}

// DeleteCtx ends a session; one that is unknown is not an error. Expired ones go
// with it.
func (s Sessions) DeleteCtx(ctx context.Context, token string) error {
	_, err := s.db.NewDelete().Model((*session)(nil)).
		Where("token_hash = ? OR expires_ms <= ?", token, time.Now().UnixMilli()).Exec(ctx)
	if err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}

// Find is FindCtx without a context.
func (s Sessions) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a context.
func (s Sessions) Commit(token string, b []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, b, expiry)
}

// Delete is DeleteCtx without a context.
func (s Sessions) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }
