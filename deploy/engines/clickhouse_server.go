package engines

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/vitascope/vitascope/internal/landlock"
)

// ClickHouseConfig describes one ClickHouse server of its own, for
// RunClickHouseServer.
type ClickHouseConfig struct {
	// Addr is where to listen, host:port; port 0 chooses a free one.
	Addr string
	// DataDir holds the engine's data and configuration. It is created.
	DataDir string
	// User and Password open the server; Database exists once it answers.
	User, Password, Database string
	// LibraryPath, MemoryBytes, Concurrency, AllowUnsandboxed and StopGrace
	// are as in Config.
	LibraryPath      string
	MemoryBytes      int64
	Concurrency      int
	AllowUnsandboxed bool
	StopGrace        time.Duration
	// ConnectPorts are the TCP ports that SQL may connect to, such as that
	// of an object store for backups. Default none.
	ConnectPorts []uint16
}

// DefaultClickHouseConfig is a server on a free loopback port with its data in
// dataDir, the user and database vitascope, and no password yet.
func DefaultClickHouseConfig(dataDir string) ClickHouseConfig {
	common := DefaultConfig(dataDir)
	return ClickHouseConfig{
		Addr: "127.0.0.1:0", DataDir: dataDir, User: clickHouseUser, Database: clickHouseDatabase,
		MemoryBytes: common.ClickHouseMemoryBytes, Concurrency: common.ClickHouseConcurrency,
		StopGrace: common.StopGrace,
	}
}

// Validate returns all problems of c at once.
func (c ClickHouseConfig) Validate() error {
	var errs []error
	for name, value := range map[string]string{
		"addr": c.Addr, "data dir": c.DataDir, "user": c.User, "password": c.Password, "database": c.Database,
	} {
		if value == "" {
			errs = append(errs, fmt.Errorf("clickhouse %s is empty", name))
		}
	}
	if c.MemoryBytes < minClickHouseMemoryBytes {
		errs = append(errs, fmt.Errorf("clickhouse memory of %d bytes is less than 256 MiB", c.MemoryBytes))
	}
	if c.Concurrency < 1 || c.Concurrency > maxClickHouseConcurrency {
		errs = append(errs, fmt.Errorf("clickhouse concurrency %d is not between 1 and 256", c.Concurrency))
	}
	if c.StopGrace <= 0 {
		errs = append(errs, fmt.Errorf("clickhouse stop grace %s is not positive", c.StopGrace))
	}
	return errors.Join(errs...)
}

// RunClickHouseServer runs a ClickHouse server on its own, without the other
// engines, restarting it when it dies, until ctx is cancelled. It calls ready
// with the address once the server answers for the first time. The errors are
// those of New and Start.
func RunClickHouseServer(ctx context.Context, cfg ClickHouseConfig, log *slog.Logger, ready func(addr string)) error {
	err := cfg.Validate()
	if err != nil {
		return fmt.Errorf("clickhouse server: %w", err)
	}
	if cfg.LibraryPath, err = FindLibrary(cfg.LibraryPath); err != nil {
		return fmt.Errorf("clickhouse server: %w", err)
	}
	if landlock.ABI() == 0 && !cfg.AllowUnsandboxed {
		return fmt.Errorf("clickhouse server: %w", ErrNoSandbox)
	}
	if cfg.DataDir, err = filepath.Abs(cfg.DataDir); err != nil {
		return fmt.Errorf("clickhouse server: %w", err)
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("clickhouse server: make data folder: %w", err)
	}
	lock, err := lockDataDir(cfg.DataDir)
	if err != nil {
		return fmt.Errorf("clickhouse server: %w", err)
	}
	defer lock.Close()
	ch, err := newClickHouse(cfg, log)
	if err != nil {
		return fmt.Errorf("clickhouse server: %w", err)
	}
	s := supervise(ch, log)
	select {
	case err = <-s.first:
		if err == nil {
			ready(ch.listener.Addr().String())
			<-ctx.Done()
		}
	case <-ctx.Done():
	}
	s.cancel()
	<-s.done
	if err != nil {
		return fmt.Errorf("clickhouse server: %w", err)
	}
	return nil
}
