package player

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/maypok86/otter/v2"

	"github.com/vitascope/vitascope/internal/arriving"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/jit"
	"github.com/vitascope/vitascope/internal/playback"
	"github.com/vitascope/vitascope/player/internal/cache"
)

const (
	// textShare is the part of CacheBytes that texts may take.
	textShare = 4
	// maxTextBytes bounds a text: a playlist of 12 h takes less than 1 MiB.
	maxTextBytes = 16 << 20
	// textOverhead is what an entry costs beside its bytes, roughly.
	textOverhead = 512
	// leastForBrotli is more than fits one packet of TCP with the answer's head.
	leastForBrotli = 512
)

// text is a playlist or text track, or another small file made here, with its
// ready-compressed forms.
type text struct {
	etag         string
	body         []byte
	gzip, brotli []byte // nil for what is not worth compressing
}

func (t *text) weight() int { return len(t.body) + len(t.gzip) + len(t.brotli) + textOverhead }

// objects reads the store through memory and disk.
type objects struct {
	store    Store
	media    *cache.Cache
	texts    *otter.Cache[string, *text]
	pointers *fresh[string, blob.Pointer]
	settings *fresh[string, blob.Settings]
	keys     *fresh[string, blob.PlaybackKeys]
	indexes  *otter.Cache[string, *sourceIndex]
	recent   *jit.Recent
	arrivals *fresh[arrivalKey, *arriving.Upload]
}

func newObjects(store Store, cfg Config, log *slog.Logger) (*objects, error) {
	o := &objects{store: store, recent: cfg.Indexes}
	var errs [7]error
	o.texts, errs[0] = otter.New(&otter.Options[string, *text]{
		MaximumWeight: uint64(cfg.CacheBytes / textShare),
		Weigher:       func(key string, t *text) uint32 { return uint32(len(key) + t.weight()) },
	})
	o.pointers, errs[1] = newFresh(10_000, store.ReadPointer)
	o.settings, errs[4] = newFresh(10_000, func(ctx context.Context, media string) (blob.Settings, error) {
		return orNone(store.ReadSettings(ctx, media))
	})
	o.keys, errs[5] = newFresh(1_000, func(ctx context.Context, account string) (blob.PlaybackKeys, error) {
		return orNone(store.ReadPlaybackKeys(ctx, account))
	})
	o.indexes, errs[2] = newIndexes()
	o.arrivals, errs[6] = newFresh(1_000, func(ctx context.Context, k arrivalKey) (*arriving.Upload, error) {
		return arriving.Find(ctx, store, k.account, k.media, k.generation)
	})
	kept := cache.Config{MemoryBytes: cfg.CacheBytes - cfg.CacheBytes/textShare, MemoryObjectBytes: cfg.CacheObjectBytes}
	if cfg.DiskCache {
		kept.Dir, kept.DiskBytes = cfg.CacheDir, cfg.DiskCacheBytes
	}
	o.media, errs[3] = cache.New(kept, log)
	return o, errors.Join(errs[:]...)
}

// orNone takes a document that does not exist for an empty one.
func orNone[V any](doc V, err error) (V, error) {
	if errors.Is(err, blob.ErrNotFound) {
		return doc, nil
	}
	return doc, err
}

// pointer returns the media's newest publication, or blob.ErrNotFound.
func (o *objects) pointer(ctx context.Context, media string) (blob.Pointer, error) {
	return o.pointers.get(ctx, media)
}

// settingsOf returns the media's settings, those of public media when it has none.
func (o *objects) settingsOf(ctx context.Context, media string) (blob.Settings, error) {
	return o.settings.get(ctx, media)
}

// keysOf returns the signing keys of an account that count now.
func (o *objects) keysOf(ctx context.Context, account string) ([]playback.Key, error) {
	k, err := o.keys.get(ctx, account)
	return k.Keys, err
}

// text returns a stored text, or blob.ErrNotFound.
func (o *objects) text(ctx context.Context, key string) (*text, error) {
	return o.made(ctx, key, func(ctx context.Context) (*text, error) { return o.readText(ctx, key) })
}

// made returns the text under key, which make makes once for all who ask.
func (o *objects) made(ctx context.Context, key string, make func(context.Context) (*text, error)) (*text, error) {
	if t, ok := o.texts.GetIfPresent(key); ok {
		return t, nil
	}
	t, err := o.texts.Get(ctx, key, otter.LoaderFunc[string, *text](
		func(ctx context.Context, _ string) (*text, error) {
			ctx, cancel := shared(ctx)
			defer cancel()
			return make(ctx)
		}))
	return t, unavailable(err)
}

func (o *objects) readText(ctx context.Context, key string) (*text, error) {
	r, info, err := o.store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if info.Size > maxTextBytes {
		return nil, fmt.Errorf("read %s: %d bytes are too many for a text", key, info.Size)
	}
	body := make([]byte, info.Size)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return newText(info.ETag, body), nil
}

// newText compresses a text. Who asks first waits for that, with brotli some 5 ms, which
// what fits one packet anyway is not worth; gzip Apple's rules ask for.
func newText(etag string, body []byte) *text {
	t := &text{etag: etag, body: body, gzip: compress(body)}
	if len(body) >= leastForBrotli {
		t.brotli = compressBrotli(body)
	}
	return t
}

// stored returns a stored object that is no text, or blob.ErrNotFound. The caller
// closes it.
func (o *objects) stored(ctx context.Context, key string) (*cache.Object, error) {
	size := int64(-1)
	found, err := o.media.Get(ctx, key, func(ctx context.Context, off int64) (io.ReadCloser, cache.Info, error) {
		if off > 0 && size > off {
			r, err := o.store.GetRange(ctx, key, off, size-off)
			return r, cache.Info{}, err
		}
		r, info, err := o.store.Get(ctx, key)
		size = info.Size
		if err == nil && off > 0 {
			_, err = io.CopyN(io.Discard, r, off)
		}
		return r, cache.Info{Size: info.Size, ETag: info.ETag}, err
	})
	return found, unavailable(err)
}

// unavailable marks an error of the store, other than a missing object.
func unavailable(err error) error {
	if err == nil || errors.Is(err, blob.ErrNotFound) || errors.Is(err, context.Canceled) {
		return err
	}
	return fault.Wrap(fault.Unavailable, err, "storage-unavailable", "The video cannot be read at the moment.")
}

// compress makes the gzip form of a text, once.
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

// brotliLevel compresses a playlist of 12 h in some 20 ms; 11 would take a second.
const brotliLevel = 9

func compressBrotli(body []byte) []byte {
	var out bytes.Buffer
	w := brotli.NewWriterLevel(&out, brotliLevel)
	_, _ = w.Write(body)
	_ = w.Close()
	return out.Bytes()
}
