package sink_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/analytics/query"
	"github.com/vitascope/vitascope/analytics/sink"
	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/eventlog"
)

// traffic is random playbacks and their records: repeats resent, batches out of
// order, views interleaved.
func traffic(r *rig, rnd *rand.Rand, n int) ([]*playback, []*beacon.Record) {
	var playbacks []*playback
	var records []*beacon.Record
	for i := range n {
		visitor := fmt.Sprintf("visitor-%d", rnd.IntN(n))
		if rnd.IntN(5) == 0 {
			visitor = ""
		}
		p := simulate(rnd, r.duration, visitor)
		p.bot = i%9 == 8
		playbacks = append(playbacks, p)
		for seq := range p.batches {
			for range 1 + rnd.IntN(3) {
				records = append(records, p.record(r, seq))
			}
		}
	}
	rnd.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	return playbacks, records
}

func TestFiguresEqualAnIndependentRecount(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, 47_300)
	playbacks, records := traffic(r, random(t), 60)
	r.start(sinkConfig(), r.store, nil)
	for len(records) > 0 { // several batches, some with repeats across them
		n := min(len(records), 40)
		r.send(records[:n]...)
		records = records[n:]
	}
	r.drained()
	r.requireTruth(recount(r, playbacks))
}

// dying is a store that dies at one step: from then on nothing reaches the
// warehouse, as after kill -9.
type dying struct {
	sink.Store
	step  string
	after bool // of the step's effect
	dead  atomic.Bool
	died  chan struct{}
}

var errDead = errors.New("dead")

func (d *dying) at(step string, effect func() error) error {
	if d.dead.Load() {
		return errDead
	}
	if step != d.step {
		return effect()
	}
	var err error
	if d.after {
		err = effect()
	}
	d.dead.Store(true)
	close(d.died)
	return errors.Join(errDead, err)
}

func (d *dying) Begin(ctx context.Context, b sink.Batch, holder string) (got sink.Batch, err error) {
	err = d.at("begin", func() (err error) { got, err = d.Store.Begin(ctx, b, holder); return err })
	return got, err
}

func (d *dying) Seen(ctx context.Context, b sink.Batch, views []sink.ViewKey) (got map[sink.ViewKey][]sink.Seen, err error) {
	err = d.at("seen", func() (err error) { got, err = d.Store.Seen(ctx, b, views); return err })
	return got, err
}

func (d *dying) InsertEvents(ctx context.Context, b sink.Batch, rows []sink.EventRow) error {
	return d.at("events", func() error { return d.Store.InsertEvents(ctx, b, rows) })
}

func (d *dying) InsertViews(ctx context.Context, b sink.Batch, rows []sink.ViewRow) error {
	return d.at("views", func() error { return d.Store.InsertViews(ctx, b, rows) })
}

func (d *dying) InsertHeat(ctx context.Context, b sink.Batch, rows []sink.HeatRow) error {
	return d.at("heat", func() error { return d.Store.InsertHeat(ctx, b, rows) })
}

func (d *dying) InsertFigures(ctx context.Context, b sink.Batch, rows []sink.FigureRow) error {
	return d.at("figures", func() error { return d.Store.InsertFigures(ctx, b, rows) })
}

func (d *dying) InsertReceipts(ctx context.Context, b sink.Batch, rows []sink.ReceiptRow) error {
	return d.at("receipts", func() error { return d.Store.InsertReceipts(ctx, b, rows) })
}

func (d *dying) InsertUniques(ctx context.Context, b sink.Batch, rows []sink.UniqueRow) error {
	return d.at("uniques", func() error { return d.Store.InsertUniques(ctx, b, rows) })
}

func (d *dying) Done(ctx context.Context, b sink.Batch, holder string) error {
	return d.at("done", func() error { return d.Store.Done(ctx, b, holder) })
}

func TestASinkKilledAtAnyStepCountsEverythingOnce(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"begin", "seen", "events", "views", "heat", "figures", "receipts", "uniques", "done"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s after=%t", step, after), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, 1, 20_000)
				playbacks, records := traffic(r, random(t), 12)
				half := len(records) / 2
				r.send(records[:half]...)
				// The first sink writes some whole batches; the second dies in one.
				cfg := sinkConfig()
				cfg.BatchRecords = 40
				stop, _ := r.start(cfg, r.store, nil)
				r.drained()
				stop()
				r.send(records[half:]...)
				d := &dying{Store: r.store, step: step, after: after, died: make(chan struct{})}
				stop, _ = r.start(cfg, d, nil)
				select {
				case <-d.died:
				case <-time.After(3 * time.Minute):
					t.Fatal("the sink did not get to the step")
				}
				stop()
				r.send(records[:half/2]...) // old repeats arrive meanwhile
				// The next sink would cut batches elsewhere.
				cfg.BatchRecords = 1000
				r.start(cfg, r.store, nil)
				r.drained()
				r.requireTruth(recount(r, playbacks))
			})
		}
	}
}

func TestTwoSinksOnTheSamePartitionsCountEverythingOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, 20_000)
	playbacks, records := traffic(r, random(t), 40)
	for i := range 3 {
		cfg := sinkConfig()
		cfg.BatchRecords = 30 + 7*i
		r.start(cfg, r.store, nil)
	}
	r.send(records...)
	r.drained()
	r.requireTruth(recount(r, playbacks))
}

func TestPoisonGoesAsideAndStopsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 20_000)
	rnd := random(t)
	p := simulate(rnd, r.duration, "v")
	r.send(p.record(r, 0))
	poison := [][]byte{nil, []byte("not JSON"), []byte(`{"v":7}`), []byte(`[]`), []byte("\xff\xfe"), []byte(`{"v":1,"account":"a","media":"m","view":"not-a-uuid","dur_ms":5,"received_at_ms":1790000000000}`)}
	for _, value := range poison {
		require.NoError(t, r.producer.Write(t.Context(), eventlog.TopicBeacons, eventlog.Message{Key: []byte("x"), Value: value}))
	}
	for seq := 1; seq < len(p.batches); seq++ {
		r.send(p.record(r, seq))
	}
	r.start(sinkConfig(), r.store, nil)
	r.drained()
	r.requireTruth(recount(r, []*playback{p}))
	chunk, err := r.events.Reader(eventlog.TopicRejected, 0).Read(t.Context(), 0, 1<<20, time.Second)
	require.NoError(t, err)
	var kept [][]byte
	for _, m := range chunk.Messages {
		require.Equal(t, eventlog.Header{Key: "reason", Value: []byte("record_unreadable")}, m.Headers[0])
		kept = append(kept, m.Value)
	}
	require.Len(t, kept, len(poison))
	for i := range poison {
		require.Equal(t, string(poison[i]), string(kept[i]))
	}
}

func TestTwoViewsOfOneVisitorAreTwoPlaysOfOneVisitor(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 10_000)
	at := time.Now().UnixMilli()
	whole := []beacon.Event{{Kind: beacon.KindPlay, AtMS: at}, {Kind: beacon.KindWatch, AtMS: at, ToMS: 10_000, Rate: 1}}
	half := []beacon.Event{{Kind: beacon.KindPlay, AtMS: at}, {Kind: beacon.KindWatch, AtMS: at, ToMS: 5000, Rate: 1}}
	load := []beacon.Event{{Kind: beacon.KindLoad, AtMS: at}}
	for i, events := range [][]beacon.Event{whole, half, load} {
		p := &playback{id: fmt.Sprintf("0199b0a0-0000-7000-8000-00000000000%d", i), visitor: "same", batches: [][]beacon.Event{events}}
		if i == 2 {
			p.visitor = "another"
		}
		r.send(p.record(r, 0))
	}
	r.start(sinkConfig(), r.store, nil)
	r.drained()
	got, err := r.stats().Media(t.Context(), r.account, r.media, query.Filter{})
	require.NoError(t, err)
	require.Equal(t, uint64(3), got.Loads)
	require.Equal(t, uint64(2), got.Visitors)
	require.Equal(t, uint64(2), got.Plays)
	require.Equal(t, uint64(1), got.Finished)
	require.InDelta(t, 0.5, got.PlayRate, 1e-12)
	require.InDelta(t, 0.75, got.AverageEngagement, 1e-12)
	require.InDelta(t, 15.0/3600, got.HoursWatched, 1e-12)
}

func TestALogThatBeginsAnewIsReadFromItsStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 20_000)
	rnd := random(t)
	var before []*playback
	for range 5 {
		p := simulate(rnd, r.duration, "")
		before = append(before, p)
		for seq := range p.batches {
			r.send(p.record(r, seq))
		}
	}
	stop, _ := r.start(sinkConfig(), r.store, nil)
	r.drained()
	stop()
	other := newRig(t, 1, 20_000) // an empty log
	r.events, r.producer = other.events, other.producer
	p := simulate(rnd, r.duration, "")
	for seq := range p.batches {
		r.send(p.record(r, seq))
	}
	r.start(sinkConfig(), r.store, nil)
	require.Eventually(t, func() bool {
		pos, err := r.store.Position(t.Context(), eventlog.TopicBeacons, 0)
		return err == nil && pos.Epoch == 1 && pos.Next == int64(len(p.batches))
	}, 3*time.Minute, 20*time.Millisecond)
	r.requireTruth(recount(r, append(before, p)))
}

// mortal is leases that a dead process can no longer renew or give back.
type mortal struct {
	*catalog.DB
	dead atomic.Bool
}

func (m *mortal) AcquireLease(ctx context.Context, resource, holder string, ttl time.Duration) (bool, error) {
	if m.dead.Load() {
		return false, errDead
	}
	return m.DB.AcquireLease(ctx, resource, holder, ttl)
}

func (m *mortal) ReleaseLease(ctx context.Context, resource, holder string) error {
	if m.dead.Load() {
		return errDead
	}
	return m.DB.ReleaseLease(ctx, resource, holder)
}

func TestSinksShareThePartitionsAndTakeOverFromADeadOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5, 20_000)
	db, err := catalog.Open(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "catalog.db"), r.log)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	require.NoError(t, db.Migrate(t.Context()))
	cfg := sinkConfig()
	cfg.LeaseTTL = time.Second

	doomed, doomedStore := &mortal{DB: db}, &dying{Store: r.store, died: make(chan struct{})}
	_, first := r.start(cfg, doomedStore, doomed)
	require.Eventually(t, func() bool { return owned(t, first) == 5 }, 3*time.Minute, 20*time.Millisecond, "alone it owns all")
	_, second := r.start(cfg, r.store, &mortal{DB: db})
	require.Eventually(t, func() bool { return owned(t, first) == 3 && owned(t, second) == 2 }, 3*time.Minute, 20*time.Millisecond, "two share")

	playbacks, records := traffic(r, random(t), 40)
	r.send(records[:len(records)/2]...)
	doomedStore.dead.Store(true)
	doomed.dead.Store(true)
	r.send(records[len(records)/2:]...)
	require.Eventually(t, func() bool { return owned(t, second) == 5 }, 3*time.Minute, 20*time.Millisecond, "the other takes over")
	r.drained()
	r.requireTruth(recount(r, playbacks))
}

func owned(t *testing.T, reg *prometheus.Registry) int {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == "vitascope_sink_partitions" {
			return int(f.GetMetric()[0].GetGauge().GetValue())
		}
	}
	return -1
}
