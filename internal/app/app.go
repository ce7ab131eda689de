// Package app wires the product together: configuration, roles, engines and the
// HTTP server. It alone knows which engines are embedded; the code of the roles
// talks to all of them through the same clients.
//
// A process starts in this order and stops in the reverse one: engines, clients
// and migrations, roles, HTTP server. Stopping answers not-ready first, then lets
// work in hand finish for the grace period.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vitascope/vitascope/deploy/engines"
	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/lane"
)

// Ready is what a started process tells its operator.
type Ready struct {
	URL       string // where browsers reach it
	LoginURL  string // one-time login link, at the first start of a catalog alone
	CanUpload bool
}

// App is one process of Vitascope.
type App struct {
	cfg     Config
	version string
	log     *slog.Logger
	secret  []byte
	keys    auth.Keys
	engines *engines.Engines // nil when every engine is given by address

	embedsKafka, embedsS3 bool

	// OnReady, if set, is called once the process answers requests.
	OnReady func(Ready)
}

// New checks the configuration and finds what the process needs on this machine.
// It creates the data folder and its secret, and starts nothing.
func New(cfg Config, version string, log *slog.Logger) (*App, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	var err error
	// The embedded S3 server changes the working directory: paths are made absolute first.
	if cfg.Data, err = filepath.Abs(cfg.Data); err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	if cfg.Catalog == "" {
		cfg.Catalog = "sqlite://" + filepath.Join(cfg.Data, "catalog.db")
	}
	a := &App{cfg: cfg, version: version, log: log}
	if a.secret, err = loadSecret(&a.cfg); err != nil {
		return nil, err
	}
	if a.keys, err = auth.NewKeys(a.secret); err != nil {
		return nil, err
	}
	return a, a.prepareEngines()
}

func (a *App) prepareEngines() error {
	need := a.cfg.needs()
	ec := engines.DefaultConfig(a.cfg.Data)
	ec.S3 = need.s3 && a.cfg.S3Endpoint == ""
	ec.Kafka = need.kafka && len(a.cfg.KafkaBrokers) == 0
	a.embedsKafka = ec.Kafka
	ec.ClickHouse = need.clickhouse && a.cfg.ClickHouseURL == ""
	ec.LibraryPath = a.cfg.ClickHouseLibrary
	ec.ClickHouseMemoryBytes = a.cfg.ClickHouseMemoryBytes
	ec.AllowUnsandboxed = a.cfg.InsecureEngines
	ec.StopGrace = a.cfg.ShutdownGrace
	if !ec.S3 && !ec.Kafka && !ec.ClickHouse {
		return nil
	}
	a.embedsS3 = ec.S3
	var err error
	a.engines, err = engines.New(ec, a.secret, a.log)
	return err
}

// leastThreads is how many threads at least run Go in a process with an object store
// of its own.
//
// Go's scheduler knows no priorities: where the bytes of an upload are hashed on every
// processor, each of a dozen steps of a request waits some milliseconds for its turn.
// With more threads than processors the kernel shares these out, and it prefers those
// that have slept.
const leastThreads = 8

func shareProcessors() {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < leastThreads {
		runtime.GOMAXPROCS(leastThreads)
	}
}

// Run starts the process, works until ctx ends, and stops. It returns nil after
// an ordered stop.
func (a *App) Run(ctx context.Context) (err error) {
	// Listening first finds a taken port before anything is started.
	listener, err := net.Listen("tcp", a.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w (another address: --listen host:port)", err)
	}
	defer listener.Close() // closed already after an ordered stop
	if a.cfg.PublicURL == "" {
		a.cfg.PublicURL = "http://" + listener.Addr().String()
	}
	a.cfg.PublicURL = strings.TrimRight(a.cfg.PublicURL, "/")

	if a.embedsS3 {
		shareProcessors()
	}
	if err := a.startEngines(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.stopEngines(ctx)) }()
	if err := prepareTemp(a.tempDir(), time.Now()); err != nil {
		return err
	}
	c, err := a.openClients(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	p, err := a.build(ctx, c)
	if err != nil {
		return err
	}
	return a.work(ctx, p, listener)
}

