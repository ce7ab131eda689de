package jit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/jit"
)

func TestRecentHandsOverEachIndexOnce(t *testing.T) {
	t.Parallel()
	var r jit.Recent
	file := tiny(t, "+faststart")
	x := build(t, file)
	b := r.Encode(x)
	require.Equal(t, x.Encode(), b)
	same, err := r.Decode(b)
	require.NoError(t, err)
	require.Same(t, x, same)
	again, err := r.Decode(b)
	require.NoError(t, err)
	require.NotSame(t, x, again)
	require.Equal(t, b, again.Encode())

	bad := append([]byte(nil), r.Encode(x)...)
	bad[len(bad)/2] ^= 1
	_, err = r.Decode(bad)
	require.ErrorIs(t, err, jit.ErrIndex)
}

func TestRecentKeepsTheNewest(t *testing.T) {
	t.Parallel()
	var r jit.Recent
	file := tiny(t, "+faststart")
	var all []*jit.Index
	for range 6 {
		all = append(all, build(t, file))
		r.Encode(all[len(all)-1])
	}
	b := all[0].Encode()
	var kept []*jit.Index
	for range all {
		x, err := r.Decode(b)
		require.NoError(t, err)
		for n, known := range all {
			if x == known {
				require.GreaterOrEqual(t, n, 2)
				kept = append(kept, x)
			}
		}
	}
	require.Len(t, kept, 4)
}

func TestNoRecentKeepsNothing(t *testing.T) {
	t.Parallel()
	var r *jit.Recent
	x := build(t, tiny(t, "+faststart"))
	again, err := r.Decode(r.Encode(x))
	require.NoError(t, err)
	require.NotSame(t, x, again)
}
