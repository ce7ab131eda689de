package sink_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/analytics/query"
	"github.com/vitascope/vitascope/analytics/replay"
	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/eventlog"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/internal/warehouse"
)

func warehouseScope(r *rig) warehouse.Scope { return warehouse.Scope{Account: r.account} }

func TestRebuildMendsWhatVerifyFindsWhileTheSinkRuns(t *testing.T) {
	t.Parallel()
	r, rnd := newRig(t, 2, 23_400), random(t)
	list := visits(r, rnd, 40)
	r.start(sinkConfig(), r.store, nil)
	sendAll(r, rnd, list[:20])
	r.drained()
	ctx := t.Context()
	for _, damage := range []string{
		"DELETE FROM heat WHERE kind = 'first' AND cell > 3",
		"INSERT INTO figures (account_id, media_id, dimension, bucket, value, loads) SELECT 'account001', 'media00001', 'page', now(), 'x', 5",
		"DELETE FROM views WHERE plays > 0",
		"DELETE FROM uniques WHERE grain = 'month'",
	} {
		require.NoError(t, r.db.Exec(ctx, damage))
	}
	_, found, err := r.db.Verify(ctx, warehouseScope(r))
	require.NoError(t, err)
	require.NotEmpty(t, found)
	sent := make(chan struct{})
	go func() { // beacons keep coming
		defer close(sent)
		sendAll(r, rnd, list[20:])
	}()
	done, err := r.db.Rebuild(ctx, warehouseScope(r))
	require.NoError(t, err)
	require.Equal(t, []warehouse.Key{{Account: r.account, Media: r.media}}, done)
	<-sent
	r.drained()
	_, found, err = r.db.Verify(ctx, warehouseScope(r))
	require.NoError(t, err)
	require.Empty(t, found)
	got, err := r.stats().Media(ctx, r.account, r.media, query.Filter{})
	require.NoError(t, err)
	require.Equal(t, recountTotals(r, passing(list, func(*visit) bool { return true })), countOf(got.Totals))
}

func TestAnErasedVisitorIsInNoTableAndInNoFigure(t *testing.T) {
	t.Parallel()
	r, rnd := newRig(t, 2, 23_400), random(t)
	list := visits(r, rnd, 40)
	list[0].visitor, list[1].visitor, list[0].bot, list[1].bot = "gone", "gone", false, false
	list[2].identity, list[2].bot = "gone", false
	r.start(sinkConfig(), r.store, nil)
	sendAll(r, rnd, list)
	r.drained()
	ctx := t.Context()
	out, err := r.stats().Erase(ctx, r.account, query.Erasure{Visitor: "gone"})
	require.NoError(t, err)
	require.Equal(t, uint64(3), out.Views)
	rest := passing(list[3:], func(*visit) bool { return true })
	got, err := r.stats().Media(ctx, r.account, r.media, query.Filter{})
	require.NoError(t, err)
	require.Equal(t, recountTotals(r, rest), countOf(got.Totals))
	for _, table := range []string{"events", "views"} {
		var n uint64
		require.NoError(t, r.db.QueryRow(ctx, "SELECT count() FROM "+table+" WHERE visitor = 'gone' OR identity = 'gone'").Scan(&n))
		require.Zero(t, n, table)
	}
	_, found, err := r.db.Verify(ctx, warehouseScope(r))
	require.NoError(t, err)
	require.Empty(t, found)

	late := list[0].playback // and may come again
	list[0].batches = append(late.batches, []beacon.Event{{Kind: beacon.KindPause, AtMS: time.Now().UnixMilli()}})
	r.send(list[0].record(r, len(list[0].batches)-1))
	r.drained()
	_, found, err = r.db.Verify(ctx, warehouseScope(r))
	require.NoError(t, err)
	require.Empty(t, found)

	_, err = r.stats().Erase(ctx, r.account, query.Erasure{Account: true})
	require.NoError(t, err)
	for _, table := range []string{"events", "views", "heat", "figures", "uniques", "receipts"} {
		var n uint64
		require.NoError(t, r.db.QueryRow(ctx, "SELECT count() FROM "+table+" WHERE account_id = ?", r.account).Scan(&n))
		require.Zero(t, n, table)
	}
}

