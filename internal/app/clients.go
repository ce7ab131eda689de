package app

import (
	"context"
	"errors"
	"time"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/eventlog"
	"github.com/vitascope/vitascope/internal/jit"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/internal/warehouse"
)

// needs says which stores the roles of this process talk to.
type needs struct{ catalog, s3, kafka, clickhouse bool }

func (c *Config) needs() needs {
	return needs{
		// The player only asks the catalog about media that nothing is published of
		// yet: a process of players may do without.
		catalog: c.needsCatalog() || c.Has(RolePlayer) && c.Catalog != "",
		s3:      c.Has(RoleIngest) || c.Has(RoleAPI) || c.Has(RoleTranscode) || c.Has(RolePlayer),
		// The API replays what was refused, where it is told of the log.
		kafka:      c.Has(RoleCollect) || c.Has(RoleSink) || c.Has(RoleAPI) && len(c.KafkaBrokers) > 0,
		clickhouse: c.Has(RoleAPI) || c.Has(RoleSink),
	}
}

// needsCatalog tells whether a role of this process cannot work without the catalog.
func (c *Config) needsCatalog() bool {
	return c.Has(RoleIngest) || c.Has(RoleAPI) || c.Has(RoleTranscode) || c.Has(RoleSink)
}

// clients are the open stores; those the process does not need are nil.
type clients struct {
	catalog   *catalog.DB
	blobs     *blob.Store
	events    *eventlog.Log
	warehouse *warehouse.DB
	indexes   *jit.Recent // from the transcoder to the player, where both are here
	checks    []check
	loops     []loop // bring up to date what did not answer at the start
}

// openClients opens the stores that the roles need and brings their schemas up
// to date; several processes may do so at once. A store that the process can do
// without for a while may be away.
func (a *App) openClients(ctx context.Context) (c *clients, err error) {
	c = &clients{}
	if a.cfg.Has(RoleTranscode) && a.cfg.Has(RolePlayer) {
		c.indexes = &jit.Recent{}
	}
	for _, s := range a.stores() {
		if err := s.open(ctx, c); err != nil {
			return nil, errors.Join(err, c.close())
		}
		if s.dispensable {
			c.loops = append(c.loops, loop{name: s.name, run: func(ctx context.Context) error { return a.prepareLater(ctx, s, c) }})
			continue
		}
		if err := s.prepare(ctx, c); err != nil {
			return nil, errors.Join(err, c.close())
		}
		c.checks = append(c.checks, check{s.name, func(ctx context.Context) error { return s.ping(ctx, c) }})
	}
	return c, nil
}

// prepareLater prepares a store as soon as it answers.
func (a *App) prepareLater(ctx context.Context, s store, c *clients) error {
	const most = 5 * time.Second
	for wait, tries := 100*time.Millisecond, 0; ; wait, tries = min(2*wait, most), tries+1 {
		err := s.prepare(ctx, c)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if tries%20 == 0 { // first, then about each 100 s
			a.log.WarnContext(ctx, "a store does not answer; going on without it", "store", s.name, "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// store is one of the systems behind the roles: how to open a client of it, ask
// whether it answers, and bring its schema up to date.
type store struct {
	name    string
	mend    string // what to do when it does not answer
	absent  error  // what ping gives before prepare has ever run; nil: nothing of its own
	open    func(ctx context.Context, c *clients) error
	ping    func(ctx context.Context, c *clients) error
	prepare func(ctx context.Context, c *clients) error
	// dispensable says that the process can start, and be ready, while the store is
	// away.
	dispensable bool
}

// stores lists those that the roles of this process need.
func (a *App) stores() []store {
	need := a.cfg.needs()
	var list []store
	if need.catalog {
		list = append(list, a.catalogStore())
	}
	if need.s3 {
		list = append(list, a.objectStore())
	}
	if need.kafka {
		list = append(list, a.eventLog())
	}
	if need.clickhouse {
		list = append(list, a.analyticsStore())
	}
	return list
}

func (a *App) catalogStore() store {
	return store{
		name: "catalog", mend: "Check --catalog and that the database runs.",
		open: func(ctx context.Context, c *clients) (err error) {
			c.catalog, err = catalog.Open(ctx, a.cfg.Catalog, a.log)
			return err
		},
		ping: func(ctx context.Context, c *clients) error { return c.catalog.PingContext(ctx) },
		prepare: func(ctx context.Context, c *clients) error {
			if err := c.catalog.Hold(); err != nil {
				return err
			}
			if err := c.catalog.Migrate(ctx); err != nil {
				return err
			}
			return jobs.Migrate(ctx, c.catalog, a.log)
		},
		// Players ask it only about media that nothing is published of yet.
		dispensable: !a.cfg.needsCatalog(),
	}
}

func (a *App) objectStore() store {
	return store{
		name: "object store", mend: "Check --s3-endpoint, the keys and their rights.", absent: blob.ErrNoBucket,
		open: func(_ context.Context, c *clients) (err error) {
			c.blobs, err = blob.Open(blob.Config{
				Endpoint: a.cfg.S3Endpoint, Region: a.cfg.S3Region, Bucket: a.cfg.S3Bucket,
				AccessKey: a.cfg.S3AccessKey, SecretKey: a.cfg.S3SecretKey, Secure: a.cfg.S3Secure,
			}, a.log)
			return err
		},
		ping:    func(ctx context.Context, c *clients) error { return c.blobs.Ping(ctx) },
		prepare: func(ctx context.Context, c *clients) error { return c.blobs.EnsureBucket(ctx) },
	}
}

func (a *App) eventLog() store {
	return store{
		name: "event log", mend: "Check --kafka-brokers and the brokers' advertised listeners.", absent: eventlog.ErrNoTopic,
		open: func(_ context.Context, c *clients) (err error) {
			cfg := eventlog.DefaultConfig()
			cfg.Brokers = a.cfg.KafkaBrokers
			c.events, err = eventlog.Open(cfg, a.log)
			return err
		},
		ping: func(ctx context.Context, c *clients) error {
			_, err := c.events.Partitions(ctx, eventlog.TopicBeacons)
			return err
		},
		prepare: func(ctx context.Context, c *clients) error { return c.events.EnsureTopics(ctx) },
		// Collect keeps beacons on disk meanwhile, a sink beside it waits, and the API
		// hardly asks. The embedded one is there when clients are opened.
		dispensable: (a.cfg.Has(RoleCollect) || !a.cfg.Has(RoleSink)) && !a.embedsKafka,
	}
}

func (a *App) analyticsStore() store {
	return store{
		name: "analytics store", mend: "Check --clickhouse-url, user and password.",
		open: func(_ context.Context, c *clients) (err error) {
			cfg := warehouse.DefaultConfig()
			cfg.URL, cfg.Cluster = a.cfg.ClickHouseURL, a.cfg.ClickHouseCluster
			c.warehouse, err = warehouse.Open(cfg, a.log)
			return err
		},
		ping:    func(ctx context.Context, c *clients) error { return c.warehouse.Ping(ctx) },
		prepare: func(ctx context.Context, c *clients) error { return c.warehouse.Migrate(ctx) },
	}
}

func (c *clients) close() error {
	var errs []error
	if c.warehouse != nil {
		errs = append(errs, c.warehouse.Close())
	}
	if c.events != nil {
		c.events.Close()
	}
	if c.catalog != nil {
		errs = append(errs, c.catalog.Close())
	}
	return errors.Join(errs...)
}
