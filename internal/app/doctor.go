package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/vitascope/vitascope/deploy/engines"
	"github.com/vitascope/vitascope/transcode"
)

// Finding is one thing that doctor looked at.
type Finding struct {
	What string
	Err  error  // nil: well
	Mend string // what to do otherwise
}

// Examine looks at everything this process would need, without changing more than
// a trial file in the data folder.
func Examine(ctx context.Context, cfg Config) []Finding {
	var out []Finding
	add := func(what, mend string, err error) { out = append(out, Finding{what, err, mend}) }

	add("data folder "+cfg.Data+" can be written", "Choose another with --data, or mend its owner and rights.", tryWrite(cfg.Data))
	need := cfg.needs()
	if cfg.Has(RoleTranscode) {
		out = append(out, examineSandbox(ctx, cfg)...)
	}
	if need.clickhouse && cfg.ClickHouseURL == "" {
		_, err := engines.FindLibrary(cfg.ClickHouseLibrary)
		add("the ClickHouse engine library is there", "Run “npm ci” in the checkout, or name it with --clickhouse-library.", err)
		add("the kernel can confine the ClickHouse engine (Landlock)", "Use a Linux 5.13 or newer with Landlock, a ClickHouse server (--clickhouse-url), or accept the risk with --insecure-engines.", canConfine())
	}
	return append(out, examineStores(ctx, cfg)...)
}

// examineSandbox lets a media child try to break out: a line per layer and attempt.
func examineSandbox(ctx context.Context, cfg Config) []Finding {
	test, err := transcode.TrySandbox(ctx, transcode.Config{MediaBinary: cfg.MediaBinary}, slog.New(slog.DiscardHandler))
	out := []Finding{{"vitascope-media is there and starts", err, "Build it with “make build”, or name it with --media-binary."}}
	if err != nil {
		return out
	}
	for _, f := range test.Findings {
		out = append(out, Finding(f))
	}
	return out
}

// examineStores asks every store that is given by address.
func examineStores(ctx context.Context, cfg Config) []Finding {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	a := &App{cfg: cfg, log: slog.New(slog.DiscardHandler)}
	embedded := map[string]bool{
		"catalog": cfg.Catalog == "", "object store": cfg.S3Endpoint == "",
		"event log": len(cfg.KafkaBrokers) == 0, "analytics store": cfg.ClickHouseURL == "",
	}
	c := &clients{}
	var out []Finding
	for _, s := range a.stores() {
		if embedded[s.name] {
			continue
		}
		err := s.open(ctx, c)
		if err == nil {
			err = s.ping(ctx, c)
		}
		if s.absent != nil && errors.Is(err, s.absent) {
			err = nil // it answers; the first start makes what is missing
		}
		out = append(out, Finding{"the " + s.name + " answers", err, s.mend})
	}
	if err := c.close(); err != nil {
		out = append(out, Finding{"connections close", err, "This is a defect: please report it."})
	}
	return out
}

func canConfine() error {
	if engines.SandboxLevel() == 0 {
		return engines.ErrNoSandbox
	}
	return nil
}

func tryWrite(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString("trial")
	err = errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(f.Name()), err)
	}
	return nil
}
