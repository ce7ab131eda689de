package ingest

import (
	"errors"
	"fmt"
	"time"
)

// minPartBytes is what S3 asks of every part of a multipart upload but the last;
// maxParts is how many parts one may have.
const (
	minPartBytes = 5 << 20
	maxParts     = 10000
)

// Config sets the limits of receiving.
type Config struct {
	// TempDir holds the part that a request is filling, at most three parts per
	// running request. Its files are unlinked while in use: a kill leaves none.
	TempDir string
	// MaxBytes is the largest file accepted. Default 100 GiB.
	MaxBytes int64
	// PartBytes is the size of the parts stored in S3, at least 5 MiB; files of more
	// than 10,000 parts get larger ones. Default 16 MiB.
	PartBytes int64
	// AbandonAfter is how long an unfinished upload may rest before its bytes are
	// removed and its media fails. Default 7 days.
	AbandonAfter time.Duration
	// ReadTimeout ends a request that sends nothing for so long. Default 60 s.
	ReadTimeout time.Duration
	// SharedLocks makes requests for one upload take turns across processes, by
	// leases in the catalog, instead of within this process. Default false.
	SharedLocks bool
}

// DefaultConfig returns the defaults; TempDir is left to the caller.
func DefaultConfig() Config {
	return Config{
		MaxBytes:     100 << 30,
		PartBytes:    16 << 20,
		AbandonAfter: 7 * 24 * time.Hour,
		ReadTimeout:  time.Minute,
	}
}

// Validate reports every problem at once, by key.
func (c Config) Validate() error {
	var errs []error
	if c.TempDir == "" {
		errs = append(errs, errors.New("upload-temp-dir: must name a folder"))
	}
	if c.MaxBytes < 1 {
		errs = append(errs, errors.New("upload-max-bytes: must be at least 1"))
	}
	if c.PartBytes < minPartBytes {
		errs = append(errs, fmt.Errorf("upload-part-bytes: must be at least %d", minPartBytes))
	}
	if c.AbandonAfter <= 0 {
		errs = append(errs, errors.New("upload-abandon-after: must be positive"))
	}
	if c.ReadTimeout <= 0 {
		errs = append(errs, errors.New("upload-read-timeout: must be positive"))
	}
	return errors.Join(errs...)
}
