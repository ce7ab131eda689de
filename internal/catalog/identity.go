package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// The roles of a user in their account.
const (
	RoleAdmin  = "admin"
	RoleMember = "member"
)

// Account is a tenant: everything else belongs to one.
type Account struct {
	bun.BaseModel `bun:"table:accounts,alias:a"`

	ID        string    `bun:"id,pk"`
	Name      string    `bun:"name"`
	CreatedAt time.Time `bun:"created_at"`
}

// User is a person who may sign in to an account.
type User struct {
	bun.BaseModel `bun:"table:users,alias:u"`

	ID           string    `bun:"id,pk"`
	AccountID    string    `bun:"account_id"`
	Email        string    `bun:"email"`
	Role         string    `bun:"role"`
	PasswordHash string    `bun:"password_hash"` // argon2id PHC string; empty: none chosen yet
	CreatedAt    time.Time `bun:"created_at"`
}

// APIToken is a bearer credential of a user; the token itself is not stored.
type APIToken struct {
	bun.BaseModel `bun:"table:api_tokens,alias:t"`

	ID         string    `bun:"id,pk"`
	AccountID  string    `bun:"account_id"`
	UserID     string    `bun:"user_id"`
	Name       string    `bun:"name"`
	TokenHash  string    `bun:"token_hash"` // SHA-256, hex
	CreatedAt  time.Time `bun:"created_at"`
	LastUsedAt time.Time `bun:"last_used_at,nullzero"`
}

type loginLink struct {
	bun.BaseModel `bun:"table:login_links"`

	TokenHash string `bun:"token_hash,pk"`
	UserID    string `bun:"user_id"`
	ExpiresMS int64  `bun:"expires_ms"`
}

// EnsureAdmin returns the first admin, creating the account and its admin when
// the catalog has no users at all; created tells which.
func (db *DB) EnsureAdmin(ctx context.Context, accountName, email string) (u User, created bool, err error) {
	err = db.InTx(ctx, func(ctx context.Context, tx Tx) error {
		if tx.PgxTx() != nil {
			// Two processes may start on an empty catalog at once.
			if _, err := tx.ExecContext(ctx, "LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"); err != nil {
				return err
			}
		}
		n, err := tx.NewSelect().Model((*User)(nil)).Count(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			return tx.NewSelect().Model(&u).Where("role = ?", RoleAdmin).OrderExpr("created_at, id").Limit(1).Scan(ctx)
		}
		now := time.Now().UTC()
		account := Account{ID: NewID(), Name: accountName, CreatedAt: now}
		u = User{ID: NewID(), AccountID: account.ID, Email: email, Role: RoleAdmin, CreatedAt: now}
		if _, err := tx.NewInsert().Model(&account).Exec(ctx); err != nil {
			return err
		}
		created = true
		_, err = tx.NewInsert().Model(&u).Exec(ctx)
		return err
	})
	if err != nil {
		return User{}, false, fmt.Errorf("ensure admin: %w", err)
	}
	return u, created, nil
}

// Account returns an account, or ErrNotFound.
func (db *DB) Account(ctx context.Context, id string) (Account, error) {
	var a Account
	err := db.NewSelect().Model(&a).Where("id = ?", id).Scan(ctx)
	return a, notFound(err, "account", id)
}

// User returns a user, or ErrNotFound.
func (db *DB) User(ctx context.Context, id string) (User, error) {
	var u User
	err := db.NewSelect().Model(&u).Where("id = ?", id).Scan(ctx)
	return u, notFound(err, "user", id)
}

// UserByEmail returns the user with that address, compared without case, or
// ErrNotFound.
func (db *DB) UserByEmail(ctx context.Context, email string) (User, error) {
	var u User
	err := db.NewSelect().Model(&u).Where("lower(email) = lower(?)", email).Scan(ctx)
	return u, notFound(err, "user", "by email")
}

// SetPassword stores the hash of a user's new password.
func (db *DB) SetPassword(ctx context.Context, userID, hash string) error {
	res, err := db.NewUpdate().Model((*User)(nil)).Set("password_hash = ?", hash).Where("id = ?", userID).Exec(ctx)
	return asNotFound(affectedOne(res, err)("set password of user " + userID))
}

// CreateLoginLink stores a one-time login link by its token's hash.
func (db *DB) CreateLoginLink(ctx context.Context, userID, tokenHash string, expires time.Time) error {
	link := loginLink{TokenHash: tokenHash, UserID: userID, ExpiresMS: expires.UnixMilli()}
	if _, err := db.NewInsert().Model(&link).Exec(ctx); err != nil {
		return fmt.Errorf("create login link: %w", err)
	}
	return nil
}

// UseLoginLink takes a login link out of use and returns whose it was, or
// ErrNotFound when it is unknown, used or past its time. Of two callers at once,
// one gets it.
func (db *DB) UseLoginLink(ctx context.Context, tokenHash string, now time.Time) (User, error) {
	var link loginLink
	_, err := db.NewDelete().Model(&link).Where("token_hash = ? AND expires_ms > ?", tokenHash, now.UnixMilli()).
		Returning("*").Exec(ctx)
	if err := notFound(err, "login link", "given"); err != nil {
		return User{}, err
	}
	if link.UserID == "" {
		return User{}, fmt.Errorf("login link: %w", ErrNotFound)
	}
	return db.User(ctx, link.UserID)
}

// CreateAPIToken stores a token by its hash.
func (db *DB) CreateAPIToken(ctx context.Context, t *APIToken) error {
	t.CreatedAt = time.Now().UTC()
	if _, err := db.NewInsert().Model(t).Exec(ctx); err != nil {
		return fmt.Errorf("create API token: %w", err)
	}
	return nil
}

// APITokens returns the account's tokens, newest first.
func (db *DB) APITokens(ctx context.Context, account string) ([]APIToken, error) {
	var list []APIToken
	err := db.NewSelect().Model(&list).Where("account_id = ?", account).OrderExpr("created_at DESC, id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("API tokens of account %s: %w", account, err)
	}
	return list, nil
}

// APITokenByHash returns a token, or ErrNotFound, and notes that it was used (to
// the minute, so that a busy client does not write on every call).
func (db *DB) APITokenByHash(ctx context.Context, hash string, now time.Time) (APIToken, error) {
	var t APIToken
	err := db.NewSelect().Model(&t).Where("token_hash = ?", hash).Scan(ctx)
	if err := notFound(err, "API token", "given"); err != nil {
		return APIToken{}, err
	}
	if now.Sub(t.LastUsedAt) > time.Minute {
		_, err = db.NewUpdate().Model((*APIToken)(nil)).Set("last_used_at = ?", now.UTC()).Where("id = ?", t.ID).Exec(ctx)
		if err != nil {
			return APIToken{}, fmt.Errorf("note use of API token %s: %w", t.ID, err)
		}
	}
	return t, nil
}

// DeleteAPIToken revokes the account's token, or returns ErrNotFound.
func (db *DB) DeleteAPIToken(ctx context.Context, account, id string) error {
	res, err := db.NewDelete().Model((*APIToken)(nil)).Where("id = ? AND account_id = ?", id, account).Exec(ctx)
	return asNotFound(affectedOne(res, err)("delete API token " + id))
}
