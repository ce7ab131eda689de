package catalog_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/catalog"
)

// forEachEngine runs the suite on SQLite and, when TEST_POSTGRES_DSN names a
// server (make test-cluster does), on Postgres: one behaviour, two engines.
func forEachEngine(t *testing.T, test func(t *testing.T, db *catalog.DB)) {
	engines := map[string]string{"sqlite": "sqlite://" + filepath.Join(t.TempDir(), "catalog.db")}
	if dsn := os.Getenv("TEST_POSTGRES_DSN"); dsn != "" {
		engines["postgres"] = dsn
	}
	for name, dsn := range engines {
		t.Run(name, func(t *testing.T) {
			db, err := catalog.Open(t.Context(), dsn, slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			require.NoError(t, db.Migrate(t.Context()))
			require.NoError(t, db.Migrate(t.Context()), "migrating twice must change nothing")
			test(t, db)
		})
	}
}

// newAccount inserts an account of its own for the test: Postgres is shared.
func newAccount(t *testing.T, db *catalog.DB) string {
	t.Helper()
	a := catalog.Account{ID: catalog.NewID(), Name: t.Name(), CreatedAt: time.Now().UTC()}
	_, err := db.NewInsert().Model(&a).Exec(t.Context())
	require.NoError(t, err)
	return a.ID
}

func newMedia(t *testing.T, db *catalog.DB, account string) catalog.Media {
	t.Helper()
	m := catalog.Media{ID: catalog.NewID(), AccountID: account, Name: "clip 100%_done", State: catalog.StateUploading, Generation: 1}
	require.NoError(t, db.CreateMedia(t.Context(), db, &m))
	return m
}

func TestMediaBelongsToItsAccount(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		ctx := t.Context()
		mine, foreign := newAccount(t, db), newAccount(t, db)
		m := newMedia(t, db, mine)

		got, err := db.Media(ctx, mine, m.ID)
		require.NoError(t, err)
		require.Equal(t, "clip 100%_done", got.Name)
		_, err = db.Media(ctx, foreign, m.ID)
		require.ErrorIs(t, err, catalog.ErrNotFound)
		_, err = db.Media(ctx, mine, "nothing000")
		require.ErrorIs(t, err, catalog.ErrNotFound)
		require.ErrorIs(t, db.RenameMedia(ctx, foreign, m.ID, "stolen"), catalog.ErrNotFound)
		require.ErrorIs(t, db.DeleteMedia(ctx, db, foreign, m.ID), catalog.ErrNotFound)

		list, _, err := db.ListMedia(ctx, foreign, "", 10, "")
		require.NoError(t, err)
		require.Empty(t, list)
	})
}

func TestListPagesThroughEverythingOnceNewestFirst(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		account := newAccount(t, db)
		var want []string
		for range 7 {
			want = append([]string{newMedia(t, db, account).ID}, want...)
		}
		var got []string
		cursor := ""
		for {
			page, next, err := db.ListMedia(t.Context(), account, cursor, 3, "")
			require.NoError(t, err)
			for _, m := range page {
				got = append(got, m.ID)
			}
			if cursor = next; cursor == "" {
				break
			}
		}
		require.ElementsMatch(t, want, got)
		require.Equal(t, want[0], got[0])

		hits, _, err := db.ListMedia(t.Context(), account, "", 10, "00%_D")
		require.NoError(t, err)
		require.Len(t, hits, 7, "the search is a plain text, found without case")
		hits, _, err = db.ListMedia(t.Context(), account, "", 10, "0_d")
		require.NoError(t, err)
		require.Empty(t, hits, "an underscore is no wildcard")
	})
}

func TestTransitionIsCompareAndSet(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		ctx := t.Context()
		m := newMedia(t, db, newAccount(t, db))
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				err := db.Transition(ctx, db, m.ID, 1, []catalog.MediaState{catalog.StateUploading}, catalog.StateProbing,
					catalog.Set{Column: "size_bytes", Value: 7})
				if err == nil {
					won.Add(1)
				} else {
					require.ErrorIs(t, err, catalog.ErrConflict)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, won.Load(), "one of eight does the step")
		require.ErrorIs(t, db.Transition(ctx, db, m.ID, 2, []catalog.MediaState{catalog.StateProbing}, catalog.StatePlayable), catalog.ErrConflict, "another generation")

		require.NoError(t, db.FailMedia(ctx, m.ID, 1, "truncated_file", "The file ends too early.", true))
		got, err := db.MediaByID(ctx, m.ID)
		require.NoError(t, err)
		require.Equal(t, catalog.StateFailed, got.State)
		require.EqualValues(t, 7, got.SizeBytes)
		require.True(t, got.FailureRetryable)
		require.NoError(t, db.Transition(ctx, db, m.ID, 1, []catalog.MediaState{catalog.StateFailed}, catalog.StateProbing))
		got, err = db.MediaByID(ctx, m.ID)
		require.NoError(t, err)
		require.Empty(t, got.FailureCode, "a retry clears the old reason")
	})
}

