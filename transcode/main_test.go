package transcode_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/vitascope/vitascope/deploy/engines"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

// endpoints is the object store of all tests; TestMain sets it once.
var endpoints engines.Endpoints

func TestMain(m *testing.M) {
	if raw := os.Getenv(workerVariable); raw != "" {
		if err := beWorker(raw); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code, err := withStore(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	mediatest.Remove()
	os.Exit(code)
}

func withStore(run func() int) (int, error) {
	if err := mediatest.Build(); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "vitascope-transcode-*")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	cfg := engines.DefaultConfig(dir)
	cfg.Kafka, cfg.ClickHouse = false, false
	e, err := engines.New(cfg, bytes.Repeat([]byte("s"), 32), slog.New(slog.DiscardHandler))
	if err != nil {
		return 1, err
	}
	if endpoints, err = e.Start(context.Background()); err != nil {
		return 1, err
	}
	code := run()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return code, e.Stop(ctx)
}
