package sink_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/analytics/query"
	"github.com/vitascope/vitascope/analytics/sink"
	"github.com/vitascope/vitascope/deploy/engines"
	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/eventlog"
	"github.com/vitascope/vitascope/internal/warehouse"
)

// One ClickHouse serves all tests, each in a database of its own.
var clickHouse struct {
	once sync.Once
	dir  string
	e    *engines.Engines
	url  string
	err  error
}

func TestMain(m *testing.M) {
	engines.MaybeRunChild()
	code := m.Run()
	if clickHouse.e != nil {
		if err := clickHouse.e.Stop(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		_ = os.RemoveAll(clickHouse.dir)
	}
	os.Exit(code)
}

var secret = []byte("0123456789abcdef0123456789abcdef")

func startEngines(dir string, change func(*engines.Config)) (*engines.Engines, engines.Endpoints, error) {
	cfg := engines.DefaultConfig(dir)
	cfg.S3, cfg.Kafka, cfg.ClickHouse, cfg.AllowUnsandboxed = false, false, false, true
	change(&cfg)
	e, err := engines.New(cfg, secret, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, engines.Endpoints{}, err
	}
	endpoints, err := e.Start(context.Background())
	return e, endpoints, err
}

func clickHouseURL(t testing.TB) string {
	t.Helper()
	clickHouse.once.Do(func() {
		if clickHouse.dir, clickHouse.err = os.MkdirTemp("", "sink-test-"); clickHouse.err != nil {
			return
		}
		var endpoints engines.Endpoints
		clickHouse.e, endpoints, clickHouse.err = startEngines(clickHouse.dir, func(c *engines.Config) { c.ClickHouse = true })
		clickHouse.url = strings.TrimSuffix(endpoints.ClickHouseURL(), "/vitascope")
	})
	require.NoError(t, clickHouse.err)
	return clickHouse.url
}

// rig is a log, a warehouse and a library with one media.
type rig struct {
	t        testing.TB
	log      *slog.Logger
	brokers  []string
	events   *eventlog.Log
	producer *eventlog.Producer
	db       *warehouse.DB
	store    sink.Store
	account  string
	media    string
	duration int64
}

func newRig(t testing.TB, partitions int, durationMS int64) *rig {
	t.Helper()
	r := &rig{t: t, log: slog.New(slog.NewTextHandler(t.Output(), nil)), account: "account001", media: "media00001", duration: durationMS}
	broker, endpoints, err := startEngines(t.TempDir(), func(c *engines.Config) { c.Kafka = true })
	require.NoError(t, err)
	t.Cleanup(func() { _ = broker.Stop(context.Background()) })
	cfg := eventlog.DefaultConfig()
	r.brokers = endpoints.KafkaBrokers
	cfg.Brokers, cfg.Partitions = r.brokers, partitions
	r.events, err = eventlog.Open(cfg, r.log)
	require.NoError(t, err)
	t.Cleanup(r.events.Close)
	require.NoError(t, r.events.EnsureTopics(t.Context()))
	r.producer = r.events.Producer()
	t.Cleanup(func() { _ = r.producer.Close() })

	wcfg := warehouse.DefaultConfig()
	wcfg.URL = fmt.Sprintf("%s/t%s", clickHouseURL(t), strings.ReplaceAll(uuid.NewString(), "-", ""))
	r.db, err = warehouse.Open(wcfg, r.log)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.db.Close() })
	require.NoError(t, r.db.Migrate(t.Context()))
	r.store = sink.NewWarehouse(r.db)
	return r
}

// Media makes the rig the library of its one media.
func (r *rig) Media(_ context.Context, account, id string) (catalog.Media, error) {
	if account != r.account || id != r.media {
		return catalog.Media{}, fmt.Errorf("media %q: %w", id, catalog.ErrNotFound)
	}
	return catalog.Media{ID: id, AccountID: account, DurationMS: r.duration}, nil
}

func (r *rig) stats() *query.Service { return query.New(r.db, r) }

// sinkConfig is quick to flush and, when stopped, to die.
func sinkConfig() sink.Config {
	cfg := sink.DefaultConfig()
	cfg.FlushInterval, cfg.FlushGrace, cfg.KnownViews = 20*time.Millisecond, time.Millisecond, 100
	return cfg
}

// start runs a sink until stop is called or the test ends.
func (r *rig) start(cfg sink.Config, store sink.Store, leases sink.Leases) (stop func(), reg *prometheus.Registry) {
	r.t.Helper()
	reg = prometheus.NewRegistry()
	s, err := sink.New(cfg, r.events, r.producer, store, leases, reg, r.log)
	require.NoError(r.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("sink: %v", err)
		}
	})
	r.t.Cleanup(stop)
	return stop, reg
}

// drained waits until all of the log is in the warehouse.
func (r *rig) drained() {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		ranges, err := r.events.Offsets(r.t.Context(), eventlog.TopicBeacons)
		if err != nil {
			return false
		}
		for p, held := range ranges {
			pos, err := r.store.Position(r.t.Context(), eventlog.TopicBeacons, p)
			if err != nil || pos.Open != nil || pos.Next < held.End {
				return false
			}
		}
		return true
	}, 5*time.Minute, 20*time.Millisecond, "the sink did not catch up")
}

// send appends records to the log in order.
func (r *rig) send(records ...*beacon.Record) {
	r.t.Helper()
	messages := make([]eventlog.Message, len(records))
	for i, rec := range records {
		value, err := beacon.EncodeRecord(rec)
		require.NoError(r.t, err)
		messages[i] = eventlog.Message{Key: []byte(rec.View), Value: value}
	}
	require.NoError(r.t, r.producer.Write(r.t.Context(), eventlog.TopicBeacons, messages...))
}