func TestWhatIsOlderThanAnAccountKeepsIsInNoTableAndInNoFigure(t *testing.T) {
	t.Parallel()
	r, rnd := newRig(t, 2, 23_400), random(t)
	list := visits(r, rnd, 40) // of the last 45 days
	r.start(sinkConfig(), r.store, nil)
	sendAll(r, rnd, list)
	r.drained()
	ctx, now := t.Context(), time.Now()
	agree := func(since time.Time) {
		got, err := r.stats().Media(ctx, r.account, r.media, query.Filter{})
		require.NoError(t, err)
		require.Equal(t, recountTotals(r, passing(list, func(v *visit) bool { return !v.opened.Before(since) })), countOf(got.Totals))
		_, found, err := r.db.Verify(ctx, warehouseScope(r))
		require.NoError(t, err)
		require.Empty(t, found)
	}
	done, err := r.db.Expire(ctx, now)
	require.NoError(t, err)
	require.Empty(t, done, "nobody has said how long")
	for _, days := range []int{0, 60} {
		_, err = r.stats().SetRetention(ctx, r.account, query.Retention{Days: days})
		require.NoError(t, err)
		kept, err := r.stats().Retention(ctx, r.account)
		require.NoError(t, err)
		require.Equal(t, days, kept.Days)
		done, err = r.db.Expire(ctx, now)
		require.NoError(t, err)
		require.Empty(t, done, "nothing is old enough")
	}
	agree(time.Time{})

	require.NoError(t, r.db.SetRetention(ctx, "account002", 1)) // has nothing
	require.NoError(t, r.db.SetRetention(ctx, r.account, 20))
	horizon := now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -20)
	done, err = r.db.Expire(ctx, now)
	require.NoError(t, err)
	require.Len(t, done, 1)
	require.Equal(t, horizon, done[0].Before)
	agree(horizon)
	for table, opened := range map[string]string{"events": "UUIDv7ToDateTime(view_id, 'UTC')", "views": "opened_at"} {
		var n uint64
		require.NoError(t, r.db.QueryRow(ctx, "SELECT count() FROM "+table+" WHERE "+opened+" < fromUnixTimestamp64Milli(?, 'UTC')", horizon.UnixMilli()).Scan(&n))
		require.Zero(t, n, table)
	}

	_, err = r.db.Expire(ctx, now.AddDate(0, 0, 30))
	require.NoError(t, err)
	for _, table := range []string{"events", "views", "heat", "figures", "uniques"} {
		var n uint64
		require.NoError(t, r.db.QueryRow(ctx, "SELECT count() FROM "+table+" WHERE account_id = ?", r.account).Scan(&n))
		require.Zero(t, n, table)
	}
}

func TestExportsHoldEveryRow(t *testing.T) {
	t.Parallel()
	r, rnd := newRig(t, 1, 23_400), random(t)
	list := visits(r, rnd, 20)
	list[0].page, list[0].bot = "=cmd()", false
	r.start(sinkConfig(), r.store, nil)
	sendAll(r, rnd, list)
	r.drained()
	ctx := t.Context()
	people := passing(list, func(*visit) bool { return true })
	var out bytes.Buffer
	export, err := r.stats().ExportViews(ctx, r.account, r.media, "csv", query.Filter{})
	require.NoError(t, err)
	require.NoError(t, export.Write(ctx, &out))
	rows, err := csv.NewReader(&out).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, len(people)+1)
	require.Equal(t, []string{"media_id", "view_id"}, rows[0][:2])
	for _, row := range rows[1:] {
		for _, cell := range row {
			require.NotRegexp(t, `^[=+@-]`, cell)
		}
	}
	out.Reset()
	export, err = r.stats().ExportEvents(ctx, r.account, "", "parquet", query.Filter{})
	require.NoError(t, err)
	require.NoError(t, export.Write(ctx, &out))
	events, err := parquet.Read[query.EventRow](bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	want := 0
	for _, v := range list {
		for _, batch := range v.batches {
			want += len(batch)
		}
	}
	require.Len(t, events, want)
	_, err = r.stats().ExportViews(ctx, "account002", r.media, "csv", query.Filter{})
	require.Error(t, err)
}

func TestTheLedgerOfCountsBalances(t *testing.T) {
	t.Parallel()
	r, rnd := newRig(t, 2, 23_400), random(t)
	list := visits(r, rnd, 30)
	r.start(sinkConfig(), r.store, nil)
	var records []*beacon.Record
	want := query.Counts{}
	for _, v := range list {
		for seq := range v.batches {
			first := v.record(r, seq)
			records = append(records, first)
			switch {
			case v.bot:
				want.Bot++
			case first.OptedOut:
				want.OptedOut++
			default:
				want.Accepted++
			}
			if rnd.IntN(2) == 0 { // the write was repeated: the same receipt
				records = append(records, first)
			}
			if rnd.IntN(2) == 0 { // the player sent it again
				again := *first
				again.Receipt = rnd.Uint64() | 1
				records = append(records, &again)
				want.Duplicate++
			}
		}
	}
	for code, n := range map[beacon.Code]*uint64{beacon.CodeTokenExpired: &want.Late, beacon.CodeNotJSON: &want.Invalid} {
		records = append(records, &beacon.Record{V: 1, Account: r.account, ReceivedAtMS: time.Now().UnixMilli(), Receipt: rnd.Uint64() | 1, Refused: code})
		*n++
	}
	r.send(records...)
	r.drained()
	got, err := r.stats().Ledger(t.Context(), r.account, query.Range{})
	require.NoError(t, err)
	want.Received = want.Accepted + want.OptedOut + want.Bot + want.Duplicate + want.Late + want.Invalid
	require.Equal(t, want, got.Total)
}

