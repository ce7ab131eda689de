package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

const (
	// stalled ends a read whose source has sent nothing for so long.
	stalled = 30 * time.Second
	// stepBytes is how much is read at once: those who follow are woken after each.
	// The first step is short, so that all of them have begun before one gets more.
	firstStepBytes, stepBytes = 2 << 10, 128 << 10
	// tries is how often a read that broke off is taken up again.
	tries = 3
)

// fill is the one read of an object, which others follow.
type fill struct {
	opened chan struct{} // closed once info or an error is known
	info   Info
	direct bool     // too large to be kept
	body   []byte   // of info.Size, when it goes to memory
	file   *os.File // when it goes to disk alone

	mu   sync.Mutex
	n    int64 // bytes that are here
	err  error
	over bool
	wake chan struct{} // closed when any of them changes
	refs int           // who has the file open
}

// begin starts the read of key. c.mu is held.
func (c *Cache) begin(key string, source Source) *fill {
	f := &fill{opened: make(chan struct{}), wake: make(chan struct{}), refs: 1}
	c.fills[key] = f
	c.reading.Add(1)
	go func() {
		defer c.reading.Done()
		// Detached from whoever asked first: others may have joined.
		ctx, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		done := make(chan struct{})
		defer close(done)
		go func() {
			select {
			case <-c.closing:
				cancel(errClosing)
			case <-done:
			}
		}()
		c.run(ctx, cancel, key, f, source)
		c.mu.Lock()
		delete(c.fills, key)
		c.mu.Unlock()
		f.release()
	}()
	return f
}

var (
	errClosing = errors.New("the cache is closing")
	errStalled = errors.New("the source has stopped sending")
)

// run reads the object, then keeps it.
func (c *Cache) run(ctx context.Context, cancel context.CancelCauseFunc, key string, f *fill, source Source) {
	watch := time.AfterFunc(stalled, func() { cancel(errStalled) })
	defer watch.Stop()
	r, info, err := source(ctx, 0)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		f.finish(err)
		close(f.opened)
		return
	}
	f.info = info
	release, err := c.prepare(ctx, f)
	defer release()
	if err != nil || f.direct {
		_ = r.Close()
		f.finish(err)
		close(f.opened)
		return
	}
	close(f.opened)
	err = f.read(ctx, r, source, watch)
	if err == nil && f.body != nil && f.info.Size <= c.hotBytes() {
		c.memory.Set(key, &whole{info: f.info, body: f.body})
	}
	f.finish(err)
	switch {
	case c.disk == nil:
	case err == nil:
		c.disk.keep(key, f)
	case f.file != nil:
		c.disk.remove(f.file.Name())
	}
}

// prepare decides where the bytes go and makes room for them.
func (c *Cache) prepare(ctx context.Context, f *fill) (release func(), err error) {
	size := f.info.Size
	switch {
	case size <= c.cfg.MemoryObjectBytes:
		// Reads in progress are bounded too: each holds its whole object.
		if err := c.room.Acquire(ctx, size); err != nil {
			return func() {}, context.Cause(ctx)
		}
		f.body = make([]byte, size)
		return func() { c.room.Release(size) }, nil
	case c.disk != nil && c.disk.fits(size):
		f.file, err = c.disk.create()
		return func() {}, err
	}
	f.direct = true
	return func() {}, nil
}

// read takes what r gives until the object is whole, from a new reader where one
// breaks off.
func (f *fill) read(ctx context.Context, r io.ReadCloser, source Source, watch *time.Timer) error {
	var step []byte
	if f.file != nil {
		step = make([]byte, stepBytes)
	}
	defer func() { _ = r.Close() }()
	for n, broken := int64(0), 0; n < f.info.Size; {
		into := step
		if f.body != nil {
			into = f.body[n:min(n+stepBytes, f.info.Size)]
		}
		if n == 0 {
			into = into[:min(len(into), firstStepBytes)]
		}
		got, err := r.Read(into[:min(int64(len(into)), f.info.Size-n)])
		if got > 0 {
			watch.Reset(stalled)
			if f.file != nil {
				if _, err := f.file.WriteAt(into[:got], n); err != nil {
					return fmt.Errorf("write to the disk cache: %w", err)
				}
			}
			n += int64(got)
			f.grow(n)
		}
		if err == nil || n == f.info.Size {
			continue
		}
		if broken++; broken > tries || ctx.Err() != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		_ = r.Close()
		next, _, err := source(ctx, n)
		if err != nil {
			return err
		}
		r = next
	}
	return nil
}

// grow tells those who follow that n bytes are here.
func (f *fill) grow(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n = n
	close(f.wake)
	f.wake = make(chan struct{})
}

// finish tells those who follow that nothing more comes.
func (f *fill) finish(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err, f.over = err, true
	close(f.wake)
	f.wake = make(chan struct{})
}

// follow returns the object as far as it is here and as it comes. Its Close
// releases the fill.
func (f *fill) follow(ctx context.Context, tier Tier, source Source) (*Object, error) {
	select {
	case <-f.opened:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.direct {
		return &Object{Info: f.info, Tier: Direct, content: newStream(ctx, source, f.info.Size)}, nil
	}
	if err := f.failed(); err != nil {
		return nil, err
	}
	return &Object{Info: f.info, Tier: tier, content: &follower{ctx: ctx, fill: f}}, nil
}

func (f *fill) failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n > 0 {
		return nil // it shows where it broke off
	}
	return f.err
}

// await returns how many bytes are here once they are more than off.
func (f *fill) await(ctx context.Context, off int64) (int64, error) {
	for {
		f.mu.Lock()
		n, err, over, wake := f.n, f.err, f.over, f.wake
		f.mu.Unlock()
		switch {
		case n > off:
			return n, nil
		case err != nil:
			return 0, err
		case over:
			return 0, io.EOF
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// retain keeps the file open for one more; release lets it go.
func (f *fill) retain() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refs++
}

func (f *fill) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refs--; f.refs == 0 && f.file != nil {
		_ = f.file.Close() // read only by now
	}
}
