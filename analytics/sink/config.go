package sink

import (
	"errors"
	"fmt"
	"time"
)

// Config of a Sink.
type Config struct {
	// Partitions this process owns when there are no leases. Empty: all.
	Partitions []int
	// FlushInterval is how long a batch may wait for more records; it bounds
	// how late figures are. 10 ms to 1 min, default 1 s.
	FlushInterval time.Duration
	// BatchRecords is how many records fill a batch. 1 to 100,000, default 5,000.
	BatchRecords int
	// BatchBytes is how many bytes of records fill a batch. At least 1 MiB,
	// default 8 MiB.
	BatchBytes int
	// BatchRowBytes is how many bytes of rows fill a batch, about: a record may come to
	// many times its size. At least 1 MiB, default 4 MiB.
	BatchRowBytes int
	// WriteBytes is how many bytes of rows all partitions of the process write at once;
	// with BatchRowBytes it bounds the memory that catching up takes. At least 1 MiB,
	// default 16 MiB.
	WriteBytes int
	// KnownViews is how many views of the usual size (1 KiB) each partition
	// remembers; others are looked up in the warehouse. At least 100, default 10,000.
	KnownViews int
	// FlushGrace is how long a batch under way may take to finish when the sink
	// stops. Default 5 s.
	FlushGrace time.Duration
	// StatementTimeout bounds one statement. Default 1 min.
	StatementTimeout time.Duration
	// Holder names this process in leases; it must be unique. Default: random.
	Holder string
	// LeaseTTL is how long a lease outlives its holder. 1 s to 30 s, default 20 s.
	LeaseTTL time.Duration
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		FlushInterval: time.Second, BatchRecords: 5000, BatchBytes: 8 << 20, BatchRowBytes: 4 << 20, WriteBytes: 16 << 20, KnownViews: 10_000,
		FlushGrace: 5 * time.Second, StatementTimeout: time.Minute, LeaseTTL: 20 * time.Second,
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
	for _, p := range c.Partitions {
		check(p >= 0, "sink_partitions: %d is negative", p)
	}
	check(c.FlushInterval >= 10*time.Millisecond && c.FlushInterval <= time.Minute, "sink_flush_interval: %s is outside 10ms to 1m", c.FlushInterval)
	check(c.BatchRecords >= 1 && c.BatchRecords <= 100_000, "sink_batch_records: %d is outside 1 to 100000", c.BatchRecords)
	check(c.BatchBytes >= 1<<20, "sink_batch_bytes: %d is less than 1 MiB", c.BatchBytes)
	check(c.BatchRowBytes >= 1<<20, "sink_batch_row_bytes: %d is less than 1 MiB", c.BatchRowBytes)
	check(c.WriteBytes >= 1<<20, "sink_write_bytes: %d is less than 1 MiB", c.WriteBytes)
	check(c.KnownViews >= 100, "sink_known_views: %d is less than 100", c.KnownViews)
	check(c.FlushGrace > 0, "sink_flush_grace: %s is not above 0", c.FlushGrace)
	check(c.StatementTimeout > 0, "sink_statement_timeout: %s is not above 0", c.StatementTimeout)
	check(c.LeaseTTL >= time.Second && c.LeaseTTL <= 30*time.Second, "sink_lease_ttl: %s is outside 1s to 30s", c.LeaseTTL)
	return errors.Join(errs...)
}
