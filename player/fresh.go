package player

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
)

// fresh keeps documents of the store that change, at most PointerAge long. One that
// is asked for all the time is read again in the background before its time is over,
// so that nobody waits for the store.
type fresh[V any] struct {
	cache *otter.Cache[string, V]
	load  otter.Loader[string, V]
}

// newFresh keeps at most most documents, each read by read.
func newFresh[V any](most int, read func(ctx context.Context, key string) (V, error)) (*fresh[V], error) {
	c, err := otter.New(&otter.Options[string, V]{
		MaximumSize:       most,
		ExpiryCalculator:  otter.ExpiryWriting[string, V](PointerAge),
		RefreshCalculator: otter.RefreshWriting[string, V](PointerAge / 2),
	})
	load := func(ctx context.Context, key string) (V, error) {
		ctx, cancel := shared(ctx)
		defer cancel()
		return read(ctx, key)
	}
	return &fresh[V]{cache: c, load: otter.LoaderFunc[string, V](load)}, err
}

func (f *fresh[V]) get(ctx context.Context, key string) (V, error) {
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
