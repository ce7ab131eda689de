package app

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/vitascope/vitascope/analytics/collect"
	"github.com/vitascope/vitascope/analytics/collect/country"
	"github.com/vitascope/vitascope/analytics/dashboard"
	"github.com/vitascope/vitascope/analytics/query"
	"github.com/vitascope/vitascope/analytics/replay"
	"github.com/vitascope/vitascope/analytics/sink"
	"github.com/vitascope/vitascope/ingest"
	"github.com/vitascope/vitascope/ingest/library"
	"github.com/vitascope/vitascope/ingest/marketing"
	"github.com/vitascope/vitascope/ingest/sharing"
	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/auth/authapi"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/eventlog"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/idempotency"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/internal/webhooks"
	"github.com/vitascope/vitascope/player"
	"github.com/vitascope/vitascope/transcode"
)

// loop is background work of a role.
type loop struct {
	name string
	run  func(ctx context.Context) error
	// withServer stops the loop when the server begins to stop, not after it: it
	// ends answers that have no end of their own.
	withServer bool
}

// process is everything one process does once its stores are open.
type process struct {
	catalog *catalog.DB
	auth    *auth.Service // nil without the api role
	echo    *echo.Echo
	handler http.Handler // echo, behind what answers the hottest requests
	metrics *prometheus.Registry
	loops   []loop
	health  health

	player   *player.Handler    // nil without player
	collect  *collect.Handler   // nil without collect
	producer *eventlog.Producer // nil without collect and sink
}

