package collect

import (
	"errors"
	"fmt"
	"time"
)

// Config of a Handler.
type Config struct {
	// AckTimeout is how long the event log may take to acknowledge a beacon
	// before it is answered 503. 100 ms to 1 min, default 5 s.
	AckTimeout time.Duration
	// RetryAfter is what a 503 asks players to wait. 1 s to 10 min, default 10 s.
	RetryAfter time.Duration
	// RejectsPerSecond bounds how many refused bodies are kept in the rejected
	// topic; the rest are counted only. 1 to 10,000, default 50.
	RejectsPerSecond int
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{AckTimeout: 5 * time.Second, RetryAfter: 10 * time.Second, RejectsPerSecond: 50}
}

// Validate reports every setting that is out of range.
func (c Config) Validate() error {
	var errs []error
	if c.AckTimeout < 100*time.Millisecond || c.AckTimeout > time.Minute {
		errs = append(errs, fmt.Errorf("collect_ack_timeout: %s is outside 100ms to 1m", c.AckTimeout))
	}
	if c.RetryAfter < time.Second || c.RetryAfter > 10*time.Minute {
		errs = append(errs, fmt.Errorf("collect_retry_after: %s is outside 1s to 10m", c.RetryAfter))
	}
	if c.RejectsPerSecond < 1 || c.RejectsPerSecond > 10_000 {
		errs = append(errs, fmt.Errorf("collect_rejects_per_second: %d is outside 1 to 10000", c.RejectsPerSecond))
	}
	return errors.Join(errs...)
}
