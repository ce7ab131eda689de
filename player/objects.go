package player

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/maypok86/otter/v2"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/jit"
)

// readTimeout bounds one read of a small object or pointer. Readers that joined
// it wait no longer either.
const readTimeout = 30 * time.Second

// objectOverhead is what an entry costs beside its bytes, roughly.
const objectOverhead = 512

// object is a stored object: its bytes when it is small, else only its facts.
type object struct {
	etag string
	size int64
	body []byte // nil when the object is streamed
	gzip []byte // the compressed form of a text; nil for media
	// A segment that is streamed from its source; see source.go.
	segment *jit.Segment
	source  jit.Source
}

// weight is about how much memory the object takes.
func (o *object) weight() int {
	n := len(o.body) + len(o.gzip) + objectOverhead
	if o.segment != nil {
		n += len(o.segment.Header) + len(o.segment.Ranges)*16
	}
	return n
}

// objects reads the store through memory.
type objects struct {
	store    Store
	limit    int64
	cache    *otter.Cache[string, *object]
	pointers *otter.Cache[string, blob.Pointer]
	indexes  *otter.Cache[string, *sourceIndex]
}

func newObjects(store Store, cfg Config) (*objects, error) {
	cache, err := otter.New(&otter.Options[string, *object]{
		MaximumWeight: uint64(cfg.CacheBytes),
		Weigher: func(key string, o *object) uint32 {
			return uint32(min(len(key)+o.weight(), 1<<31))
		},
	})
	if err != nil {
		return nil, fmt.Errorf("object cache: %w", err)
	}
	pointers, err := otter.New(&otter.Options[string, blob.Pointer]{
		MaximumSize:      10_000,
		ExpiryCalculator: otter.ExpiryCreating[string, blob.Pointer](PointerAge),
	})
	if err != nil {
		return nil, fmt.Errorf("pointer cache: %w", err)
	}
	indexes, err := newIndexes()
	if err != nil {
		return nil, fmt.Errorf("index cache: %w", err)
	}
	return &objects{store: store, limit: cfg.CacheObjectBytes, cache: cache, pointers: pointers, indexes: indexes}, nil
}

// pointer returns the media's newest publication, or blob.ErrNotFound.
func (o *objects) pointer(ctx context.Context, media string) (blob.Pointer, error) {
	p, err := o.pointers.Get(ctx, media, otter.LoaderFunc[string, blob.Pointer](
		func(ctx context.Context, media string) (blob.Pointer, error) {
			ctx, cancel := shared(ctx)
			defer cancel()
			return o.store.ReadPointer(ctx, media)
		}))
	return p, unavailable(err)
}

// object returns an object's bytes or facts, or blob.ErrNotFound.
func (o *objects) object(ctx context.Context, key string) (*object, error) {
	found, err := o.cache.Get(ctx, key, otter.LoaderFunc[string, *object](
		func(ctx context.Context, key string) (*object, error) {
			ctx, cancel := shared(ctx)
			defer cancel()
			return o.load(ctx, key)
		}))
	return found, unavailable(err)
}

func (o *objects) load(ctx context.Context, key string) (*object, error) {
	r, info, err := o.store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	found := &object{etag: info.ETag, size: info.Size}
	if info.Size > o.limit {
		return found, nil
	}
	found.body = make([]byte, info.Size)
	if _, err := io.ReadFull(r, found.body); err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	if isText(key) {
		found.gzip = compress(found.body)
	}
	return found, nil
}

// open returns the object's content for one answer; the caller closes it.
func (o *objects) open(ctx context.Context, key string, found *object) io.ReadSeekCloser {
	if found.body != nil {
		return nopCloser{bytes.NewReader(found.body)}
	}
	openAt := func(off int64) (io.ReadCloser, error) { return o.store.GetRange(ctx, key, off, found.size-off) }
	if found.segment != nil {
		openAt = func(off int64) (io.ReadCloser, error) {
			return openSegment(ctx, found.segment, found.source, off), nil
		}
	}
	return &stream{openAt: openAt, size: found.size}
}

// shared detaches a read from the viewer who happened to ask first: others may
// have joined it.
func shared(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
}

// unavailable marks an error of the store, other than a missing object.
func unavailable(err error) error {
	if err == nil || errors.Is(err, blob.ErrNotFound) {
		return err
	}
	return fault.Wrap(fault.Unavailable, err, "storage-unavailable", "The video cannot be read at the moment.")
}

func compress(body []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		panic("gzip: " + err.Error()) // only for levels that do not exist
	}
	// Writing to memory does not fail.
	_, _ = w.Write(body)
	_ = w.Close()
	return out.Bytes()
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

// stream reads a large object from wherever it was last sought, for one answer.
type stream struct {
	openAt func(off int64) (io.ReadCloser, error)
	size   int64
	off    int64
	r      io.ReadCloser
}

func (s *stream) Read(p []byte) (int, error) {
	if s.off >= s.size {
		return 0, io.EOF
	}
	if s.r == nil {
		r, err := s.openAt(s.off)
		if err != nil {
			return 0, err
		}
		s.r = r
	}
	n, err := s.r.Read(p)
	s.off += int64(n)
	return n, err
}

func (s *stream) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.off
	case io.SeekEnd:
		offset += s.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start")
	}
	if offset != s.off && s.r != nil {
		_ = s.r.Close()
		s.r = nil
	}
	s.off = offset
	return offset, nil
}

func (s *stream) Close() error {
	if s.r == nil {
		return nil
	}
	return s.r.Close()
}
