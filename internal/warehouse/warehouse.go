// Package warehouse is the columnar store of viewing events: it opens
// ClickHouse over HTTP, server or embedded engine alike, and owns the schema.
//
// Tables (DDL with the meaning of each column in migrations/):
//   - events: every event of every accepted beacon, the truth;
//   - views: one row per view once merged, engagement and quality together;
//   - heat: deltas whose running sum over seconds is the heatmap: of all time, by
//     month, and by day where a media is busy (see MarkBusy);
//   - figures, uniques: what a report sums, and distinct visitors;
//   - receipts: what became of each beacon;
//   - retention: for how long accounts keep views;
//   - sink_batches, sink_pauses: where each partition of the event log stands.
//
// Every row but those of the last carries its account, first in the sorting
// key; every query names it. All tables have a deduplication window, so an
// insert repeated with the same insert_deduplication_token lands once.
//
// A DB is safe for concurrent use.
package warehouse

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// DefaultDatabase is used when the URL names none.
const DefaultDatabase = "vitascope"

// Config says where ClickHouse is.
type Config struct {
	// URL of the HTTP interface: http[s]://user:password@host:port/database.
	// Query parameters are clickhouse-go's. Standalone mode fills in its own.
	URL string
	// Cluster names the ClickHouse cluster (in the servers' remote_servers) whose
	// servers each keep a copy of every table; its servers need Keeper and the
	// macros shard and replica. Empty, the default: tables of one server. It is
	// chosen before the first migration.
	Cluster string
	// MaxConns bounds the statements under way at once. 1 to 1000, default 32.
	MaxConns int
	// DialTimeout bounds connecting. Above 0, default 5 s.
	DialTimeout time.Duration
}

// DefaultConfig returns the defaults; URL is empty.
func DefaultConfig() Config { return Config{MaxConns: 32, DialTimeout: 5 * time.Second} }

// Validate reports every setting that is out of range.
func (c Config) Validate() error {
	var errs []error
	if c.URL == "" {
		errs = append(errs, errors.New("url: is needed"))
	}
	if c.Cluster != "" && !databaseName.MatchString(c.Cluster) {
		errs = append(errs, fmt.Errorf("cluster: %q is not a name of letters, digits and _", c.Cluster))
	}
	if c.MaxConns < 1 || c.MaxConns > 1000 {
		errs = append(errs, fmt.Errorf("max_conns: %d is outside 1 to 1000", c.MaxConns))
	}
	if c.DialTimeout <= 0 {
		errs = append(errs, fmt.Errorf("dial_timeout: %s is not above 0", c.DialTimeout))
	}
	return errors.Join(errs...)
}

// DB is a pool of connections to one database.
type DB struct {
	driver.Conn
	options *clickhouse.Options
	cluster string
	log     *slog.Logger
}

var databaseName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// Open checks cfg and returns a DB. It connects to nothing yet; the caller
// closes it.
func Open(cfg Config, log *slog.Logger) (*DB, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("warehouse: %w", err)
	}
	options, err := clickhouse.ParseDSN(cfg.URL)
	if err != nil {
		return nil, errors.New("warehouse: url: is not a ClickHouse URL") // the parser quotes it, password and all
	}
	if options.Protocol != clickhouse.HTTP {
		return nil, errors.New("warehouse: url: must begin with http:// or https://")
	}
	if options.Auth.Database == "" {
		options.Auth.Database = DefaultDatabase
	}
	if !databaseName.MatchString(options.Auth.Database) {
		return nil, fmt.Errorf("warehouse: url: %q is not a database name", options.Auth.Database)
	}
	options.MaxOpenConns, options.MaxIdleConns, options.DialTimeout = cfg.MaxConns, cfg.MaxConns, cfg.DialTimeout
	if cfg.Cluster != "" {
		options.Settings = maps.Clone(options.Settings)
		if options.Settings == nil {
			options.Settings = clickhouse.Settings{}
		}
		maps.Copy(options.Settings, clusterSettings())
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		return nil, fmt.Errorf("warehouse: %w", err)
	}
	return &DB{Conn: conn, options: options, cluster: cfg.Cluster, log: log}, nil
}

// Migrate creates the database and brings its schema up to date. Each step can
// be repeated, so several processes may do this at once.
func (db *DB) Migrate(ctx context.Context) error {
	if err := db.createDatabase(ctx); err != nil {
		return err
	}
	std := clickhouse.OpenDB(db.clone())
	defer std.Close()
	provider, err := db.provider(std)
	if err != nil {
		return fmt.Errorf("migrate warehouse: %w", err)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate warehouse: %w", err)
	}
	for _, r := range results {
		db.log.InfoContext(ctx, "warehouse migrated", "version", r.Source.Version, "took_ms", r.Duration.Milliseconds())
	}
	return nil
}

// provider returns the steps of the schema, to be taken by way of std.
func (db *DB) provider(std *sql.DB) (*goose.Provider, error) {
	files, err := migrationFiles(db.cluster)
	if err != nil {
		return nil, err
	}
	store, err := database.NewStore(database.DialectClickHouse, goose.DefaultTablename)
	if err != nil {
		return nil, err
	}
	if db.cluster != "" {
		store = clusterStore{store, db.cluster}
	}
	return goose.NewProvider(database.DialectCustom, std, files, goose.WithStore(store), goose.WithLogger(goose.NopLogger()), goose.WithGoMigrations(db.goMigrations()...))
}

// createDatabase makes the database by way of the one every server has. Atomic
// is said because the embedded engine's default would be another.
func (db *DB) createDatabase(ctx context.Context) error {
	options := db.clone()
	options.Auth.Database = "default"
	conn, err := clickhouse.Open(options)
	if err != nil {
		return fmt.Errorf("create warehouse database: %w", err)
	}
	defer conn.Close()
	on := ""
	if db.cluster != "" {
		on = " ON CLUSTER '" + db.cluster + "'"
	}
	if err := conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS `"+db.options.Auth.Database+"`"+on+" ENGINE = Atomic"); err != nil {
		return fmt.Errorf("create warehouse database: %w", err)
	}
	return nil
}

func (db *DB) clone() *clickhouse.Options {
	options := *db.options
	options.MaxOpenConns, options.MaxIdleConns = 2, 1
	return &options
}

// WithToken returns ctx under which one insert lands at most once: repeated with
// the same token and rows it changes nothing.
func WithToken(ctx context.Context, token string) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"insert_deduplicate": 1, "insert_deduplication_token": token, "async_insert": 0,
	}))
}
