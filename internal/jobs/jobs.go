// Package jobs runs background work on River, on whichever engine holds the
// catalog, so that a job commits with the rows it belongs to.
//
// A job runs at least once: every step of a worker must bear running twice. A
// worker process that dies is noticed by its missing heartbeat, and its jobs run
// again elsewhere within a minute (River alone waits an hour); on SQLite, where
// there is one process, at its next start. A late worker that comes back must be
// fenced by what it writes: see blob.OutputPrefix and catalog.Transition.
//
// A Client is safe for concurrent use once Run has been called.
package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/vitascope/vitascope/internal/catalog"
)

// Config sizes the worker side.
type Config struct {
	// Queues holds how many jobs of each queue this process works at once. A
	// process without queues only inserts.
	Queues map[string]int
	// StopGrace is how long Run lets jobs finish after its context ends before it
	// cancels theirs. Default 10 s.
	StopGrace time.Duration
}

// Heartbeats: a worker that has not renewed its lease for leaseTTL is dead, and
// every process looks for such workers each rescueEvery.
const (
	leaseTTL    = 20 * time.Second
	renewEvery  = 5 * time.Second
	rescueEvery = 5 * time.Second
)

// Client inserts jobs and, once Run is called, works them.
type Client struct {
	db      *catalog.DB
	cfg     Config
	log     *slog.Logger
	id      string
	workers *river.Workers
	sqlite  *river.Client[*sql.Tx]
	pg      *river.Client[pgx.Tx]
}

// New returns a Client whose tables are already migrated; see Migrate.
func New(db *catalog.DB, cfg Config, log *slog.Logger) (*Client, error) {
	if cfg.StopGrace == 0 {
		cfg.StopGrace = 10 * time.Second
	}
	c := &Client{db: db, cfg: cfg, log: log, id: "worker-" + catalog.NewID(), workers: river.NewWorkers()}
	rc := &river.Config{
		ID:              c.id,
		Logger:          riverLog(log),
		Workers:         c.workers,
		SoftStopTimeout: cfg.StopGrace,
		JobTimeout:      river.JobTimeoutDefault,
		// Dead workers are found by their heartbeat. River's own rescuer would discard
		// long jobs of kinds that the leading process does not work.
		RescueStuckJobsAfter: 30 * 24 * time.Hour,
		// A process inserts jobs that only others work.
		SkipUnknownJobCheck: true,
		FetchCooldown:       fetchCooldown,
	}
	if len(cfg.Queues) > 0 {
		rc.Queues = map[string]river.QueueConfig{}
		for name, n := range cfg.Queues {
			rc.Queues[name] = river.QueueConfig{MaxWorkers: n}
		}
	}
	var err error
	if pool := db.Postgres(); pool != nil {
		c.pg, err = river.NewClient(riverpgxv5.New(pool), rc)
	} else {
		rc.FetchPollInterval = sqlitePoll
		river.AddWorker(c.workers, &wakeWorker{})
		c.sqlite, err = river.NewClient(unheard{riversqlite.New(db.DB.DB)}, rc)
	}
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	return c, nil
}

// fetchCooldown is how soon a queue that has just been looked at is looked at again
// when a new job is announced. What makes an upload playable must not wait.
const fetchCooldown = 5 * time.Millisecond

// unheard is SQLite without notifications. Others on the same database would be told by
// them, of which there are none: River would look for them twenty times a second, and
// find this process's own late. Without, its queues are told directly.
type unheard struct{ *riversqlite.Driver }

// SupportsListener says that nobody listens.
func (unheard) SupportsListener() bool { return false }

// SupportsListenNotify says that nothing is written for listeners.
func (unheard) SupportsListenNotify() bool { return false }

// sqlitePoll is how often a queue on SQLite is looked at for what wake misses: jobs to
// be tried again, or put off. To look prepares a statement anew: five times a second
// that was 3 % of a processor on a machine that does nothing.
const sqlitePoll = 2 * time.Second

// migrateLock is the advisory lock under which the job tables are migrated.
const migrateLock int64 = 0x7669_7461 // "vita"

