package sink_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/vitascope/vitascope/analytics/sink"
	"github.com/vitascope/vitascope/internal/eventlog"
	"github.com/vitascope/vitascope/internal/warehouse"
)

// flaky forwards to ClickHouse and cuts some connections: before the statement
// arrives, or after it ran and before its answer does.
type flaky struct {
	next   http.Handler
	active atomic.Bool
	mu     sync.Mutex
	rnd    *rand.Rand
	cuts   atomic.Int64
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	fate := f.rnd.IntN(4)
	f.mu.Unlock()
	if !f.active.Load() || fate > 1 {
		f.next.ServeHTTP(w, r)
		return
	}
	f.cuts.Add(1)
	if fate == 1 {
		f.next.ServeHTTP(httptest.NewRecorder(), r)
	}
	panic(http.ErrAbortHandler) // the connection closes without an answer
}

func TestAWarehouseThatComesAndGoesLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, 20_000)
	target, err := url.Parse(clickHouseURL(t))
	require.NoError(t, err)
	account := target.User
	target.User = nil
	rnd := random(t)
	proxy := &flaky{next: httputil.NewSingleHostReverseProxy(target), rnd: rnd}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	cfg := warehouse.DefaultConfig()
	through := &url.URL{Scheme: "http", User: account, Host: strings.TrimPrefix(server.URL, "http://"), Path: "/t" + strings.ReplaceAll(uuid.NewString(), "-", "")}
	cfg.URL = through.String()
	r.db, err = warehouse.Open(cfg, r.log)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.db.Close() })
	require.NoError(t, r.db.Migrate(t.Context()))
	r.store = sink.NewWarehouse(r.db)

	playbacks, records := traffic(r, rand.New(rand.NewPCG(rnd.Uint64(), 1)), 30)
	proxy.active.Store(true)
	scfg := sinkConfig()
	scfg.BatchRecords = 30
	r.start(scfg, r.store, nil)
	r.send(records...)
	require.Eventually(t, func() bool { return proxy.cuts.Load() >= 8 }, 3*time.Minute, 10*time.Millisecond)
	proxy.active.Store(false)
	r.drained()
	r.requireTruth(recount(r, playbacks))
}

func TestAGapInTheLogIsCountedAndPassed(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 20_000)
	rnd := random(t)
	var kept []*playback
	for i := range 6 {
		p := simulate(rnd, r.duration, fmt.Sprint(i))
		for seq := range p.batches {
			r.send(p.record(r, seq))
		}
		if i == 2 { // what came so far goes before it is read
			r.deleteAll()
		}
		if i > 2 {
			kept = append(kept, p)
		}
	}
	_, reg := r.start(sinkConfig(), r.store, nil)
	r.drained()
	r.requireTruth(recount(r, kept))
	families, err := reg.Gather()
	require.NoError(t, err)
	lost := 0.0
	for _, f := range families {
		if f.GetName() == "vitascope_sink_lost_records_total" {
			lost = f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	ranges, err := r.events.Offsets(t.Context(), eventlog.TopicBeacons)
	require.NoError(t, err)
	require.InDelta(t, float64(ranges[0].First), lost, 0)
	require.Positive(t, lost)
}

// deleteAll drops everything in partition 0, as retention does.
func (r *rig) deleteAll() {
	r.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.brokers...))
	require.NoError(r.t, err)
	defer client.Close()
	req := kmsg.NewDeleteRecordsRequest()
	topic, partition := kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
	topic.Topic, partition.Offset = eventlog.TopicBeacons, -1
	topic.Partitions = append(topic.Partitions, partition)
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(r.t.Context(), client)
	require.NoError(r.t, err)
	require.Zero(r.t, res.Topics[0].Partitions[0].ErrorCode)
}
