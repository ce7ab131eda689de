// Package cache keeps immutable objects near those who ask for them: small ones
// in memory, all of them on disk, both bounded, the rarely asked ones giving way
// (W-TinyLFU). What is hot on disk is in the kernel's page cache, from where it is
// sent without a copy (sendfile): for segments that costs half of what memory of
// the process does.
//
// An object that nobody has asked for yet is read from its source once, however
// many ask for it at the same time: each of them follows the one read as its bytes
// arrive, so the last to come waits no longer for a first byte than the source
// makes it. A read goes on when the one who began it leaves, and takes up where it
// was when the source breaks off.
//
// A Cache is safe for concurrent use. The files of a process are its own and are
// removed when it ends, or by the next process when it could not: a cache that is
// lost costs reads, one that is wrong would cost viewers.
package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/semaphore"
)

// Config bounds a Cache.
type Config struct {
	MemoryBytes       int64  // of objects kept in memory
	MemoryObjectBytes int64  // largest object that is kept in memory, or read through it to disk
	DiskBytes         int64  // of objects kept on disk
	Dir               string // where the disk's part lies; empty: there is none
}

// Info describes an object. Both facts stay as they are.
type Info struct {
	Size int64 // bytes
	ETag string
}

// Source reads an object from byte off on. The Info is asked for at 0 alone.
type Source func(ctx context.Context, off int64) (io.ReadCloser, Info, error)

// Tier tells how a request was served.
type Tier string

// The tiers, cheapest first.
const (
	Memory Tier = "memory"
	Disk   Tier = "disk"
	Joined Tier = "joined" // it followed a read that another one had begun
	Cold   Tier = "cold"   // it began the read
	Direct Tier = "direct" // too large to be kept: read for this request alone
)

// perObject is what an entry costs beside its bytes, roughly.
const perObject = 512

// Cache is the two tiers and the reads in progress.
type Cache struct {
	cfg    Config
	log    *slog.Logger
	memory *otter.Cache[string, *whole]
	disk   *folder // nil without a disk part
	room   *semaphore.Weighted

	mu      sync.Mutex
	fills   map[string]*fill
	reading sync.WaitGroup
	closing chan struct{}
}

// whole is an object in memory.
type whole struct {
	info Info
	body []byte
}

// New returns an empty cache. The caller closes it.
func New(cfg Config, log *slog.Logger) (*Cache, error) {
	c := &Cache{
		cfg: cfg, log: log, fills: map[string]*fill{}, closing: make(chan struct{}),
		room: semaphore.NewWeighted(max(cfg.MemoryBytes, 4*cfg.MemoryObjectBytes, 1)),
	}
	var err error
	c.memory, err = otter.New(&otter.Options[string, *whole]{
		MaximumWeight: uint64(cfg.MemoryBytes),
		Weigher:       func(key string, w *whole) uint32 { return weight(int64(len(key)+len(w.body)) + perObject) },
	})
	if err != nil {
		return nil, fmt.Errorf("memory cache: %w", err)
	}
	if cfg.Dir != "" {
		if c.disk, err = newFolder(cfg.Dir, cfg.DiskBytes, log); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// weight fits a size into otter's.
func weight(n int64) uint32 { return uint32(min(n, 1<<32-1)) }

// Get returns the object under key, reading it from source when it is not here.
// The caller closes it.
func (c *Cache) Get(ctx context.Context, key string, source Source) (*Object, error) {
	if o := c.kept(key); o != nil {
		return o, nil
	}
	c.mu.Lock()
	f, tier := c.fills[key], Joined
	if f == nil {
		if o := c.kept(key); o != nil { // a read ended in between
			c.mu.Unlock()
			return o, nil
		}
		f, tier = c.begin(key, source), Cold
	}
	f.retain()
	c.mu.Unlock()
	o, err := f.follow(ctx, tier, source)
	if err != nil || o.Tier == Direct {
		f.release()
	}
	return o, err
}

// kept returns an object of one of the tiers, or nil.
func (c *Cache) kept(key string) *Object {
	if w, ok := c.memory.GetIfPresent(key); ok {
		return &Object{Info: w.info, Tier: Memory, Body: w.body}
	}
	if c.disk == nil {
		return nil
	}
	e, file := c.disk.open(key)
	if file == nil {
		return nil
	}
	if e.info.Size <= c.hotBytes() && e.hits.Add(1)%promoteEvery == 0 {
		c.promote(key, e, file)
	}
	return &Object{Info: e.info, Tier: Disk, content: file}
}

// sendfileBytes is the size from which the kernel's sending of a file is cheaper
// than a write from memory with its copy.
const sendfileBytes = 64 << 10

// hotBytes is the largest object that stays in memory.
func (c *Cache) hotBytes() int64 {
	if c.disk == nil {
		return c.cfg.MemoryObjectBytes
	}
	return min(c.cfg.MemoryObjectBytes, sendfileBytes)
}

// Kept returns an object that is here as a whole, or nil. The caller closes it.
func (c *Cache) Kept(key string) *Object { return c.kept(key) }

// promoteEvery is how many requests from disk lead to one try to bring an object
// back into memory, which decides whether it is asked for often enough.
const promoteEvery = 4

func (c *Cache) promote(key string, e *entry, file *os.File) {
	body := make([]byte, e.info.Size)
	if _, err := file.ReadAt(body, 0); err != nil && !errors.Is(err, io.EOF) {
		return // it is served from disk all the same
	}
	c.memory.Set(key, &whole{info: e.info, body: body})
}

// Close ends the reads in progress and removes the files.
func (c *Cache) Close() error {
	close(c.closing)
	c.reading.Wait()
	c.memory.StopAllGoroutines()
	if c.disk == nil {
		return nil
	}
	return c.disk.close()
}