// build makes the roles of this process and starts none of them.
func (a *App) build(ctx context.Context, c *clients) (*process, error) {
	p := &process{catalog: c.catalog, metrics: prometheus.NewRegistry(), loops: c.loops}
	p.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	p.health.checks = c.checks
	if a.engines != nil {
		p.health.checks = append(p.health.checks, a.engineCheck())
	}
	secure := strings.HasPrefix(a.cfg.PublicURL, "https://")
	var who httpx.Identifier
	if a.cfg.Has(RoleAPI) || a.cfg.Has(RoleIngest) {
		svc := auth.New(c.catalog, secure, a.log)
		who = svc
		if a.cfg.Has(RoleAPI) {
			p.auth = svc
		}
	}
	p.echo = httpx.New(who, a.log)
	p.handler = p.echo
	httpx.TrustProxies(p.echo, a.cfg.Proxies)
	p.health.register(p.echo)
	if c.events != nil {
		p.producer = c.events.Producer()
	}
	addJobs := func(p *process, c *clients) error { return a.addJobs(ctx, p, c) }
	for _, add := range []func(*process, *clients) error{addJobs, a.addPlayer, a.addCollect, a.addSink, a.addMetrics} {
		if err := add(p, c); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// addJobs builds what inserts or works jobs: ingest, the API and transcode share
// one client.
func (a *App) addJobs(ctx context.Context, p *process, c *clients) error {
	if !a.cfg.Has(RoleIngest) && !a.cfg.Has(RoleAPI) && !a.cfg.Has(RoleTranscode) {
		return nil
	}
	jc := jobs.Config{StopGrace: a.cfg.ShutdownGrace, Queues: map[string]int{}}
	if a.cfg.Has(RoleTranscode) {
		jc.Queues[jobs.QueueProbe] = max(2, a.cfg.TranscodeWorkers)
		jc.Queues[jobs.QueueTranscode] = a.cfg.TranscodeWorkers
		jc.Queues[jobs.QueueFirst] = max(1, a.cfg.TranscodeWorkers/2)
		jc.Queues[jobs.QueueSound] = max(2, a.cfg.TranscodeWorkers/2)
	}
	if a.cfg.Has(RoleIngest) {
		jc.Queues[jobs.QueueImport] = importsAtOnce
	}
	if a.cfg.Has(RoleAPI) {
		jc.Queues[jobs.QueueDefault] = 4
		jc.Queues[jobs.QueueWebhooks] = 32
	}
	client, err := jobs.New(c.catalog, jc, a.log)
	if err != nil {
		return err
	}
	if a.cfg.Has(RoleTranscode) {
		tc := transcode.Config{MediaBinary: a.cfg.MediaBinary, TempDir: a.tempDir(), InsecureMedia: a.cfg.InsecureMedia,
			Threads: a.cfg.TranscodeThreads, KeepLoudness: a.cfg.KeepLoudness, ExtraCodecs: a.cfg.ExtraCodecs, Indexes: c.indexes}
		svc, err := transcode.New(tc, c.catalog, c.blobs, client, a.log)
		if err != nil {
			return err
		}
		if err := svc.CheckSandbox(ctx); err != nil {
			return err
		}
	}
	if a.cfg.Has(RoleIngest) {
		ic := ingest.DefaultConfig()
		ic.TempDir = filepath.Join(a.tempDir(), uploadsDir)
		ic.SharedLocks = c.catalog.Postgres() != nil
		svc, err := ingest.New(ic, c.catalog, c.blobs, client, a.log)
		if err != nil {
			return err
		}
		svc.Register(p.echo)
		p.loops = append(p.loops, loop{name: "ingest", run: svc.Run})
		imports, err := a.imports(c, client)
		if err != nil {
			return err
		}
		imports.AddWorkers(client)
	}
	if a.cfg.Has(RoleAPI) {
		if err := a.addAPI(p, c, client); err != nil {
			return err
		}
	}
	p.loops = append(p.loops, loop{name: "jobs", run: client.Run})
	return nil
}

// importsAtOnce is how many imports a process fetches at once.
const importsAtOnce = 2

// imports is what accepts imports in the API, and what fetches them beside uploads.
func (a *App) imports(c *clients, client *jobs.Client) (*ingest.Imports, error) {
	up := ingest.DefaultConfig()
	up.TempDir = filepath.Join(a.tempDir(), uploadsDir)
	return ingest.NewImports(ingest.ImportConfig{Networks: a.cfg.ImportNetworks, BytesPerSecond: a.cfg.ImportBytesPerSecond}, up, c.catalog, c.blobs, client, a.log)
}

// addAPI builds the JSON API and the dashboard.
func (a *App) addAPI(p *process, c *clients, client *jobs.Client) error {
	api := httpx.NewAPI(p.echo, a.version)
	keys, err := idempotency.New(idempotency.DefaultConfig(), c.catalog, a.log)
	if err != nil {
		return err
	}
	keys.Use(api)
	p.loops = append(p.loops, loop{name: "idempotency", run: keys.Run})
	authapi.Register(api, p.auth, c.catalog)
	lc := library.DefaultConfig()
	lc.PublicURL, lc.GrantKey = a.cfg.PublicURL, a.keys.Grant
	lib, err := library.New(lc, c.catalog, c.blobs, client, a.log)
	if err != nil {
		return err
	}
	lib.Register(api)
	imports, err := a.imports(c, client)
	if err != nil {
		return err
	}
	imports.Register(api)
	library.AddWorkers(client, c.blobs)
	p.loops = append(p.loops, loop{name: "library", run: lib.Run, withServer: true})
	shared, err := sharing.New(sharing.Config{PublicURL: a.cfg.PublicURL, GrantKey: a.keys.Grant, SealingKey: a.keys.Sealing}, c.catalog, c.blobs, client, a.log)
	if err != nil {
		return err
	}
	shared.Register(api)
	sharing.AddWorkers(client, c.catalog, c.blobs)
	market, err := marketing.New(marketing.Config{ViewTokenKey: a.keys.ViewToken}, c.catalog, c.blobs, shared, client, a.log)
	if err != nil {
		return err
	}
	market.Register(api)
	market.RegisterPublic(p.echo)
	if err := a.addWebhooks(p, c, api, client); err != nil {
		return err
	}
	stats := query.New(c.warehouse, c.catalog)
	query.Register(api, stats, a.log)
	query.AddWorkers(client, stats)
	p.loops = append(p.loops, loop{name: "upkeep", run: func(ctx context.Context) error { return stats.RunUpkeep(ctx, a.log) }})
	var replayer *replay.Replayer
	if c.events != nil {
		replayer = replay.New(c.events, p.producer, a.keys.ViewToken)
	}
	replay.Register(api, replayer)
	page := echo.WrapHandler(dashboard.New(a.cfg.PublicURL))
	p.echo.GET("/", page)
	p.echo.HEAD("/", page)
	p.echo.GET(dashboard.AssetsPrefix+"*", page)
	return nil
}

// addWebhooks builds what tells others of events.
func (a *App) addWebhooks(p *process, c *clients, api huma.API, client *jobs.Client) error {
	wc := webhooks.DefaultConfig()
	wc.SealingKey, wc.Allow = a.keys.Sealing, prefixes(a.cfg.OutboundAllow)
	hooks, err := webhooks.New(wc, c.catalog, client, a.log)
	if err != nil {
		return err
	}
	hooks.Register(api)
	webhooks.AddWorkers(client, hooks)
	p.loops = append(p.loops, loop{name: "webhooks", run: hooks.Run})
	return nil
}

// addPlayer builds the HLS origin and the embeds.
func (a *App) addPlayer(p *process, c *clients) error {
	if !a.cfg.Has(RolePlayer) {
		return nil
	}
	pc := player.DefaultConfig()
	pc.PublicURL, pc.Indexes = a.cfg.PublicURL, c.indexes
	pc.CacheBytes, pc.CacheObjectBytes = a.cfg.PlayerCacheBytes, min(pc.CacheObjectBytes, a.cfg.PlayerCacheBytes)
	pc.DiskCache, pc.DiskCacheBytes = a.cfg.PlayerDiskCache, a.cfg.PlayerDiskCacheBytes
	pc.CacheDir = filepath.Join(a.cfg.Data, "cache")
	var states player.States
	if c.catalog != nil {
		states = publicStates{c.catalog}
	}
	keys := player.Keys{ViewToken: a.keys.ViewToken, Grant: a.keys.Grant, Sealing: a.keys.Sealing}
	h, err := player.New(pc, c.blobs, states, keys, p.metrics, a.log)
	if err != nil {
		return err
	}
	h.Register(p.echo)
	p.player, p.handler = h, h.Hot(p.handler)
	p.loops = append(p.loops, loop{name: "player", run: h.Run})
	return nil
}

// addCollect builds the receiver of beacons.
func (a *App) addCollect(p *process, _ *clients) error {
	if !a.cfg.Has(RoleCollect) {
		return nil
	}
	cc := collect.DefaultConfig()
	cc.AddressPerSecond, cc.MediaPerSecond = a.cfg.CollectAddressRate, a.cfg.CollectMediaRate
	cc.SpoolDir, cc.SpoolBytes = filepath.Join(a.cfg.Data, "spool"), a.cfg.CollectSpoolBytes
	countries, err := a.countries()
	if err != nil {
		return err
	}
	keys := collect.Keys{ViewToken: a.keys.ViewToken, VisitorSalt: a.keys.VisitorSalt}
	p.collect, err = collect.New(cc, keys, p.producer, countries, p.metrics, a.log)
	if err != nil {
		return err
	}
	p.collect.Register(p.echo)
	p.loops = append(p.loops, loop{name: "collect", run: p.collect.Run})
	return nil
}

// countries opens the table of countries. One that is only looked for may be
// missing: views then have no country.
func (a *App) countries() (collect.Countries, error) {
	path, err := country.Find(a.cfg.CountryTable)
	if err != nil {
		a.log.Warn("viewers' countries are not told", "err", err)
		return nil, nil
	}
	return country.Open(path)
}

// addSink builds what moves beacons into ClickHouse.
func (a *App) addSink(p *process, c *clients) error {
	if !a.cfg.Has(RoleSink) {
		return nil
	}
	sc := sink.DefaultConfig()
	sc.FlushGrace = a.cfg.ShutdownGrace
	var leases sink.Leases
	if c.catalog.Postgres() != nil {
		leases = c.catalog // several processes may share the partitions
	}
	s, err := sink.New(sc, c.events, p.producer, sink.NewWarehouse(c.warehouse), leases, p.metrics, a.log)
	if err != nil {
		return err
	}
	p.loops = append(p.loops, loop{name: "sink", run: s.Run})
	return nil
}

func (a *App) engineCheck() check {
	return check{"embedded engines", func(context.Context) error {
		for _, err := range a.engines.Health() {
			if err != nil {
				return err
			}
		}
		return nil
	}}
}
