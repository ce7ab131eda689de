package limit_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/limit"
)

func TestWhatIsLeftIsToldAndTrue(t *testing.T) {
	t.Parallel()
	l := limit.New("guesses", 10)
	now := time.UnixMilli(1_800_000_000_000)
	try := func(addr string) (bool, http.Header) {
		h := http.Header{}
		ok := l.Allow(limit.WithHeader(t.Context(), h), addr, now)
		require.Equal(t, `"guesses";q=10;w=60`, h.Get("RateLimit-Policy"))
		return ok, h
	}
	for left := 9; left >= 0; left-- {
		ok, h := try("203.0.113.7:1234")
		require.True(t, ok)
		require.Equal(t, `"guesses";r=`+strconv.Itoa(left)+`;t=6`, h.Get("RateLimit"))
		require.Empty(t, h.Get("Retry-After"))
	}
	now = now.Add(2500 * time.Millisecond)
	ok, h := try("203.0.113.7")
	require.False(t, ok, "the port is no part of the network")
	require.Equal(t, `"guesses";r=0;t=4`, h.Get("RateLimit"), "3.5 s are cut upwards")
	require.Equal(t, "4", h.Get("Retry-After"))

	now = now.Add(4 * time.Second)
	ok, _ = try("203.0.113.7")
	require.True(t, ok, "who comes back when told is let in")
	ok, _ = try("203.0.113.7")
	require.False(t, ok)

	ok, h = try("2001:db8::1")
	require.True(t, ok)
	require.Contains(t, h.Get("RateLimit"), "r=9")
	_, h = try("[2001:db8::2]:99")
	require.Contains(t, h.Get("RateLimit"), "r=8", "one /64 is one subscriber")

	require.True(t, l.Allow(t.Context(), "198.51.100.1", now), "without headers nobody is told")
}
