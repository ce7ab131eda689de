package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitascope/vitascope/player/internal/cache"
)

const (
	waitFor = 2 * time.Minute
	tick    = 5 * time.Millisecond
)

func TestMain(m *testing.M) {
	code := m.Run()
	// On a busy machine what ends takes its time.
	for until := time.Now().Add(waitFor); code == 0; {
		err := goleak.Find()
		if err == nil {
			break
		}
		if time.Now().After(until) {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func open(t *testing.T, cfg cache.Config) *cache.Cache {
	t.Helper()
	c, err := cache.New(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// origin counts its reads and can be held up.
type origin struct {
	body  []byte
	opens atomic.Int64
	gate  chan struct{} // nil: no hold-up after the first byte
	cuts  atomic.Int64  // how many reads break off half way
}

func (o *origin) source(_ context.Context, off int64) (io.ReadCloser, cache.Info, error) {
	o.opens.Add(1)
	var r io.Reader = bytes.NewReader(o.body[off:])
	if o.gate != nil && off == 0 {
		r = io.MultiReader(bytes.NewReader(o.body[:1]), &held{o.gate}, bytes.NewReader(o.body[1:]))
	}
	if o.cuts.Add(-1) >= 0 {
		r = io.MultiReader(io.LimitReader(r, int64(len(o.body))/5), broken{})
	}
	return io.NopCloser(r), cache.Info{Size: int64(len(o.body)), ETag: "e"}, nil
}

type held struct{ gate chan struct{} }

func (h *held) Read([]byte) (int, error) { <-h.gate; return 0, io.EOF }

type broken struct{}

var errCut = errors.New("cut")

func (broken) Read([]byte) (int, error) { return 0, errCut }

func payload(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

func read(t *testing.T, c *cache.Cache, key string, s cache.Source) (string, cache.Tier) {
	t.Helper()
	o, err := c.Get(t.Context(), key, s)
	require.NoError(t, err)
	defer o.Close()
	b, err := io.ReadAll(o.Content())
	require.NoError(t, err)
	require.EqualValues(t, o.Size, len(b))
	return string(b), o.Tier
}

func TestAllWhoAskFollowOneRead(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]cache.Config{
		"in memory": {MemoryBytes: 8 << 20, MemoryObjectBytes: 4 << 20},
		"on disk":   {MemoryBytes: 1 << 20, MemoryObjectBytes: 10, Dir: t.TempDir(), DiskBytes: 64 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, o := open(t, cfg), &origin{body: payload(1 << 20), gate: make(chan struct{})}
			var began, all sync.WaitGroup
			for range 100 {
				began.Add(1)
				all.Go(func() {
					obj, err := c.Get(t.Context(), "k", o.source)
					if err != nil {
						t.Error(err)
						began.Done()
						return
					}
					defer obj.Close()
					first := make([]byte, 1)
					_, err = io.ReadFull(obj.Content(), first)
					began.Done() // the first byte is here long before the last
					if err != nil {
						t.Error(err)
					}
					rest, err := io.ReadAll(obj.Content())
					if err != nil || !bytes.Equal(append(first, rest...), o.body) {
						t.Errorf("got %d bytes, %v", len(rest)+1, err)
					}
				})
			}
			began.Wait()
			close(o.gate)
			all.Wait()
			require.EqualValues(t, 1, o.opens.Load())
			body, tier := read(t, c, "k", o.source)
			require.Equal(t, string(o.body), body)
			require.NotEqual(t, cache.Cold, tier)
			require.EqualValues(t, 1, o.opens.Load())
		})
	}
}

func TestAReadThatBreaksOffIsTakenUp(t *testing.T) {
	t.Parallel()
	c, o := open(t, cache.Config{MemoryBytes: 8 << 20, MemoryObjectBytes: 4 << 20}), &origin{body: payload(300_000)}
	o.cuts.Store(2)
	body, _ := read(t, c, "k", o.source)
	require.Equal(t, string(o.body), body)
	require.EqualValues(t, 3, o.opens.Load())

	lost := &origin{body: payload(300_000)}
	lost.cuts.Store(100)
	obj, err := c.Get(t.Context(), "lost", lost.source)
	if err == nil {
		defer obj.Close()
		_, err = io.ReadAll(obj.Content())
	}
	require.ErrorIs(t, err, errCut)
	lost.cuts.Store(0)
	body, _ = read(t, c, "lost", lost.source)
	require.Equal(t, string(lost.body), body, "what failed is not kept")
}

func TestASourceThatRefusesIsPassedOn(t *testing.T) {
	t.Parallel()
	c := open(t, cache.Config{MemoryBytes: 1 << 20, MemoryObjectBytes: 1 << 10})
	_, err := c.Get(t.Context(), "k", func(context.Context, int64) (io.ReadCloser, cache.Info, error) {
		return nil, cache.Info{}, os.ErrNotExist
	})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestBothPartsAreBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := open(t, cache.Config{MemoryBytes: 1 << 20, MemoryObjectBytes: 64 << 10, Dir: dir, DiskBytes: 4 << 20})
	for i := range 300 {
		o := &origin{body: payload(60_000)}
		body, _ := read(t, c, fmt.Sprint(i), o.source)
		require.Len(t, body, 60_000)
	}
	require.Eventually(t, func() bool { return onDisk(t, dir) <= 5<<20 }, waitFor, tick, "evicted files go")
	direct := &origin{body: payload(2 << 20)}
	for range 2 { // a quarter of the disk's part is the most for one object
		body, tier := read(t, c, "huge", direct.source)
		require.Len(t, body, 2<<20)
		require.Equal(t, cache.Direct, tier)
	}
}

func onDisk(t *testing.T, dir string) (n int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	require.NoError(t, err)
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			n += info.Size()
		}
	}
	return n
}

func TestWhatMemoryLostIsOnDisk(t *testing.T) {
	t.Parallel()
	c := open(t, cache.Config{MemoryBytes: 1 << 20, MemoryObjectBytes: 512 << 10, Dir: t.TempDir(), DiskBytes: 64 << 20})
	origins := make([]*origin, 20)
	for i := range origins {
		origins[i] = &origin{body: payload(400_000 + i)}
	}
	tiers := map[cache.Tier]int{}
	for range 3 {
		for i, o := range origins {
			body, tier := read(t, c, fmt.Sprint(i), o.source)
			require.Equal(t, string(o.body), body)
			tiers[tier]++
		}
	}
	require.Positive(t, tiers[cache.Disk])
	for _, o := range origins {
		require.EqualValues(t, 1, o.opens.Load())
	}
}

func TestFoldersOfProcessesThatAreGoneAreRemoved(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	gone := filepath.Join(base, "process-1")
	require.NoError(t, os.MkdirAll(gone, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(gone, "1"), []byte("x"), 0o600))
	cfg := cache.Config{MemoryBytes: 1 << 20, MemoryObjectBytes: 10, Dir: base, DiskBytes: 1 << 20}
	first := open(t, cfg)
	require.NoDirExists(t, gone)
	o := &origin{body: payload(1000)}
	read(t, first, "k", o.source)
	second := open(t, cfg)
	read(t, second, "k", o.source)
	body, tier := read(t, first, "k", o.source)
	require.Equal(t, string(o.body), body, "a process that lives keeps its own")
	require.Contains(t, []cache.Tier{cache.Disk, cache.Joined}, tier)
}
