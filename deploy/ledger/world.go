package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/vitascope/vitascope/analytics/query"
	"github.com/vitascope/vitascope/analytics/sink"
	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/eventlog"
	"github.com/vitascope/vitascope/internal/warehouse"
)

const clickHouseUser = "vitascope"

// world is the analytics pipeline as processes of their own: a broker, a
// ClickHouse server behind a proxy, collectors and sinks.
type world struct {
	dir, program string
	secret       string
	password     string
	key          []byte // signs view tokens
	lease        time.Duration
	log          *slog.Logger

	broker, clickHouse *unit
	collectors, sinks  []*unit
	proxy              *proxy
	brokerAddr, chAddr string
	collectAddrs       []string

	films  []film
	events *eventlog.Log
	db     *warehouse.DB
	store  sink.Store
	poison [][]byte // records put into the log that are none

	busy      int    // media of which sums of days are kept
	strangers *tally // what came beside the journal; nil: nothing
}

func newWorld(dir, program string, lease time.Duration, films []film, log *slog.Logger) (*world, error) {
	w := &world{dir: dir, program: program, secret: rand.Text() + rand.Text(), password: rand.Text(), lease: lease, films: films, log: log}
	keys, err := auth.NewKeys([]byte(w.secret))
	if err != nil {
		return nil, err
	}
	w.key = keys.ViewToken
	addrs, err := freeAddrs(4)
	if err != nil {
		return nil, err
	}
	w.brokerAddr, w.chAddr, w.collectAddrs = addrs[0], addrs[1], addrs[2:]
	w.broker = newUnit("broker", dir, log, func() *exec.Cmd {
		_, port, _ := net.SplitHostPort(w.brokerAddr)
		return w.role(roleBroker, envData+"="+filepath.Join(dir, "broker"), envPort+"="+port)
	})
	w.clickHouse = newUnit("clickhouse", dir, log, func() *exec.Cmd {
		cmd := exec.Command(program, "engine", "clickhouse", "--data", filepath.Join(dir, "clickhouse"), "--listen", w.chAddr, "--database", "vitascope", "--insecure-engines")
		cmd.Env = append(os.Environ(), "CLICKHOUSE_USER="+clickHouseUser, "CLICKHOUSE_PASSWORD="+w.password)
		return cmd
	})
	for i, addr := range w.collectAddrs {
		w.collectors = append(w.collectors, newUnit(fmt.Sprintf("collect%d", i), dir, log, func() *exec.Cmd {
			cmd := exec.Command(program, "serve", "--roles", "collect", "--listen", addr, "--data", w.collectData(i),
				"--kafka-brokers", w.brokerAddr, "--trusted-proxies", "127.0.0.0/8", "--collect-address-rate", "100000", "--collect-media-rate", "1000000")
			cmd.Env = append(os.Environ(), envSecret+"="+w.secret)
			return cmd
		}))
	}
	for i := range 2 {
		w.sinks = append(w.sinks, newUnit(fmt.Sprintf("sink%d", i), dir, log, func() *exec.Cmd {
			return w.role(roleSink, envBroker+"="+w.brokerAddr, envClickHouse+"="+w.clickHouseURL(w.proxy.addr()), envCatalog+"="+w.catalogURL(), envLease+"="+w.lease.String())
		}))
	}
	return w, nil
}

// role is this program in another role.
func (w *world) role(name string, env ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", name)
	cmd.Env = append(append(os.Environ(), envSecret+"="+w.secret), env...)
	return cmd
}

func (w *world) collectData(i int) string { return filepath.Join(w.dir, fmt.Sprintf("collect%d", i)) }
func (w *world) catalogURL() string       { return "sqlite://" + filepath.Join(w.dir, "catalog.db") }
func (w *world) clickHouseURL(addr string) string {
	return (&url.URL{Scheme: "http", User: url.UserPassword(clickHouseUser, w.password), Host: addr, Path: "/vitascope"}).String()
}

// units lists every process in the order they start.
func (w *world) units() []*unit {
	return slices.Concat([]*unit{w.broker, w.clickHouse}, w.collectors, w.sinks)
}

