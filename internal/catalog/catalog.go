// Package catalog is the system's record of accounts, users and media, on SQLite
// (one machine) or Postgres (a cluster), through the same bun queries.
//
// Every tenant-owned read takes the account and answers ErrNotFound for a foreign
// id exactly as for an unknown one. Changes of a media's state are compare-and-set
// (see Transition), so two workers cannot both finish the same step. A DB is safe
// for concurrent use.
package catalog

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // registers the "sqlite" database/sql driver
)

// Errors that callers branch on.
var (
	// ErrNotFound: no such row, or it belongs to another account.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the row is no longer in the state the change asked for.
	ErrConflict = errors.New("conflict")
)

//go:embed migrations
var migrations embed.FS

// DB is an open catalog.
type DB struct {
	*bun.DB
	pool *pgxpool.Pool // nil on SQLite
	path string        // of the file, empty on Postgres
	held *os.File      // see Hold
	log  *slog.Logger
}

// Open opens the catalog at dsn, "sqlite:///path/to/file.db" or "postgres://…",
// and changes nothing in it; see Migrate.
func Open(ctx context.Context, dsn string, log *slog.Logger) (*DB, error) {
	u, err := url.Parse(dsn)
	if err != nil { // the parser quotes what it was given, password and all
		return nil, errors.New("catalog: is not a URL; write a percent sign in a password as %25")
	}
	switch u.Scheme {
	case "sqlite":
		return openSQLite(u.Path, log)
	case "postgres", "postgresql":
		pool, err := pgxpool.New(ctx, dsn)
		if err != nil {
			return nil, fmt.Errorf("catalog: %w", err)
		}
		db := bun.NewDB(stdlib.OpenDBFromPool(pool), pgdialect.New())
		return &DB{DB: db, pool: pool, log: log}, nil
	}
	return nil, errors.New("catalog: is neither sqlite:///file nor postgres://…")
}

func openSQLite(path string, log *slog.Logger) (*DB, error) {
	if path == "" {
		return nil, errors.New("catalog: sqlite:/// needs a file")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	// synchronous=FULL: an acknowledged upload or state survives a power cut.
	q := "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_txlock=immediate"
	db, err := sql.Open("sqlite", "file:"+path+q)
	if err != nil {
		return nil, fmt.Errorf("catalog: open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1) // River's advice for SQLite: one writer, no SQLITE_BUSY between our own connections
	return &DB{DB: bun.NewDB(db, sqlitedialect.New()), path: path, log: log}, nil
}

// Postgres returns the connection pool, or nil when the catalog is on SQLite.
func (db *DB) Postgres() *pgxpool.Pool { return db.pool }

// Close ends the connections.
func (db *DB) Close() error {
	err := db.DB.Close()
	if db.pool != nil {
		db.pool.Close()
	}
	if db.held != nil {
		err = errors.Join(err, db.held.Close())
		db.held = nil
	}
	return err
}

// ErrInUse is returned by Hold when another process holds the catalog.
var ErrInUse = errors.New("the catalog is in use by another process")

// Hold takes a catalog on SQLite for this process until it is closed, so that no
// second server works on the same file: jobs and states are written for one. Commands
// that read or add a row may open it all the same. On Postgres it does nothing.
func (db *DB) Hold() error {
	if db.path == "" || db.held != nil {
		return nil
	}
	f, err := os.OpenFile(db.path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrInUse
		}
		return fmt.Errorf("catalog: %s: %w; several processes need Postgres", db.path, err)
	}
	db.held = f
	return nil
}

// Migrate brings the schema to this release's version. Several processes may
// call it at once on Postgres; the first one does the work.
func (db *DB) Migrate(ctx context.Context) error {
	dialect, dir := goose.DialectSQLite3, "migrations/sqlite"
	var opts []goose.ProviderOption
	if db.pool != nil {
		dialect, dir = goose.DialectPostgres, "migrations/postgres"
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("migrate catalog: %w", err)
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	files, err := fs.Sub(migrations, dir)
	if err != nil {
		return fmt.Errorf("migrate catalog: %w", err)
	}
	provider, err := goose.NewProvider(dialect, db.DB.DB, files, opts...)
	if err != nil {
		return fmt.Errorf("migrate catalog: %w", err)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate catalog: %w", err)
	}
	for _, r := range results {
		db.log.InfoContext(ctx, "catalog migrated", "version", r.Source.Version, "took_ms", r.Duration.Milliseconds())
	}
	return nil
}

const idAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

// NewID returns a fresh public id: 10 characters of [a-z0-9] from crypto/rand.
func NewID() string {
	var b strings.Builder
	for b.Len() < 10 {
		var buf [16]byte
		_, _ = rand.Read(buf[:]) // never fails, by its documentation
		for _, c := range buf {
			// 252 is the largest multiple of 36 in a byte: no letter is likelier.
			if c < 252 && b.Len() < 10 {
				b.WriteByte(idAlphabet[c%36])
			}
		}
	}
	return b.String()
}

var id = regexp.MustCompile(`^[a-z0-9]{10}$`)

// IsID tells whether a text may be an id that NewID made. It keeps hostile texts away
// from the database.
func IsID(text string) bool { return id.MatchString(text) }

// notFound maps the driver's empty answer to ErrNotFound.
func notFound(err error, what, id string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s %s: %w", what, id, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, id, err)
	}
	return nil
}