// Migrate brings River's own tables to this release's version.
func Migrate(ctx context.Context, db *catalog.DB, log *slog.Logger) error {
	cfg := &rivermigrate.Config{Logger: riverLog(log)}
	if pool := db.Postgres(); pool != nil {
		// River's migrations do not expect company, and several processes may start
		// at once: the first one works while the others wait.
		conn, err := pool.Acquire(ctx)
		if err != nil {
			return fmt.Errorf("migrate jobs: %w", err)
		}
		defer conn.Release()
		if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", migrateLock); err != nil {
			return fmt.Errorf("migrate jobs: %w", err)
		}
		defer func() {
			if _, err := conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", migrateLock); err != nil {
				log.WarnContext(ctx, "migration lock not given back", "err", err)
			}
		}()
		return migrate(ctx, func() (*rivermigrate.Migrator[pgx.Tx], error) {
			return rivermigrate.New(riverpgxv5.New(pool), cfg)
		})
	}
	return migrate(ctx, func() (*rivermigrate.Migrator[*sql.Tx], error) {
		return rivermigrate.New(riversqlite.New(db.DB.DB), cfg)
	})
}

func migrate[TTx any](ctx context.Context, open func() (*rivermigrate.Migrator[TTx], error)) error {
	m, err := open()
	if err != nil {
		return fmt.Errorf("migrate jobs: %w", err)
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate jobs: %w", err)
	}
	return nil
}

// AddWorker registers the worker of a kind of job. It must be called before Run.
// It panics when the kind already has one.
func AddWorker[T river.JobArgs](c *Client, w river.Worker[T]) { river.AddWorker(c.workers, w) }

// InsertTx enqueues a job that exists exactly if tx commits.
func (c *Client) InsertTx(ctx context.Context, tx catalog.Tx, args river.JobArgs, opts *river.InsertOpts) error {
	return c.InsertManyTx(ctx, tx, []river.InsertManyParams{{Args: args, InsertOpts: opts}})
}

// InsertManyTx enqueues jobs that exist exactly if tx commits.
func (c *Client) InsertManyTx(ctx context.Context, tx catalog.Tx, params []river.InsertManyParams) error {
	if len(params) == 0 {
		return nil
	}
	var results []*rivertype.JobInsertResult
	var err error
	if c.pg != nil {
		results, err = c.pg.InsertManyTx(ctx, tx.PgxTx(), params)
	} else {
		results, err = c.sqlite.InsertManyTx(ctx, tx.SQLTx(), params)
	}
	if err != nil {
		return fmt.Errorf("insert %d %s jobs: %w", len(params), params[0].Args.Kind(), err)
	}
	if c.sqlite != nil {
		queues := map[string]bool{}
		for _, r := range results {
			if _, ours := c.cfg.Queues[r.Job.Queue]; ours && !queues[r.Job.Queue] {
				queues[r.Job.Queue] = true
				tx.AfterCommit(func() { c.wake(context.WithoutCancel(ctx), r.Job.Queue) })
			}
		}
	}
	return nil
}

// wake has a queue of this process look for jobs at once. Postgres notifies; on
// SQLite River looks when a job is inserted outside of a transaction, and it need
// not be a new one: this one is left aside but once a day.
func (c *Client) wake(ctx context.Context, queue string) {
	opts := &river.InsertOpts{Queue: queue, UniqueOpts: river.UniqueOpts{ByArgs: true}}
	if _, err := c.sqlite.Insert(ctx, wakeArgs{Queue: queue}, opts); err != nil {
		c.log.WarnContext(ctx, "queue not woken", "queue", queue, "err", err)
	}
}

// wakeWorker does nothing.
type wakeWorker struct{ river.WorkerDefaults[wakeArgs] }

// Work does nothing.
func (*wakeWorker) Work(context.Context, *river.Job[wakeArgs]) error { return nil }

// Insert enqueues a job at once.
func (c *Client) Insert(ctx context.Context, args river.JobArgs, opts *river.InsertOpts) error {
	return c.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error { return c.InsertTx(ctx, tx, args, opts) })
}