func TestDeletingAMediaErasesItFromEveryTable(t *testing.T) {
	t.Parallel()
	r, rnd := newRig(t, 1, 23_400), random(t)
	sendAll(r, rnd, visits(r, rnd, 5))
	r.start(sinkConfig(), r.store, nil)
	r.drained()
	ctx := t.Context()
	db, err := catalog.Open(ctx, "sqlite://"+filepath.Join(t.TempDir(), "catalog.db"), r.log)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	require.NoError(t, db.Migrate(ctx))
	require.NoError(t, jobs.Migrate(ctx, db, r.log))
	work, err := jobs.New(db, jobs.Config{Queues: map[string]int{jobs.QueueDefault: 1}}, r.log)
	require.NoError(t, err)
	query.AddWorkers(work, r.stats())
	runCtx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- work.Run(runCtx) }()
	require.NoError(t, db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		return work.InsertTx(ctx, tx, jobs.ForgetArgs{AccountID: r.account, MediaID: r.media}, nil)
	}))
	require.Eventually(t, func() bool {
		var rows uint64
		for _, table := range []string{"events", "views", "heat", "figures", "uniques"} {
			var n uint64
			require.NoError(t, r.db.QueryRow(ctx, "SELECT count() FROM "+table+" WHERE account_id = ? AND media_id = ?", r.account, r.media).Scan(&n))
			rows += n
		}
		return rows == 0
	}, 3*time.Minute, 50*time.Millisecond)
	stop()
	require.NoError(t, <-ended)
}

func TestABeaconThatAnOlderReleaseRefusedIsReplayedOnceAndAccountedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 23_400)
	ctx, now := t.Context(), time.Now()
	key := []byte("0123456789abcdef0123456789abcdef")
	token, err := beacon.SignViewToken(key, beacon.Claims{
		Account: r.account, Media: r.media, View: uuid.Must(uuid.NewV7()).String(), Duration: 23_400 * time.Millisecond,
		IssuedAt: now.Add(-time.Hour), ExpiresAt: now.Add(-time.Minute), // valid when it came
	})
	require.NoError(t, err)
	at := now.Add(-10 * time.Minute)
	body := fmt.Appendf(nil, `{"v":1,"token":%q,"seq":0,"sent_at_ms":%d,"events":[{"k":"watch","at_ms":%d,"from_ms":0,"to_ms":3000,"rate":1}]}`, token, at.UnixMilli(), at.UnixMilli())
	refused := eventlog.Rejected("collect", string(beacon.CodeKind), "", "", at, body)
	refused.Headers = append(refused.Headers, eventlog.Header{Key: "receipt", Value: []byte("77")})
	garbage := eventlog.Rejected("collect", string(beacon.CodeNotJSON), "", "", at, []byte("no JSON"))
	require.NoError(t, r.producer.Write(ctx, eventlog.TopicRejected, refused, garbage))
	r.send(&beacon.Record{V: 1, Receipt: 77, Account: r.account, Media: r.media, ReceivedAtMS: at.UnixMilli(), Refused: beacon.CodeKind})
	r.start(sinkConfig(), r.store, nil)
	r.drained()
	total := func() query.Counts {
		ledger, err := r.stats().Ledger(ctx, r.account, query.Range{})
		require.NoError(t, err)
		return ledger.Total
	}
	require.Equal(t, query.Counts{Received: 1, Invalid: 1}, total())

	again := replay.New(r.events, r.producer, key)
	for _, step := range []struct {
		dry  bool
		want query.Counts
	}{
		{true, query.Counts{Received: 1, Invalid: 1}}, {false, query.Counts{Received: 1, Accepted: 1}}, {false, query.Counts{Received: 1, Accepted: 1}},
	} {
		got, err := again.Replay(ctx, r.account, step.dry)
		require.NoError(t, err)
		require.Equal(t, &replay.Result{Recovered: 1, Refused: map[string]int{}}, got)
		r.drained()
		require.Equal(t, step.want, total())
	}
	figures, err := r.stats().Media(ctx, r.account, r.media, query.Filter{})
	require.NoError(t, err)
	require.Equal(t, uint64(1), figures.Views)
	require.InDelta(t, 3.0/3600, figures.HoursWatched, 1e-9)
	other, err := again.Replay(ctx, "account002", false)
	require.NoError(t, err)
	require.Zero(t, other.Recovered, "another account's beacons are not its own")
}
