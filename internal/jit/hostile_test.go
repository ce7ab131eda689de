package jit_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/jit"
)

// tiny makes a file whose tables are a large part of it.
func tiny(t testing.TB, flags string) []byte {
	t.Helper()
	return load(t, generate(t, "tiny.mp4", []string{"-f", "lavfi", "-i", "testsrc2=s=64x36:r=10:d=6"}, tone(6), h264(20, 2),
		[]string{"-c:a", "aac", "-b:a", "16k", "-movflags", flags}))
}

// exercise builds an index and serves all of it. It reports whether the source was
// served; the only other outcome it accepts is a reason.
func exercise(t testing.TB, b []byte) bool {
	t.Helper()
	x, err := jit.Build(t.Context(), inMemory(b))
	if err != nil {
		unservable, ok := errors.AsType[*jit.Unservable](err)
		require.True(t, ok, "%v", err)
		require.NotEmpty(t, unservable.Detail)
		return false
	}
	serve(t, x, inMemory(b))
	again, err := jit.Decode(x.Encode())
	require.NoError(t, err)
	require.Equal(t, x.Encode(), again.Encode())
	return true
}

func serve(t testing.TB, x *jit.Index, src jit.Source) {
	t.Helper()
	x.Variant()
	for n := range x.Tracks() {
		x.Playlist(n)
		_, err := x.Init(n)
		require.NoError(t, err)
		for i := range x.Segments(n) {
			s, err := x.Segment(n, i)
			require.NoError(t, err)
			require.Positive(t, s.Duration)
			if src != nil && s.End() <= src.Size() {
				require.NoError(t, s.Write(t.Context(), io.Discard, src))
			}
		}
	}
}

// bounded runs f and holds it to 64 MiB of allocations and two seconds of the
// processor. It must run while no other test does.
func bounded(t *testing.T, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpu()
	f()
	took := cpu() - start
	runtime.ReadMemStats(&after)
	require.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20), "bytes allocated")
	require.Less(t, took, 2*time.Second)
}

// TestDamagedFilesCostLittle is not parallel: it measures what the process allocates.
func TestDamagedFilesCostLittle(t *testing.T) {
	for _, flags := range []string{"+faststart", "+empty_moov", "frag_keyframe+default_base_moof"} {
		whole := tiny(t, flags)
		require.True(t, exercise(t, whole), flags)
		for at := 0; at < len(whole); at += len(whole)/60 + 1 {
			bounded(t, func() { exercise(t, whole[:at]) })
		}
		random := rand.New(rand.NewPCG(1, 2))
		served := 0
		for range 500 {
			b := append([]byte(nil), whole...)
			for range 1 + random.IntN(4) {
				// Most of them in the first 8 KiB, where most tables are.
				at := random.IntN(min(len(b), 8<<10))
				if random.IntN(3) == 0 {
					at = random.IntN(len(b))
				}
				b[at] ^= byte(1 << random.IntN(8))
			}
			bounded(t, func() {
				if exercise(t, b) {
					served++
				}
			})
		}
		require.NotZero(t, served, "some flips hit the media data only")
	}
}

// TestExtremeFieldsCostLittle writes extreme numbers over each field of the tables.
func TestExtremeFieldsCostLittle(t *testing.T) {
	whole := tiny(t, "+faststart")
	for at := 36; at < 4<<10; at += 4 {
		for _, v := range []uint32{0, 1, 0x7fffffff, 0x80000000, 0xffffffff} {
			b := append([]byte(nil), whole...)
			binary.BigEndian.PutUint32(b[at:], v)
			bounded(t, func() { exercise(t, b) })
		}
	}
}

func FuzzBuild(f *testing.F) {
	f.Add(tiny(f, "+faststart"))
	f.Add(tiny(f, "frag_keyframe+default_base_moof"))
	f.Fuzz(func(t *testing.T, b []byte) { exercise(t, b) })
}

func FuzzDecode(f *testing.F) {
	for _, flags := range []string{"+faststart", "frag_keyframe+default_base_moof"} {
		b := build(f, tiny(f, flags)).Encode()
		f.Add(b[:len(b)-4])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = binary.LittleEndian.AppendUint32(b[:len(b):len(b)], crc32.ChecksumIEEE(b))
		x, err := jit.Decode(b)
		if err != nil {
			require.ErrorIs(t, err, jit.ErrIndex)
			return
		}
		serve(t, x, nil)
	})
}

func TestForeignBytesAreNoIndex(t *testing.T) {
	t.Parallel()
	good := build(t, tiny(t, "+faststart")).Encode()
	for at := range good {
		bad := append([]byte(nil), good...)
		bad[at] ^= 0x10
		_, err := jit.Decode(bad)
		require.ErrorIs(t, err, jit.ErrIndex)
		_, err = jit.Decode(good[:at])
		require.ErrorIs(t, err, jit.ErrIndex)
	}
}