// start brings everything up.
func (w *world) start(ctx context.Context) (err error) {
	if w.proxy, err = newProxy(w.chAddr); err != nil {
		return err
	}
	for _, u := range []*unit{w.broker, w.clickHouse} {
		if err := u.up(); err != nil {
			return err
		}
	}
	if err := w.broker.await(ctx, func(ctx context.Context) error { return dial(ctx, w.brokerAddr) }); err != nil {
		return err
	}
	if err := w.clickHouse.await(ctx, func(ctx context.Context) error { return answers(ctx, "http://"+w.chAddr+"/ping") }); err != nil {
		return err
	}
	if err := w.openClients(ctx); err != nil {
		return err
	}
	for _, u := range slices.Concat(w.collectors, w.sinks) {
		if err := u.up(); err != nil {
			return err
		}
	}
	for i, u := range w.collectors {
		if err := u.await(ctx, w.ready(i)); err != nil {
			return err
		}
	}
	return nil
}

// ready tells whether a collector is.
func (w *world) ready(i int) func(context.Context) error {
	return func(ctx context.Context) error { return answers(ctx, "http://"+w.collectAddrs[i]+"/readyz") }
}

// openClients makes topics, tables and leases, and the connections by which they
// are looked at.
func (w *world) openClients(ctx context.Context) (err error) {
	if w.events, err = openLog(w.brokerAddr, w.log); err != nil {
		return err
	}
	if err := w.events.EnsureTopics(ctx); err != nil {
		return err
	}
	if w.db, err = openWarehouse(w.clickHouseURL(w.chAddr), w.log); err != nil {
		return err
	}
	w.store = sink.NewWarehouse(w.db)
	if err := w.db.Migrate(ctx); err != nil {
		return err
	}
	c, err := catalog.Open(ctx, w.catalogURL(), w.log)
	if err != nil {
		return err
	}
	return errors.Join(c.Migrate(ctx), c.Close())
}

// Media makes the world the library of its films.
func (w *world) Media(_ context.Context, account, id string) (catalog.Media, error) {
	for _, f := range w.films {
		if f.account == account && f.id == id {
			return catalog.Media{ID: id, AccountID: account, DurationMS: f.durationMS}, nil
		}
	}
	return catalog.Media{}, fmt.Errorf("media %q: %w", id, catalog.ErrNotFound)
}

func (w *world) stats() *query.Service { return query.New(w.db, w) }

// drained waits until nothing waits on disk and all of the log is in the warehouse.
func (w *world) drained(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		left, err := w.left(ctx)
		if err == nil && left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not drained within %s, %d left: %w", within, left, errors.Join(err, context.Cause(ctx)))
		case <-tick.C:
		}
	}
}

// left tells how much is under way: records, or files of records.
func (w *world) left(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var left int64
	for i := range w.collectors {
		files, err := filepath.Glob(filepath.Join(w.collectData(i), "spool", "*"))
		if err != nil {
			return 0, err
		}
		left += int64(len(files))
	}
	behind, err := w.behind(ctx)
	return left + behind, err
}

// behind tells how many records of the log are not in the warehouse.
func (w *world) behind(ctx context.Context) (int64, error) {
	ranges, err := w.events.Offsets(ctx, eventlog.TopicBeacons)
	if err != nil {
		return 0, err
	}
	var behind int64
	for p, held := range ranges {
		pos, err := w.store.Position(ctx, eventlog.TopicBeacons, p)
		if err != nil {
			return 0, err
		}
		if behind += held.End - pos.Next; pos.Open != nil {
			behind++
		}
	}
	return behind, nil
}

func (w *world) close() error {
	var errs []error
	for _, u := range slices.Backward(w.units()) {
		errs = append(errs, u.close())
	}
	if w.db != nil {
		errs = append(errs, w.db.Close())
	}
	if w.events != nil {
		w.events.Close()
	}
	if w.proxy != nil {
		errs = append(errs, w.proxy.close())
	}
	return errors.Join(errs...)
}

func dial(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

func answers(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, res.Status)
	}
	return nil
}

// freeAddrs finds n loopback addresses that nobody listens on.
func freeAddrs(n int) ([]string, error) {
	addrs := make([]string, n)
	for i := range addrs {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all stay taken until all are chosen
		addrs[i] = l.Addr().String()
	}
	return addrs, nil
}

// past waits until every partition is stored up to where the log ends 2 s from now,
// when what the load sends has reached each of them.
func (w *world) past(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	ends, err := w.events.Offsets(ctx, eventlog.TopicBeacons)
	if err != nil {
		return err
	}
	for {
		behind := 0
		for p, held := range ends {
			pos, err := w.store.Position(ctx, eventlog.TopicBeacons, p)
			if err != nil {
				return err
			}
			if pos.Next < held.End {
				behind++
			}
		}
		if behind == 0 {
			return nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("%d partitions rest: %w", behind, err)
		}
	}
}
