package player

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"

	"github.com/maypok86/otter/v2"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/jit"
	"github.com/vitascope/vitascope/player/internal/cache"
)

// ofSource matches the files of a source that is served as it is, as its
// playlists name them. They are not stored: see package blob.
var ofSource = regexp.MustCompile(`^(g([1-9][0-9]{0,8})/a[a-z0-9_-]{1,64}/source/)` +
	`(0|[1-9][0-9]?)/(index\.m3u8|init\.mp4|(0|[1-9][0-9]{0,6})\.m4s)$`)

const (
	// indexCacheBytes bounds the memory of decoded indexes; one of 12 h fits.
	indexCacheBytes = 96 << 20
	// maxIndexBytes bounds an index as stored: jit's limit of samples at the some
	// five bytes that each takes, and more.
	maxIndexBytes = 32 << 20
	// indexGrowth is how much larger an index is in memory, at most.
	indexGrowth = 4
)

// sourceFile is one file of a source that is served as it is.
type sourceFile struct {
	index    string // key of the index
	source   string // key of the source
	at       arrivalKey
	arriving bool // the source may still be on its way
	track    int
	name     string // index.m3u8, init.mp4 or <n>.m4s
	segment  int    // -1 when it is no segment
}

// sourceFileOf takes a path under the media's folder apart; false when it is not
// the path of such a file.
func sourceFileOf(p *blob.Pointer, asked string) (sourceFile, bool) {
	account, media := p.Account, p.Media
	m := ofSource.FindStringSubmatch(asked)
	if m == nil {
		return sourceFile{}, false
	}
	// The expression leaves nothing that is no number.
	generation, _ := strconv.Atoi(m[2])
	track, _ := strconv.Atoi(m[3])
	f := sourceFile{
		index:  blob.MediaPrefix(account, media) + m[1] + blob.SourceIndex,
		source: blob.SourceKey(account, media, generation),
		at:     arrivalKey{account, media, generation}, arriving: p.Arriving && p.Generation == generation,
		track: track, name: m[4], segment: -1,
	}
	if m[5] != "" {
		f.segment, _ = strconv.Atoi(m[5])
	}
	return f, true
}

// sourceIndex is a decoded index and what identifies it.
type sourceIndex struct {
	*jit.Index
	tracks int
	etag   string
	weight uint32
}

func newIndexes() (*otter.Cache[string, *sourceIndex], error) {
	return otter.New(&otter.Options[string, *sourceIndex]{
		MaximumWeight: indexCacheBytes,
		Weigher:       func(_ string, x *sourceIndex) uint32 { return x.weight },
	})
}

// isMoving tells that a later answer may be another one.
func (f *sourceFile) isMoving() bool { return f.arriving && f.name != jit.InitName && f.segment < 0 }

// sourceText returns a playlist or init segment of a source that is served as it
// is, or blob.ErrNotFound when there is no such source or track.
func (o *objects) sourceText(ctx context.Context, key string, f sourceFile) (*text, error) {
	if f.isMoving() {
		return o.growing(ctx, key, f)
	}
	return o.made(ctx, key, func(ctx context.Context) (*text, error) {
		x, err := o.index(ctx, f)
		if err != nil {
			return nil, err
		}
		if f.name != jit.InitName {
			return x.playlist(f), nil
		}
		body, err := x.Init(f.track)
		if err != nil {
			return nil, fmt.Errorf("make %s of track %d of %s: %w", f.name, f.track, f.source, err)
		}
		return &text{etag: x.nameOf(f), body: body}, nil
	})
}

// playlist is the media playlist of the whole source.
func (x *sourceIndex) playlist(f sourceFile) *text { return newText(x.nameOf(f), x.Playlist(f.track)) }

// nameOf is the entity tag of a file that never changes.
func (x *sourceIndex) nameOf(f sourceFile) string {
	return fmt.Sprintf("%s-%d-%s", x.etag, f.track, f.name)
}

