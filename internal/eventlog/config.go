package eventlog

import (
	"errors"
	"fmt"
	"time"
)

// Config says where the event log is and how its topics are made.
type Config struct {
	// Brokers are host:port addresses to start from; the rest is learned.
	// Standalone mode fills in its own broker.
	Brokers []string
	// Partitions each topic gets when it is created. An existing topic keeps
	// its number. 1 to 1000, default 8.
	Partitions int
	// ReplicationFactor of topics when they are created. 1 to 10, default 1;
	// three brokers or more should use 3.
	ReplicationFactor int
	// Retention is how long the log keeps a record. At least 1 h, default 7 days.
	Retention time.Duration
	// RetentionBytes bounds each partition. At least 1 MiB, default 4 GiB.
	RetentionBytes int64
	// Linger is how long a write waits for others to share its request.
	// 0 to 1 s, default 3 ms.
	Linger time.Duration
	// WriteTimeout bounds one attempt to write. 100 ms to 1 min, default 5 s.
	WriteTimeout time.Duration
	// TLS encrypts connections to the brokers.
	TLS bool
	// User and Password log in by SASL/PLAIN. Empty: no login.
	User, Password string
}

// DefaultConfig returns the defaults; Brokers is empty.
func DefaultConfig() Config {
	return Config{
		Partitions: 8, ReplicationFactor: 1, Retention: 7 * 24 * time.Hour, RetentionBytes: 4 << 30,
		Linger: 3 * time.Millisecond, WriteTimeout: 5 * time.Second,
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
	check(len(c.Brokers) > 0, "brokers: at least one is needed")
	check(c.Partitions >= 1 && c.Partitions <= 1000, "partitions: %d is outside 1 to 1000", c.Partitions)
	check(c.ReplicationFactor >= 1 && c.ReplicationFactor <= 10, "replication_factor: %d is outside 1 to 10", c.ReplicationFactor)
	check(c.Retention >= time.Hour, "retention: %s is less than 1h", c.Retention)
	check(c.RetentionBytes >= 1<<20, "retention_bytes: %d is less than 1 MiB", c.RetentionBytes)
	check(c.Linger >= 0 && c.Linger <= time.Second, "linger: %s is outside 0 to 1s", c.Linger)
	check(c.WriteTimeout >= 100*time.Millisecond && c.WriteTimeout <= time.Minute, "write_timeout: %s is outside 100ms to 1m", c.WriteTimeout)
	check(c.Password == "" || c.User != "", "password: is set without user")
	return errors.Join(errs...)
}
