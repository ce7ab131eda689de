package cache

import (
	"io"
	"net"
	"os"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
)

// Held is an object that is here as a whole. It is cheaper than an Object since
// those who read one file share it: it is read at offsets alone.
type Held struct {
	Info
	Tier Tier
	// Body is the whole object when it is in memory, else nil.
	Body []byte

	file *sharedFile
}

// Held returns the object under key when it is here as a whole, or nil. The caller
// closes it.
func (c *Cache) Held(key string) *Held {
	if w, ok := c.memory.GetIfPresent(key); ok {
		return &Held{Info: w.info, Tier: Memory, Body: w.body}
	}
	if c.disk == nil {
		return nil
	}
	e, file := c.disk.share(key)
	if file == nil {
		return nil
	}
	if e.info.Size <= c.hotBytes() && e.hits.Add(1)%promoteEvery == 0 {
		c.promote(key, e, file.File)
	}
	return &Held{Info: e.info, Tier: Disk, file: file}
}

// Close lets the object go.
func (h *Held) Close() {
	if h.file != nil {
		h.file.release()
	}
}

// sendStep is how much of a body in memory is written between two signs of progress.
const sendStep = 128 << 10

// Send writes head and then the object, from a file without a copy in this process
// (sendfile). progress is called before each part of it.
func (h *Held) Send(conn net.Conn, head []byte, progress func()) error {
	if h.file != nil {
		return sendFile(conn, head, h.file.File, h.Size, progress)
	}
	for body := h.Body; ; {
		part := body[:min(len(body), sendStep)]
		progress()
		buffers := net.Buffers{head, part} // one writev
		if _, err := buffers.WriteTo(conn); err != nil {
			return err
		}
		if body, head = body[len(part):], nil; len(body) == 0 {
			return nil
		}
	}
}

// copyFile is sendFile by way of memory.
func copyFile(w io.Writer, head []byte, f io.ReaderAt, size int64, progress func()) error {
	progress()
	if _, err := w.Write(head); err != nil {
		return err
	}
	for off := int64(0); off < size; off += sendStep {
		progress()
		if _, err := io.Copy(w, io.NewSectionReader(f, off, min(sendStep, size-off))); err != nil {
			return err
		}
	}
	return nil
}

// sharedFile is an open file that ends with its last reader.
type sharedFile struct {
	*os.File
	refs atomic.Int64
}

// retain tells whether the file is still open.
func (f *sharedFile) retain() bool {
	for {
		n := f.refs.Load()
		if n == 0 {
			return false
		}
		if f.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (f *sharedFile) release() {
	if f.refs.Add(-1) == 0 {
		_ = f.Close() // read only
	}
}

// openFiles bounds the files that stay open between requests. Opening and closing
// one costs a tenth of sending a segment.
const openFiles = 256

func newShared() (*otter.Cache[string, *sharedFile], error) {
	return otter.New(&otter.Options[string, *sharedFile]{
		MaximumSize: openFiles,
		OnDeletion:  func(d otter.DeletionEvent[string, *sharedFile]) { d.Value.release() },
	})
}

// share returns the open file of key, or nil. The caller releases it.
func (f *folder) share(key string) (*entry, *sharedFile) {
	e, ok := f.index.GetIfPresent(key)
	if !ok {
		return nil, nil
	}
	if open, ok := f.shared.GetIfPresent(e.path); ok && open.retain() {
		return e, open
	}
	_, file := f.open(key)
	if file == nil {
		return nil, nil
	}
	open := &sharedFile{File: file}
	open.refs.Store(2) // the caller's, and that of the cache
	f.shared.Set(e.path, open)
	return e, open
}
