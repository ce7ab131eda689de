package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vitascope/vitascope/analytics/sink"
	"github.com/vitascope/vitascope/deploy/engines"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/eventlog"
	"github.com/vitascope/vitascope/internal/warehouse"
)

// Roles this program takes itself when it is started with one: the embedded
// broker, which is otherwise part of a process that does more, and the sink, with
// leases in an SQLite catalog that several processes of one machine can share.
const (
	roleBroker = "__broker"
	roleSink   = "__sink"
)

// Variables that tell a role what it needs.
const (
	envData       = "LEDGER_DATA"
	envPort       = "LEDGER_PORT"
	envBroker     = "LEDGER_BROKER"
	envClickHouse = "LEDGER_CLICKHOUSE"
	envCatalog    = "LEDGER_CATALOG"
	envLease      = "LEDGER_LEASE"
	envSecret     = "VITASCOPE_SECRET"
)

func runRole(role string) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if role == roleBroker {
		return runBroker(ctx, log)
	}
	return runSink(ctx, log)
}

// Signals by which the broker's connections are treated otherwise for a while.
const (
	signalCut    = syscall.SIGUSR1
	signalForget = syscall.SIGUSR2
	signalPass   = syscall.SIGHUP
)

func runBroker(ctx context.Context, log *slog.Logger) error {
	cfg := engines.DefaultConfig(os.Getenv(envData))
	cfg.S3, cfg.ClickHouse = false, false
	var err error
	if cfg.KafkaPort, err = strconv.Atoi(os.Getenv(envPort)); err != nil {
		return err
	}
	cuts := newCuts()
	cfg.KafkaListener = func(l net.Listener) net.Listener { return cuts.listen(l) }
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, signalCut, signalForget, signalPass)
	go func() {
		how := map[os.Signal]int32{signalCut: cutting, signalForget: forgetful, signalPass: passing}
		for s := range signals {
			cuts.set(how[s])
		}
	}()
	e, err := engines.New(cfg, []byte(os.Getenv(envSecret)), log)
	if err != nil {
		return err
	}
	if _, err := e.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return e.Stop(context.Background())
}

func runSink(ctx context.Context, log *slog.Logger) (err error) {
	leases, err := catalog.Open(ctx, os.Getenv(envCatalog), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, leases.Close()) }()
	events, err := openLog(os.Getenv(envBroker), log)
	if err != nil {
		return err
	}
	defer events.Close()
	db, err := openWarehouse(os.Getenv(envClickHouse), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	producer := events.Producer()
	defer func() { err = errors.Join(err, producer.Close()) }()
	cfg := sink.DefaultConfig()
	if cfg.LeaseTTL, err = time.ParseDuration(os.Getenv(envLease)); err != nil {
		return err
	}
	s, err := sink.New(cfg, events, producer, sink.NewWarehouse(db), leases, prometheus.NewRegistry(), log)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

func openLog(broker string, log *slog.Logger) (*eventlog.Log, error) {
	cfg := eventlog.DefaultConfig()
	cfg.Brokers = []string{broker}
	return eventlog.Open(cfg, log)
}

func openWarehouse(url string, log *slog.Logger) (*warehouse.DB, error) {
	cfg := warehouse.DefaultConfig()
	cfg.URL = url
	return warehouse.Open(cfg, log)
}
