package engines

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/vitascope/vitascope/internal/landlock"
)

// s3Region is what clients sign for; versitygw accepts any one name.
const s3Region = "us-east-1"

// clickHouseUser and clickHouseDatabase are fixed names of the embedded
// engine; the database exists once it answers.
const (
	clickHouseUser     = "vitascope"
	clickHouseDatabase = "vitascope"
)

// ErrNoSandbox is returned by New when ClickHouse is asked for on a system
// without Landlock and Config.AllowUnsandboxed is not set.
var ErrNoSandbox = errors.New("ClickHouse cannot be confined: " + landlock.ErrUnavailable.Error())

// SandboxLevel returns the kernel's Landlock ABI, by which ClickHouse is
// confined: 0 means not at all, below 4 (Linux 6.7) files but not the network.
func SandboxLevel() int { return landlock.ABI() }

// Engines are the embedded engines of one data folder.
type Engines struct {
	cfg   Config
	creds credentials
	log   *slog.Logger

	life sync.Mutex // held by Start and Stop
	lock *os.File

	mu      sync.Mutex
	running []*supervised // in start order
}

// New checks cfg, finds the ClickHouse library and derives the engines'
// passwords from secret, of at least 32 bytes. It starts nothing. The error
// may wrap ErrNoLibrary or ErrNoSandbox.
func New(cfg Config, secret []byte, log *slog.Logger) (*Engines, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("engines: %w", err)
	}
	creds, err := deriveCredentials(secret)
	if err != nil {
		return nil, fmt.Errorf("engines: %w", err)
	}
	if cfg.DataDir, err = filepath.Abs(cfg.DataDir); err != nil {
		return nil, fmt.Errorf("engines: %w", err)
	}
	if cfg.ClickHouse {
		if cfg.LibraryPath, err = FindLibrary(cfg.LibraryPath); err != nil {
			return nil, fmt.Errorf("engines: %w", err)
		}
		if landlock.ABI() == 0 && !cfg.AllowUnsandboxed {
			return nil, fmt.Errorf("engines: %w; allow it to run unconfined, or give the address of a ClickHouse server", ErrNoSandbox)
		}
	}
	return &Engines{cfg: cfg, creds: creds, log: log}, nil
}

// Start locks the data folder, starts the engines together and returns once
// all of them answer. ctx bounds the start only; the engines run until Stop.
// After an error nothing runs. The error may wrap ErrDataDirInUse.
func (e *Engines) Start(ctx context.Context) (Endpoints, error) {
	e.life.Lock()
	defer e.life.Unlock()
	if e.lock != nil {
		return Endpoints{}, errors.New("engines: started already")
	}
	if err := os.MkdirAll(e.cfg.DataDir, 0o700); err != nil {
		return Endpoints{}, fmt.Errorf("engines: make data folder: %w", err)
	}
	lock, err := lockDataDir(e.cfg.DataDir)
	if err != nil {
		return Endpoints{}, fmt.Errorf("engines: %w", err)
	}
	e.lock = lock
	endpoints, err := e.startAll(ctx)
	if err != nil {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*e.cfg.StopGrace)
		defer cancel()
		return Endpoints{}, errors.Join(fmt.Errorf("engines: %w", err), e.stop(stopping))
	}
	return endpoints, nil
}

func (e *Engines) startAll(ctx context.Context) (Endpoints, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, e.cfg.StartTimeout,
		fmt.Errorf("no answer within %s", e.cfg.StartTimeout))
	defer cancel()
	var out Endpoints
	if e.cfg.S3 {
		s3, err := newS3Gateway(e.cfg, e.creds)
		if err != nil {
			return out, err
		}
		e.add(supervise(s3, e.log))
		out.S3Addr, out.S3AccessKey, out.S3SecretKey, out.S3Region = s3.addr, e.creds.s3Access, e.creds.s3Secret, s3Region
	}
	var kafka *kafkaBroker
	if e.cfg.Kafka {
		kafka = newKafkaBroker(e.cfg, e.log)
		e.add(supervise(kafka, e.log))
	}
	if e.cfg.ClickHouse {
		ch, err := newClickHouse(e.clickHouseConfig(), e.log)
		if err != nil {
			return out, err
		}
		e.add(supervise(ch, e.log))
		out.ClickHouseAddr, out.ClickHouseUser = ch.listener.Addr().String(), clickHouseUser
		out.ClickHousePassword, out.ClickHouseDatabase = e.creds.clickHousePassword, clickHouseDatabase
	}
	for _, s := range e.all() {
		select {
		case err := <-s.first:
			if err != nil {
				return out, fmt.Errorf("start %s: %w", s.name(), err)
			}
		case <-ctx.Done():
			return out, fmt.Errorf("start %s: %w (%w)", s.name(), context.Cause(ctx), s.health())
		}
	}
	if kafka != nil {
		out.KafkaBrokers = []string{kafka.addr()}
	}
	return out, nil
}

// Health tells of each running engine, by its name, nil while it answers and
// else why it does not.
func (e *Engines) Health() map[string]error {
	running := e.all()
	out := make(map[string]error, len(running))
	for _, s := range running {
		out[s.name()] = s.health()
	}
	return out
}

// Stop ends the engines in reverse order of their start and frees the data
// folder. Whatever has not ended when ctx does is left to die with the
// process. Stop after Stop does nothing.
func (e *Engines) Stop(ctx context.Context) error {
	e.life.Lock()
	defer e.life.Unlock()
	return e.stop(ctx)
}

func (e *Engines) stop(ctx context.Context) error {
	var errs []error
	for _, s := range slices.Backward(e.all()) {
		errs = append(errs, s.stop(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("engines: %w", err) // the folder stays locked: something still uses it
	}
	e.mu.Lock()
	e.running = nil
	e.mu.Unlock()
	if e.lock == nil {
		return nil
	}
	err := e.lock.Close()
	e.lock = nil
	return err
}

func (e *Engines) add(s *supervised) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running = append(e.running, s)
}

func (e *Engines) all() []*supervised {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.running)
}
