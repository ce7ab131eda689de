package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
)

type echoArgs struct {
	Text string `json:"text"`
}

func (echoArgs) Kind() string { return "echo" }

type echoWorker struct {
	river.WorkerDefaults[echoArgs]
	got chan string
}

func (w *echoWorker) Work(ctx context.Context, j *river.Job[echoArgs]) error {
	select {
	case w.got <- j.Args.Text:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func forEachEngine(t *testing.T, test func(t *testing.T, db *catalog.DB)) {
	engines := map[string]string{"sqlite": "sqlite://" + filepath.Join(t.TempDir(), "catalog.db")}
	if dsn := os.Getenv("TEST_POSTGRES_DSN"); dsn != "" {
		engines["postgres"] = dsn
	}
	for name, dsn := range engines {
		t.Run(name, func(t *testing.T) {
			log := slog.New(slog.DiscardHandler)
			db, err := catalog.Open(t.Context(), dsn, log)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			require.NoError(t, db.Migrate(t.Context()))
			require.NoError(t, jobs.Migrate(t.Context(), db, log))
			test(t, db)
		})
	}
}

func start(t *testing.T, db *catalog.DB, queue string) (*jobs.Client, *echoWorker, context.CancelFunc) {
	t.Helper()
	c, err := jobs.New(db, jobs.Config{Queues: map[string]int{queue: 2}, StopGrace: time.Second}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	w := &echoWorker{got: make(chan string, 16)}
	jobs.AddWorker(c, w)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop := func() {
		cancel()
		require.NoError(t, <-done)
		done <- nil
	}
	t.Cleanup(stop)
	return c, w, stop
}

func receive(t *testing.T, w *echoWorker) string {
	t.Helper()
	select {
	case text := <-w.got:
		return text
	case <-time.After(2 * time.Minute):
		require.Fail(t, "the job never ran")
		return ""
	}
}

func TestJobExistsExactlyIfItsTransactionCommits(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		queue := "q" + catalog.NewID()
		c, w, _ := start(t, db, queue)
		opts := &river.InsertOpts{Queue: queue}
		err := db.InTx(t.Context(), func(ctx context.Context, tx catalog.Tx) error {
			require.NoError(t, c.InsertTx(ctx, tx, echoArgs{"rolled back"}, opts))
			return errors.New("no")
		})
		require.Error(t, err)
		require.NoError(t, c.Insert(t.Context(), echoArgs{"committed"}, opts))
		require.Equal(t, "committed", receive(t, w))
		require.Empty(t, w.got)
	})
}

// TestJobOfADeadProcessRunsAgain leaves a job marked as running by a worker that
// is gone, as a killed process does.
func TestJobOfADeadProcessRunsAgain(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		queue := "q" + catalog.NewID()
		insertOnly, err := jobs.New(db, jobs.Config{}, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		jobs.AddWorker(insertOnly, &echoWorker{})
		require.NoError(t, insertOnly.Insert(t.Context(), echoArgs{"orphan"}, &river.InsertOpts{Queue: queue}))
		orphan := "UPDATE river_job SET state = 'running', attempt = 1, attempted_by = '[\"worker-dead\"]', attempted_at = '2020-01-01 00:00:00' WHERE queue = ?"
		if db.Postgres() != nil {
			orphan = "UPDATE river_job SET state = 'running', attempt = 1, attempted_by = '{worker-dead}', attempted_at = '2020-01-01' WHERE queue = ?"
		}
		_, err = db.ExecContext(t.Context(), orphan, queue)
		require.NoError(t, err)

		_, w, _ := start(t, db, queue)
		require.Equal(t, "orphan", receive(t, w))
	})
}

// TestLongJobOfALiveWorkerIsLeftAlone has a leader that does not know the kind of
// a job which another process has been running for hours.
func TestLongJobOfALiveWorkerIsLeftAlone(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		if db.Postgres() == nil {
			return // one process: nobody else can be running anything
		}
		queue := "q" + catalog.NewID()
		insertOnly, err := jobs.New(db, jobs.Config{}, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		require.NoError(t, insertOnly.Insert(t.Context(), echoArgs{"long"}, &river.InsertOpts{Queue: queue}))
		held, err := db.AcquireLease(t.Context(), "jobs/worker-"+queue, "worker-"+queue, time.Hour)
		require.NoError(t, err)
		require.True(t, held)
		_, err = db.ExecContext(t.Context(), `UPDATE river_job SET state = 'running', attempt = 1, attempted_by = ARRAY[?],
			attempted_at = now() - interval '3 hours' WHERE queue = ?`, "worker-"+queue, queue)
		require.NoError(t, err)

		_, w, _ := start(t, db, queue)
		require.NoError(t, insertOnly.Insert(t.Context(), echoArgs{"short"}, &river.InsertOpts{Queue: queue}))
		require.Equal(t, "short", receive(t, w))
		select { // longer than two looks for dead workers
		case text := <-w.got:
			require.Fail(t, "ran again", text)
		case <-time.After(12 * time.Second):
		}
		var state string
		require.NoError(t, db.NewRaw("SELECT state FROM river_job WHERE queue = ? AND args->>'text' = 'long'", queue).Scan(t.Context(), &state))
		require.Equal(t, "running", state)
	})
}
