package giveway_test

import (
	"bytes"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/giveway"
)

// bulk is how long a reader takes for size bytes, read in steps of 64 KiB, while ask
// is called before each.
func bulk(t *testing.T, w *giveway.Way, size int, ask func()) time.Duration {
	t.Helper()
	r := w.Reader(bytes.NewReader(make([]byte, size)))
	start, step := time.Now(), make([]byte, 64<<10)
	for got := 0; ; {
		ask()
		n, err := r.Read(step)
		if got += n; err == io.EOF {
			require.Equal(t, size, got)
			return time.Since(start)
		}
		require.NoError(t, err)
	}
}

func TestBulkGoesOnAtOnceWhileNobodyAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		require.Zero(t, bulk(t, giveway.New(), 32<<20, func() {}))
		var none *giveway.Way
		require.Zero(t, bulk(t, none, 32<<20, none.Asked))
	})
}

func TestBulkStandsBackForAsLongAsAnAnswerTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := giveway.New()
		w.Asked()
		require.Equal(t, 25*time.Millisecond, bulk(t, w, 1<<20, func() {}), "one request")
		require.Zero(t, bulk(t, w, 1<<20, func() {}), "it has been answered")
	})
}

func TestBulkIsNeverHeldUpForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := giveway.New()
		took := bulk(t, w, 16<<20, w.Asked)
		require.GreaterOrEqual(t, took, 400*time.Millisecond, "four strides, each with its patience")
		require.LessOrEqual(t, took, 550*time.Millisecond, "40 MB/s remain however many ask")
	})
}