func TestPublishOnlyMovesForward(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		m := newMedia(t, db, newAccount(t, db))
		require.ErrorIs(t, db.Publish(t.Context(), db, m.ID, 1, 2), catalog.ErrConflict, "bytes are still arriving")
		require.NoError(t, db.PublishArriving(t.Context(), db, m.ID, 1, 1))
		require.ErrorIs(t, db.PublishArriving(t.Context(), db, m.ID, 1, 1), catalog.ErrConflict)
		require.NoError(t, db.Transition(t.Context(), db, m.ID, 1, []catalog.MediaState{catalog.StateUploading}, catalog.StateProbing))
		require.ErrorIs(t, db.PublishArriving(t.Context(), db, m.ID, 1, 2), catalog.ErrConflict, "all bytes are here")
		require.NoError(t, db.Publish(t.Context(), db, m.ID, 1, 2))
		require.ErrorIs(t, db.Publish(t.Context(), db, m.ID, 1, 2), catalog.ErrConflict)
		require.ErrorIs(t, db.Publish(t.Context(), db, m.ID, 1, 1), catalog.ErrConflict)
	})
}

func TestChangedMediaFollowsEveryChangeAndDeletes(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		ctx, account := t.Context(), ""
		account = newAccount(t, db)
		start := time.Now().UnixMilli()
		m := newMedia(t, db, account)
		require.NoError(t, db.DeleteMedia(ctx, db, account, m.ID))
		list, err := db.ChangedMedia(ctx, account, start)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.False(t, list[0].DeletedAt.IsZero())
		_, err = db.Media(ctx, account, m.ID)
		require.ErrorIs(t, err, catalog.ErrNotFound)
		list, err = db.ChangedMedia(ctx, account, list[0].ChangedMS+1)
		require.NoError(t, err)
		require.Empty(t, list)
	})
}

func TestLeaseHasOneHolderUntilItRunsOut(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		ctx, res := t.Context(), "test/"+catalog.NewID()
		take := func(holder string, ttl time.Duration) bool {
			ok, err := db.AcquireLease(ctx, res, holder, ttl)
			require.NoError(t, err)
			return ok
		}
		require.True(t, take("a", time.Hour))
		require.False(t, take("b", time.Hour))
		require.True(t, take("a", -time.Second), "the holder renews, here into the past")
		require.True(t, take("b", time.Hour), "one that ran out is anyone's")
		require.NoError(t, db.ReleaseLease(ctx, res, "a"), "not the holder: no effect")
		require.False(t, take("a", time.Hour))
		require.NoError(t, db.ReleaseLease(ctx, res, "b"))
		require.True(t, take("a", time.Hour))
		holders, err := db.LeaseHolders(ctx, res)
		require.NoError(t, err)
		require.Equal(t, map[string]string{res: "a"}, holders)
		require.True(t, take("a", -time.Second))
		holders, err = db.LeaseHolders(ctx, res)
		require.NoError(t, err)
		require.Empty(t, holders, "one that ran out is nobody's")
	})
}

func TestLoginLinkWorksOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		ctx := t.Context()
		u, _, err := db.EnsureAdmin(ctx, "Test", "admin@example.com")
		require.NoError(t, err)
		again, created, err := db.EnsureAdmin(ctx, "Test", "other@example.com")
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, u.ID, again.ID)

		token := catalog.NewID()
		require.NoError(t, db.CreateLoginLink(ctx, u.ID, token, time.Now().Add(time.Hour)))
		got, err := db.UseLoginLink(ctx, token, time.Now())
		require.NoError(t, err)
		require.Equal(t, u.ID, got.ID)
		_, err = db.UseLoginLink(ctx, token, time.Now())
		require.ErrorIs(t, err, catalog.ErrNotFound)

		expired := catalog.NewID()
		require.NoError(t, db.CreateLoginLink(ctx, u.ID, expired, time.Now().Add(-time.Second)))
		_, err = db.UseLoginLink(ctx, expired, time.Now())
		require.ErrorIs(t, err, catalog.ErrNotFound)
	})
}

func TestInTxRollsBack(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		account := newAccount(t, db)
		m := catalog.Media{ID: catalog.NewID(), AccountID: account, Name: "x", State: catalog.StateUploading, Generation: 1}
		err := db.InTx(t.Context(), func(ctx context.Context, tx catalog.Tx) error {
			require.NoError(t, db.CreateMedia(ctx, tx, &m))
			return fmt.Errorf("stop here")
		})
		require.ErrorContains(t, err, "stop here")
		_, err = db.MediaByID(t.Context(), m.ID)
		require.ErrorIs(t, err, catalog.ErrNotFound)
	})
}

