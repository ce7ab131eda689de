package player

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestArmsAreSharedOutEvenlyAndKept shares 10,000 viewers out among three arms.
func TestArmsAreSharedOutEvenlyAndKept(t *testing.T) {
	t.Parallel()
	key := []byte("a key that only the server knows")
	var arms [3]int
	moved := 0
	for i := range 10_000 {
		who := fmt.Sprintf("network\x0010.%d.%d.1\x00Mozilla/5.0", i/250, i%250)
		first := pick(key, "experiment1", who) % 3
		require.Equal(t, first, pick(key, "experiment1", who)%3, "the same viewer, the same arm")
		arms[first]++
		if pick(key, "experiment2", who)%3 != first {
			moved++
		}
	}
	for _, n := range arms {
		require.InDelta(t, 3333, n, 200)
	}
	require.InDelta(t, 6667, moved, 200, "another experiment shares out anew")
}

func TestNetworksAreThoseOfSubscribers(t *testing.T) {
	t.Parallel()
	require.Equal(t, network("192.0.2.7"), network("::ffff:192.0.2.7"))
	require.Equal(t, network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"))
	require.NotEqual(t, network("2001:db8:1:2::1"), network("2001:db8:1:3::1"))
}
