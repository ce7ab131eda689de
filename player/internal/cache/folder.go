package cache

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/maypok86/otter/v2"
)

// folder is the part of a cache that lies on disk: one file an object, numbered.
type folder struct {
	dir   string
	limit int64
	lock  *os.File
	index *otter.Cache[string, *entry]
	// shared are files that stay open between requests, by path.
	shared *otter.Cache[string, *sharedFile]
	next   atomic.Int64
	log    *slog.Logger
}

// entry is a file of the folder.
type entry struct {
	info Info
	path string
	hits atomic.Int64
}

const (
	ownPrefix = "process-"
	lockName  = "lock"
)

// newFolder makes a folder of this process's own under base and removes those of
// processes that are gone.
func newFolder(base string, limit int64, log *slog.Logger) (*folder, error) {
	dir, held, err := ownFolder(base)
	if err != nil {
		return nil, fmt.Errorf("disk cache: %w", err)
	}
	f := &folder{dir: dir, limit: limit, lock: held, log: log}
	if f.shared, err = newShared(); err != nil {
		return nil, fmt.Errorf("disk cache: %w", err)
	}
	f.index, err = otter.New(&otter.Options[string, *entry]{
		MaximumWeight: uint64(limit >> weightShift),
		Weigher:       func(_ string, e *entry) uint32 { return weight(e.info.Size>>weightShift + 1) },
		OnDeletion: func(d otter.DeletionEvent[string, *entry]) {
			f.shared.Invalidate(d.Value.path)
			f.remove(d.Value.path)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("disk cache: %w", err)
	}
	return f, nil
}

// weightShift counts disk in blocks of 4 KiB, as file systems do.
const weightShift = 12

// ownFolder makes a locked folder under base. Processes that start together take
// turns, so that none removes what another has made and not locked yet.
func ownFolder(base string) (dir string, held *os.File, err error) {
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", nil, err
	}
	turn, err := lock(base, syscall.LOCK_EX)
	if err != nil {
		return "", nil, err
	}
	defer turn.Close()
	if err := removeAbandoned(base); err != nil {
		return "", nil, err
	}
	if dir, err = os.MkdirTemp(base, ownPrefix); err != nil {
		return "", nil, err
	}
	held, err = lock(dir, syscall.LOCK_EX|syscall.LOCK_NB)
	return dir, held, err
}

func lock(dir string, how int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// removeAbandoned removes the folders whose lock nobody holds.
func removeAbandoned(base string) error {
	entries, err := os.ReadDir(base)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ownPrefix) {
			continue
		}
		dir := filepath.Join(base, e.Name())
		held, err := lock(dir, syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = os.RemoveAll(dir)
		_ = held.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// fits tells whether an object of size may be kept: one must not empty the rest.
func (f *folder) fits(size int64) bool { return size <= f.limit/4 }

func (f *folder) create() (*os.File, error) {
	path := filepath.Join(f.dir, strconv.FormatInt(f.next.Add(1), 10))
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("disk cache: %w", err)
	}
	return file, nil
}

// keep takes a whole object in. A disk that is full or broken costs the copy alone.
func (f *folder) keep(key string, got *fill) {
	file := got.file
	if file == nil {
		if !f.fits(got.info.Size) {
			return
		}
		var err error
		if file, err = f.create(); err == nil {
			_, err = file.Write(got.body)
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			f.log.Warn("object not kept on disk", "err", err)
			if file != nil {
				f.remove(file.Name())
			}
			return
		}
	}
	f.index.Set(key, &entry{info: got.info, path: file.Name()})
}

// open returns the file of key, or nil. It may have been removed a moment ago.
func (f *folder) open(key string) (*entry, *os.File) {
	e, ok := f.index.GetIfPresent(key)
	if !ok {
		return nil, nil
	}
	file, err := os.Open(e.path)
	if err != nil {
		f.index.Invalidate(key)
		return nil, nil
	}
	return e, file
}

func (f *folder) remove(path string) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		f.log.Warn("file of the disk cache not removed", "err", err)
	}
}

func (f *folder) close() error {
	f.index.StopAllGoroutines()
	f.shared.InvalidateAll()
	f.shared.StopAllGoroutines()
	return errors.Join(os.RemoveAll(f.dir), f.lock.Close())
}
