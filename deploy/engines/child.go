package engines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/vitascope/vitascope/deploy/engines/internal/chdb"
	"github.com/vitascope/vitascope/deploy/engines/internal/chhttp"
	"github.com/vitascope/vitascope/internal/landlock"
)

// The child is started as `vitascope __clickhouse confine`, confines itself
// and becomes `vitascope __clickhouse serve`.
const (
	childArgument = "__clickhouse"
	childConfine  = "confine"
	childServe    = "serve"
)

// File descriptors that the parent leaves to the child.
const (
	childConfigFD = 3 + iota
	childSocketFD
)

const (
	childShutdownGrace = 5 * time.Second
	childStallTimeout  = 2 * time.Minute
)

// childConfig is what the parent tells the child.
type childConfig struct {
	ParentPID                        int
	LibraryPath, DataDir, ConfigFile string
	User, Password, Database         string
	Concurrency                      int
	ConnectPorts                     []uint16
	AllowUnsandboxed                 bool
}

// MaybeRunChild runs the ClickHouse child and does not return when this
// process was started to be one; otherwise it does nothing. A program that
// uses this package calls it first of all in main, a test in TestMain.
func MaybeRunChild() {
	if len(os.Args) != 3 || os.Args[1] != childArgument {
		return
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	switch os.Args[2] {
	case childConfine:
		err = confineChild(log)
	case childServe:
		err = serveChild(log)
	default:
		err = fmt.Errorf("unknown stage %q", os.Args[2])
	}
	if err != nil {
		log.Error("clickhouse child failed", "err", err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}

// readChildConfig reads the configuration, which both stages need, without
// moving the shared offset. It leaves the file open for the next stage.
func readChildConfig(f *os.File) (childConfig, error) {
	var cfg childConfig
	err := json.NewDecoder(io.NewSectionReader(f, 0, math.MaxInt32)).Decode(&cfg)
	if err != nil {
		return cfg, fmt.Errorf("read child configuration: %w", err)
	}
	return cfg, nil
}

// confineChild restricts this thread and executes the program again from it,
// so that the whole new process is confined.
func confineChild(log *slog.Logger) error {
	file := os.NewFile(childConfigFD, "config")
	cfg, err := readChildConfig(file)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	err = landlock.Restrict(landlock.Rules{
		// The program itself, its ELF interpreter and their libraries.
		Execute: []string{selfPath, "/lib", "/lib64", "/usr/lib", "/usr/lib64"},
		ReadOnly: []string{
			cfg.LibraryPath, cfg.ConfigFile, "/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo",
			"/dev/random", "/dev/urandom",
			// What the engine measures the machine and itself by.
			"/proc/self", "/proc/meminfo", "/proc/stat", "/proc/cpuinfo", "/proc/loadavg", "/proc/uptime",
			"/proc/sys/vm", "/sys/fs/cgroup", "/sys/devices/system/cpu", "/sys/kernel/mm/transparent_hugepage",
		},
		ReadWrite: []string{cfg.DataDir, "/dev/null"},
		Connect:   cfg.ConnectPorts,
		// The socket was bound by the parent: nothing needs to be.
	})
	switch {
	case err == nil:
	case errors.Is(err, landlock.ErrUnavailable) && cfg.AllowUnsandboxed:
		log.Warn("clickhouse runs unconfined", "err", err.Error())
	default:
		return fmt.Errorf("confine clickhouse: %w", err)
	}
	err = syscall.Exec(selfPath, []string{os.Args[0], childArgument, childServe}, os.Environ())
	runtime.KeepAlive(file) // its finalizer would close what the next stage reads
	return fmt.Errorf("execute %s again: %w", selfPath, err)
}

// serveChild runs the engine until the parent closes standard input, sends
// SIGTERM or dies.
func serveChild(log *slog.Logger) error {
	file := os.NewFile(childConfigFD, "config")
	cfg, err := readChildConfig(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := dieWithParent(cfg.ParentPID); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
	}()

	engine, err := chdb.Open(cfg.LibraryPath, cfg.DataDir, cfg.ConfigFile)
	if err != nil {
		return err
	}
	defer engine.Close()
	if err := createDatabase(engine, cfg.Database); err != nil {
		return err
	}
	front, err := chhttp.New(chhttp.Config{
		User: cfg.User, Password: cfg.Password, MaxConcurrent: cfg.Concurrency, StallTimeout: childStallTimeout,
	}, engine, log)
	if err != nil {
		return err
	}
	socket := os.NewFile(childSocketFD, "socket")
	listener, err := net.FileListener(socket)
	if err != nil {
		return fmt.Errorf("take over the listening socket: %w", err)
	}
	socket.Close()
	log.Info("clickhouse serves", "version", engine.Version(), "addr", listener.Addr().String(), "data", filepath.Base(cfg.DataDir))
	return serveHTTP(ctx, listener, front)
}

// createDatabase makes the product's database. The one called default will
// not do: the library makes it an overlay without stable table identities.
func createDatabase(engine *chdb.Engine, name string) error {
	conn, err := engine.Connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Exec("CREATE DATABASE IF NOT EXISTS {name:Identifier} ENGINE = Atomic", chdb.Param{Name: "name", Value: name}); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	return nil
}

// serveHTTP serves until ctx ends, then gives requests in hand a moment to
// finish before their connections, and with them their statements, are cut.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), childShutdownGrace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return errors.Join(fmt.Errorf("finish requests: %w", err), server.Close())
	}
	return nil
}
