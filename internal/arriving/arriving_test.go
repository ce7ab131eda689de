package arriving_test

import (
	"bytes"
	"context"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/arriving"
	"github.com/vitascope/vitascope/internal/blob"
)

// shelf is a store in memory.
type shelf struct {
	mu      sync.Mutex
	objects map[string][]byte
	// listed, if set, runs after a listing has been given: what happens between it and
	// the next call.
	listed func()
}

func (s *shelf) List(_ context.Context, prefix string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		s.mu.Lock()
		objects := maps.Clone(s.objects)
		s.mu.Unlock()
		for _, key := range slices.Sorted(maps.Keys(objects)) {
			if strings.HasPrefix(key, prefix) && !yield(blob.Info{Key: key, Size: int64(len(objects[key]))}, nil) {
				return
			}
		}
		if s.listed != nil {
			s.listed()
		}
	}
}

func (s *shelf) Stat(_ context.Context, key string) (blob.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.objects[key]
	if !ok {
		return blob.Info{}, blob.ErrNotFound
	}
	return blob.Info{Key: key, Size: int64(len(b))}, nil
}

func (s *shelf) GetRange(_ context.Context, key string, off, n int64) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.objects[key]
	if !ok {
		return nil, blob.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(b[off : off+n])), nil
}

// put stores the bytes [from, to) of data as a piece.
func (s *shelf) put(data []byte, from, to int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[arriving.Piece{From: from, To: to}.Key(prefix)] = data[from:to]
}

// complete makes the source of all data, as the end of an upload does.
func (s *shelf) complete(data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects = map[string][]byte{source: data}
}

var (
	prefix = blob.UploadPrefix("acc", "med", 1)
	source = blob.SourceKey("acc", "med", 1)
)

// data is 1000 bytes, each unlike its neighbours.
func data() []byte {
	b := make([]byte, 1000)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

func find(t *testing.T, s *shelf) *arriving.Upload {
	t.Helper()
	u, err := arriving.Find(t.Context(), s, "acc", "med", 1)
	require.NoError(t, err)
	return u
}

// read is what a range of an upload holds.
func read(t *testing.T, u *arriving.Upload, off, n int64) []byte {
	t.Helper()
	r, err := u.OpenRange(t.Context(), off, n)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return got
}

func TestWhatLeadsOnFromTheFirstByteCanBeRead(t *testing.T) {
	t.Parallel()
	all := data()
	for _, c := range []struct {
		name   string
		pieces [][2]int64
		size   int64
	}{
		{"nothing", nil, 0},
		{"one piece", [][2]int64{{0, 400}}, 400},
		{"one after the other", [][2]int64{{0, 100}, {100, 101}, {101, 700}}, 700},
		{"overlapping, one within another", [][2]int64{{0, 300}, {100, 200}, {250, 600}}, 600},
		{"a gap", [][2]int64{{0, 300}, {301, 900}}, 300},
		{"no beginning", [][2]int64{{1, 900}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &shelf{objects: map[string][]byte{prefix + "upload.json": []byte("{}"), prefix + "5-9": []byte("too long for its name")}}
			for _, p := range c.pieces {
				s.put(all, p[0], p[1])
			}
			u := find(t, s)
			require.Equal(t, c.size, u.Size())
			require.False(t, u.Whole())
			for off := int64(0); off < c.size; off += 37 {
				for _, n := range []int64{1, 2, 150, c.size - off} {
					n = min(n, c.size-off)
					require.Equal(t, all[off:off+n], read(t, u, off, n), "%d bytes at %d", n, off)
				}
			}
			_, err := u.OpenRange(t.Context(), 0, c.size+1)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			n, err := u.ReadAt(t.Context(), make([]byte, 2000), 0)
			require.ErrorIs(t, err, io.EOF)
			require.EqualValues(t, c.size, n)
		})
	}
}

func TestReadsGoOnInTheSourceWhenPiecesAreGone(t *testing.T) {
	t.Parallel()
	all := data()
	s := &shelf{objects: map[string][]byte{}}
	s.put(all, 0, 300)
	s.put(all, 300, 1000)
	u := find(t, s)
	r, err := u.OpenRange(t.Context(), 10, 900)
	require.NoError(t, err)
	begun := make([]byte, 100)
	_, err = io.ReadFull(r, begun)
	require.NoError(t, err)
	s.complete(all)
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, all[10:910], append(begun, rest...), "across the end of the upload")
	require.Equal(t, all[:1000], read(t, u, 0, 1000))
	require.True(t, find(t, s).Whole())
	require.Equal(t, all, read(t, find(t, s), 0, 1000))
}

func TestASourceThatIsFoundWhilePiecesGoIsWhole(t *testing.T) {
	t.Parallel()
	all := data()
	s := &shelf{objects: map[string][]byte{}}
	s.put(all, 0, 300)
	s.listed = func() { s.complete(all) }
	u := find(t, s)
	require.True(t, u.Whole())
	require.EqualValues(t, 1000, u.Size())
}

func TestTheEndsOfASourceAreReadAroundItsMiddle(t *testing.T) {
	t.Parallel()
	all := data()
	s := &shelf{objects: map[string][]byte{}}
	for _, p := range [][2]int64{{0, 300}, {800, 900}, {850, 1000}, {820, 840}} {
		s.put(all, p[0], p[1])
	}
	u := find(t, s)
	require.EqualValues(t, 300, u.Size())
	ends := u.Ends(1000)
	require.EqualValues(t, 1000, ends.Size())
	require.Equal(t, all[:300], read(t, ends, 0, 300))
	require.Equal(t, all[800:], read(t, ends, 800, 200))
	_, err := ends.OpenRange(t.Context(), 500, 10)
	require.ErrorIs(t, err, blob.ErrNotFound, "nobody has the middle")
	s.complete(all)
	require.Equal(t, all, read(t, ends, 0, 1000), "the source has it")
}

func TestNamesOfPiecesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	p := arriving.Piece{From: 5 << 20, To: 9<<40 + 1}
	got, ok := arriving.ParsePiece(strings.TrimPrefix(p.Key(prefix), prefix), p.To-p.From)
	require.True(t, ok)
	require.Equal(t, p, got)
	for _, name := range []string{"", "-", "5", "5-", "-5", "9-5", "5-5", "a-9", "5-9-12", "-1-3", "upload.json", "99999999999999999999-5"} {
		_, ok := arriving.ParsePiece(name, 4)
		require.Equal(t, name == "5-9", ok, name)
	}
}