func TestNewIDIsTenOfItsAlphabet(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		id := catalog.NewID()
		require.Regexp(t, `^[a-z0-9]{10}$`, id)
		require.False(t, seen[id])
		seen[id] = true
	}
}

func TestOpenRefusesOtherDatabases(t *testing.T) {
	t.Parallel()
	_, err := catalog.Open(t.Context(), "mysql://root:secret@localhost/x", slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "sqlite:///file")
	require.NotContains(t, err.Error(), "secret")
}

func TestAChunkIsMadeOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		m := newMedia(t, db, newAccount(t, db))
		report := func(attempt int64, done bool) error {
			return db.ReportChunk(t.Context(), db, &catalog.Chunk{
				MediaID: m.ID, Generation: 1, Part: "rungs", Chunk: 3, Attempt: attempt, OutputPrefix: fmt.Sprintf("a%d/", attempt), Outputs: "{}", Done: done,
			})
		}
		require.NoError(t, report(101, false))
		require.NoError(t, report(101, false), "it grows")
		require.NoError(t, report(102, false))
		require.ErrorIs(t, report(101, false), catalog.ErrConflict, "an earlier attempt that comes back")
		made, err := db.ChunkDone(t.Context(), m.ID, 1, "rungs", 3)
		require.NoError(t, err)
		require.False(t, made)
		require.NoError(t, report(101, true), "whoever is done first")
		require.ErrorIs(t, report(102, true), catalog.ErrConflict)
		require.ErrorIs(t, report(103, false), catalog.ErrConflict)
		rows, err := db.Chunks(t.Context(), m.ID, 1, "rungs")
		require.NoError(t, err)
		require.Len(t, rows, 1)
		require.Equal(t, "a101/", rows[0].OutputPrefix)
		done, err := db.ChunksDone(t.Context(), m.ID, 1)
		require.NoError(t, err)
		require.Equal(t, map[string]map[int]bool{"rungs": {3: true}}, done)

		_, err = db.Plan(t.Context(), m.ID, 1)
		require.ErrorIs(t, err, catalog.ErrNotFound)
		for _, plan := range []string{`{"first":1}`, `{"second":2}`} {
			require.NoError(t, db.PutPlan(t.Context(), db, m.ID, 1, []byte(plan)))
		}
		plan, err := db.Plan(t.Context(), m.ID, 1)
		require.NoError(t, err)
		require.JSONEq(t, `{"first":1}`, string(plan))
	})
}

func TestProgressNeverGoesBack(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		m := newMedia(t, db, newAccount(t, db))
		for _, p := range []float64{0.2, 0.7, 0.5} {
			require.NoError(t, db.UpdateProgress(t.Context(), m.ID, 1, p))
		}
		m, err := db.MediaByID(t.Context(), m.ID)
		require.NoError(t, err)
		require.InDelta(t, 0.7, m.Progress, 1e-9)
	})
}

func TestASQLiteCatalogHasOneServer(t *testing.T) {
	t.Parallel()
	dsn := "sqlite://" + filepath.Join(t.TempDir(), "catalog.db")
	open := func() *catalog.DB {
		db, err := catalog.Open(t.Context(), dsn, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		return db
	}
	first, second := open(), open()
	defer second.Close()
	require.NoError(t, first.Hold())
	require.NoError(t, first.Hold(), "it is ours")
	require.ErrorIs(t, second.Hold(), catalog.ErrInUse)
	require.NoError(t, second.PingContext(t.Context()), "commands beside the server may read")
	require.NoError(t, first.Close())
	require.NoError(t, second.Hold())
}

func TestAQuotaBoundsBytesAndFiles(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db, err := catalog.Open(ctx, "sqlite://"+filepath.Join(t.TempDir(), "catalog.db"), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.Migrate(ctx))
	account := catalog.Account{ID: catalog.NewID(), Name: "a", CreatedAt: time.Now().UTC()}
	_, err = db.NewInsert().Model(&account).Exec(ctx)
	require.NoError(t, err)
	create := func(size int64) error {
		return db.CreateMediaWithinQuota(ctx, &catalog.Media{ID: catalog.NewID(), AccountID: account.ID, Name: "m", State: catalog.StateUploading, Generation: 1, SizeBytes: size})
	}
	require.NoError(t, create(1<<40), "without a quota")
	require.NoError(t, db.SetQuota(ctx, catalog.Quota{AccountID: account.ID, MaxBytes: 1<<40 + 10, MaxFiles: 3}))
	require.ErrorIs(t, create(11), catalog.ErrQuota)
	require.NoError(t, create(10))
	require.ErrorIs(t, create(1), catalog.ErrQuota)
	require.NoError(t, db.SetQuota(ctx, catalog.Quota{AccountID: account.ID, MaxBytes: 1 << 50, MaxFiles: 2}))
	require.ErrorIs(t, create(1), catalog.ErrQuota, "files")
}
