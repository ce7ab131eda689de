// Package arriving reads a source while it is still being uploaded.
//
// The parts of an S3 multipart upload cannot be read before it is completed. For a
// source that can be shown early, ingest therefore also keeps what comes as objects
// of their own, pieces, named after the bytes they hold: "<from>-<to>" under
// blob.UploadPrefix. What can be read of a source is what its pieces hold from the
// first byte on without a gap, or all of it once it is whole. Pieces are written once,
// and removed only after something else holds their bytes: a larger piece, or the
// source. So what could be read once can be read until the upload is given up, and a
// read that finds its piece gone goes on in the source.
//
// Of a source whose tables come last only the beginning and the end are kept, for the
// time that it takes to put the parts together; see [Upload.Ends].
//
// An Upload is what was found at one moment; it never grows. It is safe for
// concurrent use.
package arriving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/vitascope/vitascope/internal/blob"
)

// Store is what this package reads of an object store.
type Store interface {
	// List yields every object whose key begins with prefix.
	List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error]
	// Stat describes an object, or returns blob.ErrNotFound.
	Stat(ctx context.Context, key string) (blob.Info, error)
	// GetRange returns bytes of an object, or blob.ErrNotFound.
	GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error)
}

// Upload is a source as far as it has come.
type Upload struct {
	store  Store
	source string // key of the whole
	prefix string // of the pieces
	chain  []Piece
	apart  []Piece // behind a gap after the chain
	size   int64
	whole  bool
}

// Find looks how far the source of a media's generation has come. One of which
// nothing can be read has the size 0.
func Find(ctx context.Context, store Store, account, media string, generation int) (*Upload, error) {
	u := &Upload{
		store: store, source: blob.SourceKey(account, media, generation), prefix: blob.UploadPrefix(account, media, generation),
	}
	var pieces []Piece
	for info, err := range store.List(ctx, u.prefix) {
		if err != nil {
			return nil, err
		}
		if p, ok := ParsePiece(info.Key[len(u.prefix):], info.Size); ok {
			pieces = append(pieces, p)
		}
	}
	u.chain = Reach(pieces, 0)
	u.size = End(u.chain, 0)
	u.apart = apart(pieces, u.size)
	// Pieces go once the source is there: asked after them, it says whether some are
	// missing for that reason.
	info, err := store.Stat(ctx, u.source)
	switch {
	case err == nil:
		u.size, u.whole, u.chain, u.apart = info.Size, true, nil, nil
	case !errors.Is(err, blob.ErrNotFound):
		return nil, err
	}
	return u, nil
}

// Of is an upload of which these pieces are known; they lead on from the first byte
// as Reach returns them.
func Of(store Store, account, media string, generation int, chain []Piece) *Upload {
	return &Upload{
		store: store, source: blob.SourceKey(account, media, generation), prefix: blob.UploadPrefix(account, media, generation),
		chain: slices.Clone(chain), size: End(chain, 0),
	}
}

// Size is the number of bytes, from the first one on, that can be read.
func (u *Upload) Size() int64 { return u.size }

// Ends is the upload as a file of total bytes, all of which have come, of which those
// between its beginning and its end cannot be read before the source is there: such a
// read returns blob.ErrNotFound.
func (u *Upload) Ends(total int64) *Upload {
	if u.whole {
		return u
	}
	e := *u
	e.chain, e.apart, e.size = slices.Concat(u.chain, u.apart), nil, total
	return &e
}

// Whole tells whether all of the source has come.
func (u *Upload) Whole() bool { return u.whole }

// ReadAt reads len(p) bytes at off, fewer with io.EOF at the end of what there is.
func (u *Upload) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	want := min(int64(len(p)), u.size-off)
	if want <= 0 {
		return 0, io.EOF
	}
	r, err := u.OpenRange(ctx, off, want)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	n, err := io.ReadFull(r, p[:want])
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// OpenRange streams n bytes from off, all of which must be there. The caller closes.
func (u *Upload) OpenRange(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	if off < 0 || n <= 0 || off+n > u.size {
		return nil, fmt.Errorf("read %d bytes at %d of %s, which has %d: %w", n, off, u.source, u.size, io.ErrUnexpectedEOF)
	}
	if u.whole {
		return u.store.GetRange(ctx, u.source, off, n)
	}
	r := &reader{ctx: ctx, upload: u, at: off, end: off + n}
	if err := r.open(); err != nil {
		return nil, err
	}
	return r, nil
}

// reader reads a range piece by piece.
type reader struct {
	ctx     context.Context // of the one read that it is
	upload  *Upload
	at, end int64
	body    io.ReadCloser // nil between pieces
	upTo    int64         // where body ends
}

// open opens what holds the next byte.
func (r *reader) open() error {
	u := r.upload
	i, _ := slices.BinarySearchFunc(u.chain, r.at+1, func(p Piece, next int64) int {
		if p.To < next {
			return -1
		}
		return 1
	})
	if i < len(u.chain) && u.chain[i].From <= r.at {
		p := u.chain[i]
		body, err := u.store.GetRange(r.ctx, p.Key(u.prefix), r.at-p.From, min(p.To, r.end)-r.at)
		if !errors.Is(err, blob.ErrNotFound) {
			r.body, r.upTo = body, min(p.To, r.end)
			return err
		}
	}
	// Between the ends, or the upload has ended meanwhile.
	var err error
	r.upTo = r.end
	r.body, err = u.store.GetRange(r.ctx, u.source, r.at, r.end-r.at)
	return err
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for {
		if r.at == r.end {
			return 0, io.EOF
		}
		if r.body == nil {
			if err := r.open(); err != nil {
				return 0, err
			}
		}
		n, err := r.body.Read(p[:min(int64(len(p)), r.upTo-r.at)])
		r.at += int64(n)
		switch {
		case r.at == r.upTo:
			err = r.Close()
		case errors.Is(err, io.EOF):
			err = io.ErrUnexpectedEOF
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// Close implements io.Closer.
func (r *reader) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}
