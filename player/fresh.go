package player

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
)

// fresh keeps documents of the store that change, at most PointerAge long. One that
// is asked for all the time is read again in the background before its time is over,
// so that nobody waits for the store.
type fresh[K comparable, V any] struct {
	cache *otter.Cache[K, V]
	load  otter.Loader[K, V]
}

// newFresh keeps at most most documents, each read by read.
func newFresh[K comparable, V any](most int, read func(ctx context.Context, key K) (V, error)) (*fresh[K, V], error) {
	c, err := otter.New(&otter.Options[K, V]{
		MaximumSize:       most,
		ExpiryCalculator:  otter.ExpiryWriting[K, V](PointerAge),
		RefreshCalculator: otter.RefreshWriting[K, V](PointerAge / 2),
	})
	load := func(ctx context.Context, key K) (V, error) {
		ctx, cancel := shared(ctx)
		defer cancel()
		return read(ctx, key)
	}
	return &fresh[K, V]{cache: c, load: otter.LoaderFunc[K, V](load)}, err
}

func (f *fresh[K, V]) get(ctx context.Context, key K) (V, error) {
	v, err := f.cache.Get(ctx, key, f.load)
	return v, unavailable(err)
}

// shared detaches a read from the viewer who happened to ask first: others may
// have joined it.
func shared(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
}

// readTimeout bounds one read of a text or document. Readers that joined it wait no
// longer either.
const readTimeout = 30 * time.Second
