package catalog_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/catalog"
)

func TestAKeyedRequestIsOneOfManyAtOnce(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		ctx := t.Context()
		r := catalog.KeyedRequest{AccountID: newAccount(t, db), Key: "k", Fingerprint: "f"}
		var had atomic.Int64
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				mine := r
				mine.Holder = strconv.Itoa(i)
				other, ok, err := db.ClaimRequest(ctx, mine, time.Hour)
				if err != nil || !ok && (other.Holder == "" || other.Status != 0) {
					t.Errorf("got %+v, %v, want a running request", other, err)
				}
				if ok {
					had.Add(1)
				}
			})
		}
		all.Wait()
		require.Equal(t, int64(1), had.Load())

		foreign := r
		foreign.AccountID = newAccount(t, db)
		_, ok, err := db.ClaimRequest(ctx, foreign, time.Hour)
		require.NoError(t, err)
		require.True(t, ok, "another account's key is another key")
	})
}

func TestAKeyedRequestIsKeptUntilItsTimeIsOver(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, db *catalog.DB) {
		ctx := t.Context()
		r := catalog.KeyedRequest{AccountID: newAccount(t, db), Key: "k", Fingerprint: "f", Holder: "crashed"}
		_, ok, err := db.ClaimRequest(ctx, r, -time.Hour)
		require.NoError(t, err)
		require.True(t, ok)
		second := r
		second.Holder, second.Status, second.Headers, second.Body = "second", 201, `{"Location":"/x"}`, []byte{0, 1, 0xff}
		_, ok, err = db.ClaimRequest(ctx, second, time.Hour)
		require.NoError(t, err)
		require.True(t, ok, "a lease that ran out blocks nobody")

		require.ErrorIs(t, db.FinishRequest(ctx, r, time.Hour), catalog.ErrConflict, "who lost the key has no say")
		require.NoError(t, db.ReleaseRequest(ctx, r))
		require.NoError(t, db.FinishRequest(ctx, second, time.Hour))
		require.NoError(t, db.ReleaseRequest(ctx, second), "what is finished is not forgotten")
		_, err = db.PurgeRequests(ctx)
		require.NoError(t, err)
		got, ok, err := db.ClaimRequest(ctx, r, time.Hour)
		require.NoError(t, err)
		require.False(t, ok)
		require.Equal(t, []any{201, second.Headers, second.Body}, []any{got.Status, got.Headers, got.Body})

		gone := catalog.KeyedRequest{AccountID: r.AccountID, Key: "old", Holder: "h"}
		_, _, err = db.ClaimRequest(ctx, gone, time.Hour)
		require.NoError(t, err)
		require.NoError(t, db.FinishRequest(ctx, gone, -time.Hour))
		_, err = db.PurgeRequests(ctx)
		require.NoError(t, err)
		left, err := db.NewSelect().Model((*catalog.KeyedRequest)(nil)).Where("account_id = ?", r.AccountID).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, left)
	})
}
