package engines

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrDataDirInUse is returned by Start when another process runs engines on
// the same data folder.
var ErrDataDirInUse = errors.New("data folder is in use by another process")

// lockDataDir takes the folder for this process until the returned file is
// closed, by the process's end at the latest.
func lockDataDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, "engines.lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			holder, _ := io.ReadAll(io.LimitReader(f, 32)) // only to help the reader
			return nil, fmt.Errorf("%w: %s (process %s)", ErrDataDirInUse, dir, strings.TrimSpace(string(holder)))
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := f.Truncate(0); err == nil {
		_, _ = fmt.Fprintf(f, "%d\n", os.Getpid()) // only to help the reader
	}
	return f, nil
}
