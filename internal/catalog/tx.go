package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
)

// Tx is a transaction that rows and jobs share: what is enqueued in it exists
// exactly if it commits.
type Tx struct {
	bun.Tx
	pg    *pgx.Conn
	after *[]func()
}

// AfterCommit has fn called once the transaction has committed, before InTx returns.
func (tx Tx) AfterCommit(fn func()) { *tx.after = append(*tx.after, fn) }

// SQLTx returns the transaction as database/sql knows it, for SQLite's job driver.
func (tx Tx) SQLTx() *sql.Tx { return tx.Tx.Tx }

// PgxTx returns the same transaction as pgx knows it, for Postgres's job driver,
// or nil on SQLite. Committing or rolling it back is InTx's business alone.
func (tx Tx) PgxTx() pgx.Tx {
	if tx.pg == nil {
		return nil
	}
	return &sharedTx{conn: tx.pg}
}

// InTx runs fn in a transaction that commits when fn returns nil. fn must use tx
// for everything: on SQLite there is one connection, and tx holds it.
func (db *DB) InTx(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error {
	var after []func()
	if err := db.inTx(ctx, &after, fn); err != nil {
		return err
	}
	for _, then := range after {
		then()
	}
	return nil
}

func (db *DB) inTx(ctx context.Context, after *[]func(), fn func(ctx context.Context, tx Tx) error) error {
	if db.pool == nil {
		return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			return fn(ctx, Tx{Tx: tx, after: after})
		})
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer conn.Close()
	var pg *pgx.Conn
	if err := conn.Raw(func(driverConn any) error {
		c, ok := driverConn.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("unexpected driver connection %T", driverConn)
		}
		pg = c.Conn()
		return nil
	}); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	return conn.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		return fn(ctx, Tx{Tx: tx, pg: pg, after: after})
	})
}

// sharedTx lets pgx speak in a transaction that database/sql began on the same
// connection. Its own Begin makes savepoints, as pgx does for nested ones.
type sharedTx struct {
	conn      *pgx.Conn
	savepoint int // 0: the outer transaction
}

var errOuterTx = errors.New("the outer transaction is ended by catalog.InTx")

func (t *sharedTx) Begin(ctx context.Context) (pgx.Tx, error) {
	n := t.savepoint + 1
	if _, err := t.conn.Exec(ctx, fmt.Sprintf("SAVEPOINT shared_%d", n)); err != nil {
		return nil, err
	}
	return &sharedTx{conn: t.conn, savepoint: n}, nil
}

func (t *sharedTx) Commit(ctx context.Context) error {
	if t.savepoint == 0 {
		return errOuterTx
	}
	_, err := t.conn.Exec(ctx, fmt.Sprintf("RELEASE SAVEPOINT shared_%d", t.savepoint))
	t.savepoint = -1
	return err
}

func (t *sharedTx) Rollback(ctx context.Context) error {
	switch {
	case t.savepoint == 0:
		return errOuterTx
	case t.savepoint < 0:
		return pgx.ErrTxClosed // after Commit, as pgx answers a deferred Rollback
	}
	_, err := t.conn.Exec(ctx, fmt.Sprintf("ROLLBACK TO SAVEPOINT shared_%d", t.savepoint))
	t.savepoint = -1
	return err
}

func (t *sharedTx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	return t.conn.CopyFrom(ctx, table, columns, src)
}

func (t *sharedTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return t.conn.SendBatch(ctx, b)
}

func (t *sharedTx) LargeObjects() pgx.LargeObjects { return pgx.LargeObjects{} }

func (t *sharedTx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	return t.conn.Prepare(ctx, name, sql)
}

func (t *sharedTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return t.conn.Exec(ctx, sql, args...)
}

func (t *sharedTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return t.conn.Query(ctx, sql, args...)
}

func (t *sharedTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return t.conn.QueryRow(ctx, sql, args...)
}

func (t *sharedTx) Conn() *pgx.Conn { return t.conn }
