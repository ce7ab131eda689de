package collect

import (
	"errors"
	"fmt"
	"time"
)

// Config of a Handler.
type Config struct {
	// AckTimeout is how long the event log may take to acknowledge a beacon
	// before it is put on the spool, or answered 503. 100 ms to 1 min, default 5 s.
	AckTimeout time.Duration
	// RetryAfter is what a 503 or 429 asks players to wait. 1 s to 10 min, default 10 s.
	RetryAfter time.Duration
	// RejectsPerSecond bounds how many refused bodies are kept in the rejected
	// topic; the rest are counted only. 1 to 100,000, default 500.
	RejectsPerSecond int
	// AddressPerSecond is how many beacons one address may send; ten seconds'
	// worth may come at once. 1 to 1,000,000, default 100.
	AddressPerSecond int
	// MediaPerSecond is the same for one media. 1 to 1,000,000, default 5,000.
	MediaPerSecond int
	// SpoolDir is the folder beacons wait in while the event log is away. Empty:
	// there is none, and they are answered 503.
	SpoolDir string
	// SpoolBytes bounds it. At least 1 MiB, default 2 GiB.
	SpoolBytes int64
}

// DefaultConfig returns the defaults; SpoolDir is empty.
func DefaultConfig() Config {
	return Config{
		AckTimeout: 5 * time.Second, RetryAfter: 10 * time.Second, RejectsPerSecond: 500,
		AddressPerSecond: 100, MediaPerSecond: 5000, SpoolBytes: 2 << 30,
	}
}

// Validate reports every setting that is out of range.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.AckTimeout >= 100*time.Millisecond && c.AckTimeout <= time.Minute, "collect_ack_timeout: %s is outside 100ms to 1m", c.AckTimeout)
	check(c.RetryAfter >= time.Second && c.RetryAfter <= 10*time.Minute, "collect_retry_after: %s is outside 1s to 10m", c.RetryAfter)
	check(c.RejectsPerSecond >= 1 && c.RejectsPerSecond <= 100_000, "collect_rejects_per_second: %d is outside 1 to 100000", c.RejectsPerSecond)
	check(c.AddressPerSecond >= 1 && c.AddressPerSecond <= 1_000_000, "collect_address_per_second: %d is outside 1 to 1000000", c.AddressPerSecond)
	check(c.MediaPerSecond >= 1 && c.MediaPerSecond <= 1_000_000, "collect_media_per_second: %d is outside 1 to 1000000", c.MediaPerSecond)
	check(c.SpoolBytes >= 1<<20, "collect_spool_bytes: %d is less than 1 MiB", c.SpoolBytes)
	return errors.Join(errs...)
}
