package player

import (
	"context"
	"fmt"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/jit"
)

// arrivalKey names the source of a media's generation.
type arrivalKey struct {
	account, media string
	generation     int
}

// growing is a media playlist of a source that is still being uploaded: it offers the
// segments whose bytes have come, and has its end when all have.
func (o *objects) growing(ctx context.Context, key string, f sourceFile) (*text, error) {
	x, err := o.index(ctx, f)
	if err != nil {
		return nil, err
	}
	up, err := o.arrivals.get(ctx, f.at)
	if err != nil {
		return nil, err
	}
	n := x.Arrived(f.track, up.Size())
	if n == x.Segments(f.track) {
		// It has its end, and is kept as what it will stay.
		return o.made(ctx, key, func(context.Context) (*text, error) { return x.playlist(f), nil })
	}
	return &text{etag: fmt.Sprintf("%s-%d-%s-%d", x.etag, f.track, f.name, n), body: x.GrowingPlaylist(f.track, n)}, nil
}

// sourceOf is what a segment is read from, or blob.ErrNotFound while its bytes have
// not come.
func (o *objects) sourceOf(ctx context.Context, f sourceFile, s *jit.Segment, size int64) (jit.Source, error) {
	if !f.arriving {
		return &original{store: o.store, key: f.source, size: size}, nil
	}
	up, err := o.arrivals.get(ctx, f.at)
	if err != nil {
		return nil, err
	}
	if s.End() > up.Size() {
		return nil, fmt.Errorf("%s of %s has not arrived: %w", f.name, f.source, blob.ErrNotFound)
	}
	return up, nil
}