// Run works jobs until ctx ends, then lets those in hand finish for StopGrace. A
// Client without queues waits for ctx and does nothing else.
func (c *Client) Run(ctx context.Context) error {
	if len(c.cfg.Queues) == 0 {
		<-ctx.Done()
		return nil
	}
	if err := c.takeBackOwn(ctx); err != nil {
		return err
	}
	beat := make(chan struct{})
	heartCtx, stopHeart := context.WithCancel(context.WithoutCancel(ctx)) // beats on while jobs finish
	go func() { defer close(beat); c.heartbeat(heartCtx) }()
	defer func() { stopHeart(); <-beat }()

	start, stopped := c.startFuncs()
	if err := start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	<-ctx.Done()
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*c.cfg.StopGrace)
	defer cancel()
	if err := stopped(stopCtx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("stop jobs: %w", err)
	}
	return nil
}

func (c *Client) startFuncs() (start, stop func(context.Context) error) {
	if c.pg != nil {
		return c.pg.Start, c.pg.Stop
	}
	return c.sqlite.Start, c.sqlite.Stop
}

// Owns tells whether an attempt of a job is still the one that counts. A worker that
// was frozen finds its jobs given to others when it wakes, and its clocks run out: it
// must not draw conclusions.
func (c *Client) Owns(ctx context.Context, id int64, attempt int) (bool, error) {
	n, err := c.db.NewSelect().Table("river_job").Where("id = ? AND attempt = ? AND state = 'running'", id, attempt).Count(ctx)
	if err != nil {
		return false, fmt.Errorf("look at job %d: %w", id, err)
	}
	return n == 1, nil
}

// takeBackOwn makes jobs that the previous process of a SQLite catalog was
// running available again: no other process can be working them.
func (c *Client) takeBackOwn(ctx context.Context) error {
	if c.pg != nil {
		return nil
	}
	res, err := c.db.ExecContext(ctx, "UPDATE river_job SET state = 'available' WHERE state = 'running'")
	if err != nil {
		return fmt.Errorf("take back jobs: %w", err)
	}
	if n, err := res.RowsAffected(); err == nil && n > 0 {
		c.log.InfoContext(ctx, "jobs of the last run taken back", "jobs", n)
	}
	return nil
}

// heartbeat renews this worker's lease and rescues jobs whose worker stopped
// renewing its own.
func (c *Client) heartbeat(ctx context.Context) {
	if c.pg == nil {
		return
	}
	resource := "jobs/" + c.id
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := c.db.ReleaseLease(ctx, resource, c.id); err != nil {
			c.log.WarnContext(ctx, "heartbeat not taken back", "err", err)
		}
	}()
	renew, rescue := time.NewTicker(renewEvery), time.NewTicker(rescueEvery)
	defer renew.Stop()
	defer rescue.Stop()
	for {
		if _, err := c.db.AcquireLease(ctx, resource, c.id, leaseTTL); err != nil && ctx.Err() == nil {
			c.log.WarnContext(ctx, "heartbeat failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-renew.C:
		case <-rescue.C:
			if err := c.rescue(ctx); err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "rescue failed", "err", err)
			}
		}
	}
}

// rescue makes jobs available again whose last worker has no live heartbeat. They keep
// their place, before all that was enqueued after them.
func (c *Client) rescue(ctx context.Context) error {
	res, err := c.db.ExecContext(ctx, `UPDATE river_job SET state = 'available'
		WHERE state = 'running' AND attempted_at < now() - make_interval(secs => ?)
		AND NOT EXISTS (SELECT 1 FROM leases
			WHERE resource = 'jobs/' || attempted_by[array_length(attempted_by, 1)]
			AND expires_ms > (extract(epoch FROM clock_timestamp()) * 1000)::bigint)`,
		leaseTTL.Seconds())
	if err != nil {
		return fmt.Errorf("rescue jobs: %w", err)
	}
	if n, err := res.RowsAffected(); err == nil && n > 0 {
		c.log.WarnContext(ctx, "jobs of a dead worker rescued", "jobs", n)
	}
	return nil
}
