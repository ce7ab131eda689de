package transcode

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/vitascope/vitascope/transcode/child"
)

// CheckSandbox lets a media child try to break out, and logs what came of it.
// The error, which wraps child.ErrNoSandbox and names what is missing, says
// that media must not be decoded here; with Config.InsecureMedia that is logged
// as a warning instead. Call it before the jobs run.
func (s *Service) CheckSandbox(ctx context.Context) error {
	started := time.Now()
	test, err := s.runner.SelfTest(ctx)
	if err != nil {
		return fmt.Errorf("transcode: %w", err)
	}
	if err := test.Err(); err != nil && !s.insecure {
		return fmt.Errorf("transcode: %w; run “vitascope doctor” to see how to mend it, or accept the risk with --insecure-media", err)
	} else if err != nil {
		s.log.WarnContext(ctx, "media is decoded without the whole of its sandbox", "err", err)
		return nil
	}
	s.log.InfoContext(ctx, "media sandbox is whole", "denied", test.Denied, "attempts", test.Attempts, "took_ms", time.Since(started).Milliseconds())
	return nil
}

// TrySandbox is the self-test alone, for who asks what this machine lacks. Its
// Config needs no more than what concerns the media program.
func TrySandbox(ctx context.Context, cfg Config, log *slog.Logger) (*child.SelfTest, error) {
	binary, err := FindMediaBinary(cfg.MediaBinary)
	if err != nil {
		return nil, err
	}
	runner, err := child.NewRunner(child.Config{Binary: binary, Temp: cfg.TempDir}, log)
	if err != nil {
		return nil, fmt.Errorf("transcode: %w", err)
	}
	return runner.SelfTest(ctx)
}