// work runs the loops and the HTTP server of p until ctx ends or one of them
// fails, which stops the others.
func (a *App) work(ctx context.Context, p *process, listener net.Listener) error {
	ready := Ready{URL: a.cfg.PublicURL, CanUpload: a.cfg.Has(RoleIngest)}
	if p.auth != nil {
		link, err := a.firstStart(ctx, p)
		if err != nil {
			return err
		}
		ready.LoginURL = link
	}
	// Loops outlive the server, so that what it acknowledged while draining is worked.
	loopCtx, stopLoops := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLoops()
	loops, loopCtx := errgroup.WithContext(loopCtx)
	serveCtx, stopServing := context.WithCancel(ctx)
	defer stopServing()
	context.AfterFunc(loopCtx, stopServing) // a loop that fails stops the process
	context.AfterFunc(serveCtx, func() { p.health.stopping.Store(true) })
	for _, l := range p.loops {
		runCtx := loopCtx
		if l.withServer {
			runCtx = serveCtx
		}
		loops.Go(func() error {
			if err := l.run(runCtx); err != nil && !errors.Is(err, context.Canceled) {
				return fmt.Errorf("%s: %w", l.name, err)
			}
			return nil
		})
	}
	a.log.InfoContext(ctx, "serving", "listen", listener.Addr().String(), "roles", strings.Join(a.cfg.Roles, ","), "version", a.version)
	if a.OnReady != nil {
		a.OnReady(ready)
	}
	err := a.answer(serveCtx, p, listener)
	stopLoops()
	err = errors.Join(err, loops.Wait())
	if p.producer != nil {
		err = errors.Join(err, p.producer.Close())
	}
	return err
}

// answer runs the HTTP server until ctx ends. Beacons and what viewers fetch most are
// answered ahead of it.
func (a *App) answer(ctx context.Context, p *process, listener net.Listener) error {
	var open []lane.Open
	if p.player != nil {
		open = append(open, p.player.Lane)
	}
	if p.collect != nil {
		open = append(open, p.collect.Lane(func(remote net.Addr, forwarded []string) string {
			r := &http.Request{RemoteAddr: remote.String(), Header: http.Header{"X-Forwarded-For": forwarded}}
			return p.echo.IPExtractor(r)
		}))
	}
	if len(open) == 0 {
		return serve(ctx, listener, p.handler, a.cfg.ShutdownGrace, a.log)
	}
	lanes := lane.Listen(listener, open...)
	err := serve(ctx, lanes, p.handler, a.cfg.ShutdownGrace, a.log)
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.ShutdownGrace)
	defer cancel()
	err = errors.Join(err, lanes.Close())
	if lanes.Wait(wait) != nil {
		a.log.InfoContext(ctx, "connections cut at the end of the grace period")
	}
	return err
}

func (a *App) startEngines(ctx context.Context) error {
	if a.engines == nil {
		return nil
	}
	start := time.Now()
	ep, err := a.engines.Start(ctx)
	if err != nil {
		return err
	}
	if ep.S3Addr != "" {
		a.cfg.S3Endpoint, a.cfg.S3AccessKey, a.cfg.S3SecretKey, a.cfg.S3Region = ep.S3Addr, ep.S3AccessKey, ep.S3SecretKey, ep.S3Region
		a.cfg.S3Secure = false
	}
	if len(ep.KafkaBrokers) > 0 {
		a.cfg.KafkaBrokers = ep.KafkaBrokers
	}
	if u := ep.ClickHouseURL(); u != "" {
		a.cfg.ClickHouseURL = u
	}
	a.log.InfoContext(ctx, "embedded engines started", "took_ms", time.Since(start).Milliseconds())
	return nil
}

func (a *App) stopEngines(ctx context.Context) error {
	if a.engines == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*a.cfg.ShutdownGrace)
	defer cancel()
	return a.engines.Stop(ctx)
}