// sourceSegment returns a segment of a source that is served as it is, or
// blob.ErrNotFound when there is no such source, track or segment. It is read and
// kept as stored objects are. The caller closes it.
func (o *objects) sourceSegment(ctx context.Context, key string, f sourceFile) (*cache.Object, error) {
	found, err := o.media.Get(ctx, key, func(ctx context.Context, off int64) (io.ReadCloser, cache.Info, error) {
		x, err := o.index(ctx, f)
		if err != nil {
			return nil, cache.Info{}, err
		}
		segment, err := x.Segment(f.track, f.segment)
		if err != nil {
			return nil, cache.Info{}, fmt.Errorf("make %s of track %d of %s: %w", f.name, f.track, f.source, err)
		}
		source, err := o.sourceOf(ctx, f, segment, x.SourceSize())
		if err != nil {
			return nil, cache.Info{}, err
		}
		info := cache.Info{Size: segment.Size, ETag: x.nameOf(f)}
		return openSegment(ctx, segment, source, off), info, nil
	})
	return found, unavailable(err)
}

// index returns the index of a file's source, or blob.ErrNotFound when the source,
// track or segment does not exist.
func (o *objects) index(ctx context.Context, f sourceFile) (*sourceIndex, error) {
	x, err := o.indexes.Get(ctx, f.index, otter.LoaderFunc[string, *sourceIndex](o.loadIndex))
	if err != nil {
		return nil, err
	}
	if f.track >= x.tracks || f.segment >= x.Segments(f.track) {
		return nil, fmt.Errorf("track %d, %s of %s: %w", f.track, f.name, f.index, blob.ErrNotFound)
	}
	return x, nil
}

func (o *objects) loadIndex(ctx context.Context, key string) (*sourceIndex, error) {
	r, info, err := o.store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if info.Size > maxIndexBytes {
		return nil, fmt.Errorf("read %s: %d bytes are too many for an index", key, info.Size)
	}
	raw := make([]byte, info.Size)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	x, err := o.recent.Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", key, err)
	}
	return &sourceIndex{
		Index: x, tracks: len(x.Tracks()), etag: info.ETag, weight: uint32(indexGrowth*len(raw) + textOverhead),
	}, nil
}

// original is an uploaded source in the store.
type original struct {
	store Store
	key   string
	size  int64
}

// Size is the source's size in bytes.
func (s *original) Size() int64 { return s.size }

// ReadAt reads a range as a whole.
func (s *original) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	r, err := s.store.GetRange(ctx, s.key, off, int64(len(p)))
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return io.ReadFull(r, p)
}

// OpenRange streams a range.
func (s *original) OpenRange(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	return s.store.GetRange(ctx, s.key, off, n)
}

// openSegment streams a segment from off on. The copying ends with the reader.
func openSegment(ctx context.Context, s *jit.Segment, source jit.Source, off int64) io.ReadCloser {
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	c := &copying{PipeReader: r, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		w.CloseWithError(from(s, off).Write(ctx, w, source))
	}()
	return c
}

// copying is the reading end of a goroutine that writes.
type copying struct {
	*io.PipeReader
	cancel context.CancelFunc
	done   chan struct{}
}

// Close stops the writer and waits for it.
func (c *copying) Close() error {
	c.cancel()
	err := c.PipeReader.Close()
	<-c.done
	return err
}

// from is what a segment holds from a byte offset on.
func from(s *jit.Segment, off int64) *jit.Segment {
	if off <= int64(len(s.Header)) {
		return &jit.Segment{Header: s.Header[off:], Ranges: s.Ranges}
	}
	off -= int64(len(s.Header))
	for i, r := range s.Ranges {
		if off < r.Length {
			rest := slices.Clone(s.Ranges[i:])
			rest[0] = jit.Range{Offset: r.Offset + off, Length: r.Length - off}
			return &jit.Segment{Ranges: rest}
		}
		off -= r.Length
	}
	return &jit.Segment{}
}
