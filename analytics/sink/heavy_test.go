package sink_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/analytics/sink"
	"github.com/vitascope/vitascope/internal/beacon"
)

// weighed notes the bytes of pages in the largest insert of events, and in all that
// are under way at once.
type weighed struct {
	sink.Store
	most, now, together atomic.Int64
}

func (w *weighed) InsertEvents(ctx context.Context, b sink.Batch, rows []sink.EventRow) error {
	var n int64
	for _, row := range rows {
		n += int64(2 * (len(row.Record.Page.URL) + len(row.Record.Page.Referrer)))
	}
	raise(&w.most, n)
	raise(&w.together, w.now.Add(n))
	defer w.now.Add(-n)
	return w.Store.InsertEvents(ctx, b, rows)
}

func raise(to *atomic.Int64, n int64) {
	for old := to.Load(); n > old && !to.CompareAndSwap(old, n); old = to.Load() {
	}
}

// Strangers may send small records whose rows are large: what a page is called stands
// in the row of each event.
func TestRecordsWithLargeRowsMakeSmallBatchesThatTakeTurns(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, 20_000)
	playbacks, records := traffic(r, random(t), 60)
	long := strings.Repeat("x", 2000)
	for _, rec := range records {
		rec.Page = &beacon.Page{URL: "https://site.example/" + long, Referrer: "https://other.example/" + long}
	}
	r.send(records...)
	cfg := sinkConfig()
	cfg.BatchRowBytes, cfg.WriteBytes = 1<<20, 1<<20
	store := &weighed{Store: r.store}
	r.start(cfg, store, nil)
	r.drained()
	r.requireTruth(recount(r, playbacks))
	require.Greater(t, store.most.Load(), int64(512<<10), "there was more than fits into one batch")
	require.Less(t, store.together.Load(), int64(1<<20+200<<10), "one batch at a time, of one record too many at most")
}
