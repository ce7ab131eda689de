package transcode

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/transcode/child"
)

// madeChunk is a row of segments of 6 s.
func madeChunk(t *testing.T, n, first, segments int, digest string, done bool) catalog.Chunk {
	t.Helper()
	s := &madeSegments{Codecs: "avc1.64001E", Timescale: 1000, Digest: digest, First: first}
	for range segments {
		s.Segments = append(s.Segments, [2]int64{6000, 1})
	}
	text, err := json.Marshal(outputs{Renditions: map[string]*madeSegments{"v360": s}})
	require.NoError(t, err)
	return catalog.Chunk{Part: "rungs", Chunk: n, OutputPrefix: "a" + string(rune('1'+n)) + "/", Outputs: string(text), Done: done}
}

func TestChunksAreJoinedOnlyIfTheyFit(t *testing.T) {
	t.Parallel()
	part := &Part{Name: "rungs", Spec: child.EncodeSpec{Rungs: []child.Rung{{Name: "v360"}}}, Chunks: []int{0, 2, 4}}
	for _, c := range []struct {
		name     string
		rows     []catalog.Chunk
		segments int
		complete bool
		problem  string
	}{
		{"all", []catalog.Chunk{madeChunk(t, 0, 0, 2, "x", true), madeChunk(t, 1, 2, 2, "x", true), madeChunk(t, 2, 4, 1, "x", true)}, 5, true, ""},
		{"one is missing", []catalog.Chunk{madeChunk(t, 0, 0, 2, "x", true), madeChunk(t, 2, 4, 1, "x", true)}, 2, false, ""},
		{"one is being made", []catalog.Chunk{madeChunk(t, 0, 0, 2, "x", true), madeChunk(t, 1, 2, 1, "x", false), madeChunk(t, 2, 4, 1, "x", true)}, 3, false, ""},
		{"the media ends early", []catalog.Chunk{madeChunk(t, 0, 0, 2, "x", true), madeChunk(t, 1, 2, 1, "x", true), madeChunk(t, 2, 0, 0, "x", true)}, 3, true, ""},
		{"a segment is missing", []catalog.Chunk{madeChunk(t, 0, 0, 2, "x", true), madeChunk(t, 1, 2, 1, "x", true), madeChunk(t, 2, 4, 1, "x", true)}, 0, false, "segment 4 follows 3 segments"},
		{"init segments differ", []catalog.Chunk{madeChunk(t, 0, 0, 2, "x", true), madeChunk(t, 1, 2, 2, "y", true)}, 0, false, "init segment y"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			made, err := join(part, c.rows)
			if c.problem != "" {
				require.ErrorContains(t, err, c.problem)
				return
			}
			require.NoError(t, err)
			require.Len(t, made["v360"].segments, c.segments)
			require.Equal(t, c.complete, made["v360"].complete)
			require.Equal(t, time.Duration(c.segments)*6*time.Second, made["v360"].length())
			for i, s := range made["v360"].segments {
				require.Equal(t, i, s.n)
			}
		})
	}
}

func TestAPreviewIsReadFromWhatIsMade(t *testing.T) {
	t.Parallel()
	part := &Part{Name: "rungs", Spec: child.EncodeSpec{Rungs: []child.Rung{{Name: "v360"}}}, Chunks: []int{0, 2, 4}}
	all := []catalog.Chunk{madeChunk(t, 0, 0, 2, "x", true), madeChunk(t, 1, 2, 2, "x", true), madeChunk(t, 2, 4, 1, "x", true)}
	for _, c := range []struct {
		name string
		rows []catalog.Chunk
		from time.Duration
		want []string
		into time.Duration
	}{
		{"in one segment", all, 7 * time.Second, []string{"a1/v360/init.mp4", "a1/v360/1.m4s"}, time.Second},
		{"over the end of a chunk", all, 10 * time.Second, []string{"a1/v360/init.mp4", "a1/v360/1.m4s", "a2/v360/2.m4s"}, 4 * time.Second},
		{"from a boundary on", all, 12 * time.Second, []string{"a1/v360/init.mp4", "a2/v360/2.m4s"}, 0},
		{"at the end", all, 28 * time.Second, []string{"a1/v360/init.mp4", "a3/v360/4.m4s"}, 4 * time.Second},
		{"not yet made", all[:1], 10 * time.Second, nil, 0},
		{"nothing made", nil, 0, nil, 0},
	} {
		made, err := join(part, c.rows)
		require.NoError(t, err, c.name)
		keys, into := made["v360"].covering(c.from, 4*time.Second)
		require.Equal(t, c.want, keys, c.name)
		require.Equal(t, c.into, into, c.name)
	}
}
