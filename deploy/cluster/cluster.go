package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vitascope/vitascope/deploy/internal/process"
)

const startTimeout = 2 * time.Minute

// config says what to run and where.
type config struct {
	dir       string   // of all data and logs
	cache     string   // where install.sh put the programs
	vitascope string   // the vitascope program, which serves ClickHouse
	only      []string // names of the servers to run
}

// server is one of the programs a cluster consists of.
type server interface {
	name() string
	// prepare makes the data folder and configuration when they are missing.
	prepare(ctx context.Context) error
	command() *exec.Cmd
	stopSignal() syscall.Signal
	// ready is nil once the server answers and holds what clients expect.
	ready(ctx context.Context) error
	// environment tells clients how to reach it.
	environment() map[string]string
}

// serverNames lists all servers.
func serverNames() []string { return []string{"kafka", "minio", "postgres", "clickhouse"} }

// cluster is a set of running servers.
type cluster struct {
	processes []*process.Process
	env       map[string]string
}

// startCluster starts the servers of cfg.only together and returns once all of
// them answer. The caller stops it, also when there is an error.
func startCluster(ctx context.Context, cfg config, log *slog.Logger) (*cluster, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not up within %s", startTimeout))
	defer cancel()
	c := &cluster{env: map[string]string{"VITASCOPE_SECRET": rand.Text() + rand.Text()}}
	servers, err := newServers(cfg)
	if err != nil {
		return c, err
	}
	var (
		mu    sync.Mutex
		first error // the others' follow from it: they are stopped
		wg    sync.WaitGroup
	)
	for _, s := range servers {
		wg.Go(func() {
			begin := time.Now()
			p, err := launch(ctx, s, logPath(cfg.dir, s.name()))
			mu.Lock()
			defer mu.Unlock()
			if p != nil {
				c.processes = append(c.processes, p)
			}
			if err != nil {
				if first == nil {
					first = err
				}
				cancel()
				return
			}
			maps.Copy(c.env, s.environment())
			log.Info("server answers", "server", s.name(), "pid", p.PID, "took_ms", time.Since(begin).Milliseconds())
		})
	}
	wg.Wait()
	return c, first
}

// newServers makes the chosen servers, each with ports of its own.
func newServers(cfg config) ([]server, error) {
	ports, err := freePorts(5)
	if err != nil {
		return nil, err
	}
	all := []server{
		&kafka{dir: filepath.Join(cfg.dir, "kafka"), jars: filepath.Join(cfg.cache, "kafka"), port: ports[0], controllerPort: ports[1]},
		&minio{dir: filepath.Join(cfg.dir, "minio"), program: filepath.Join(cfg.cache, "minio", "minio"), port: ports[2], accessKey: "vitascope", secretKey: rand.Text()},
		&postgres{dir: filepath.Join(cfg.dir, "postgres"), port: ports[3]},
		&clickHouse{dir: filepath.Join(cfg.dir, "clickhouse"), program: cfg.vitascope, port: ports[4], user: "vitascope", password: rand.Text()},
	}
	return slices.DeleteFunc(all, func(s server) bool { return !slices.Contains(cfg.only, s.name()) }), nil
}

// launch starts s and waits until it answers. The process is not nil when it
// runs, whatever the error.
func launch(ctx context.Context, s server, logPath string) (*process.Process, error) {
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("prepare %s: %w", s.name(), err)
	}
	p, err := process.Start(s.name(), s.command(), logPath, s.stopSignal())
	if err != nil {
		return nil, err
	}
	return p, p.Await(ctx, s.ready)
}

// wait returns when ctx ends, or with an error when a server does.
func (c *cluster) wait(ctx context.Context) error {
	died := make(chan *process.Process, len(c.processes))
	for _, p := range c.processes {
		go func() {
			select {
			case <-p.Done:
				died <- p
			case <-ctx.Done():
			}
		}()
	}
	select {
	case p := <-died:
		return p.Died()
	case <-ctx.Done():
		return nil
	}
}

// stop ends every server and returns when all are gone.
func (c *cluster) stop() error {
	errs := make([]error, len(c.processes))
	var wg sync.WaitGroup
	for i, p := range c.processes {
		wg.Go(func() { errs[i] = p.End() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// environ lists the variables that clients need, as NAME=value.
func (c *cluster) environ() []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(c.env)) {
		list = append(list, name+"="+c.env[name])
	}
	return list
}

// writeEnv writes the variables to path, whole or not at all: the file tells
// that the servers answer. No value needs quotes.
func (c *cluster) writeEnv(path string) error {
	text := strings.Join(c.environ(), "\n") + "\n"
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return fmt.Errorf("write env file: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write env file: %w", err)
	}
	return nil
}

// freePorts finds n different ports that nobody listens on.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // all stay taken until all are chosen
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		if _, err := fmt.Sscan(port, &ports[i]); err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
	}
	return ports, nil
}

// logPath is the file of a server's output.
func logPath(dir, server string) string { return filepath.Join(dir, server+".log") }

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// runOnce runs cmd to its end; its output becomes part of the error.
func runOnce(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd.Path, err, bytes.TrimSpace(out))
	}
	return nil
}
