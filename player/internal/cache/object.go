package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
)

// Object is one object as it is served to one request.
type Object struct {
	Info
	Tier Tier
	// Body is the whole object when it is in memory, else nil.
	Body []byte

	content io.ReadSeekCloser
}

// Content reads the object from its start, as often as it is sought there. It is
// an *os.File when the object lies whole on disk, so that the kernel can send it.
func (o *Object) Content() io.ReadSeeker {
	if o.content == nil {
		return bytes.NewReader(o.Body)
	}
	return o.content
}

// Close lets the object go.
func (o *Object) Close() error {
	if o.content == nil {
		return nil
	}
	return o.content.Close()
}

// follower reads a fill as it grows.
type follower struct {
	ctx  context.Context
	fill *fill
	off  int64
}

func (r *follower) Read(p []byte) (int, error) {
	if r.off >= r.fill.info.Size {
		return 0, io.EOF
	}
	n, err := r.fill.await(r.ctx, r.off)
	if err != nil {
		return 0, err
	}
	p = p[:min(int64(len(p)), n-r.off)]
	if r.fill.body != nil {
		copy(p, r.fill.body[r.off:])
	} else if _, err := r.fill.file.ReadAt(p, r.off); err != nil {
		return 0, err
	}
	r.off += int64(len(p))
	return len(p), nil
}

// WriteTo writes what is in memory as it is, without a buffer between.
func (r *follower) WriteTo(w io.Writer) (int64, error) {
	if r.fill.body == nil {
		return io.Copy(w, struct{ io.Reader }{r})
	}
	from := r.off
	for r.off < r.fill.info.Size {
		n, err := r.fill.await(r.ctx, r.off)
		if err != nil {
			return r.off - from, err
		}
		if r.off == 0 {
			n = min(n, firstStepBytes) // a first byte must not wait for others' many
		}
		wrote, err := w.Write(r.fill.body[r.off:n])
		r.off += int64(wrote)
		if err != nil {
			return r.off - from, err
		}
		if r.off < r.fill.info.Size {
			runtime.Gosched() // the others have their first bytes before this one has more
		}
	}
	return r.off - from, nil
}

func (r *follower) Seek(offset int64, whence int) (int64, error) {
	return seek(&r.off, r.fill.info.Size, offset, whence)
}

func (r *follower) Close() error {
	r.fill.release()
	return nil
}

// stream reads an object that is not kept, from wherever it was last sought.
type stream struct {
	ctx    context.Context
	source Source
	size   int64
	off    int64
	r      io.ReadCloser
}

func newStream(ctx context.Context, source Source, size int64) *stream {
	return &stream{ctx: ctx, source: source, size: size}
}

func (s *stream) Read(p []byte) (int, error) {
	if s.off >= s.size {
		return 0, io.EOF
	}
	if s.r == nil {
		r, _, err := s.source(s.ctx, s.off)
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
	was := s.off
	at, err := seek(&s.off, s.size, offset, whence)
	if at != was && s.r != nil {
		_ = s.r.Close()
		s.r = nil
	}
	return at, err
}

func (s *stream) Close() error {
	if s.r == nil {
		return nil
	}
	return s.r.Close()
}

func seek(off *int64, size, offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += *off
	case io.SeekEnd:
		offset += size
	}
	if offset < 0 {
		return *off, errors.New("seek before the start")
	}
	*off = offset
	return offset, nil
}
