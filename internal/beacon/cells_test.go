package beacon_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/beacon"
)

func TestCellVectors(t *testing.T) {
	t.Parallel()
	var vectors []struct {
		Name       string     `json:"name"`
		DurationMS int64      `json:"duration_ms"`
		Spans      [][2]int64 `json:"spans"`
		Counts     []int      `json:"counts"`
		Strip      [][2]int   `json:"strip"`
	}
	readJSON(t, "cells.json", &vectors)
	for _, v := range vectors {
		spans := make([]beacon.Span, len(v.Spans))
		for i, s := range v.Spans {
			spans[i] = beacon.Span{From: s[0], To: s[1]}
		}
		counts := beacon.Counts(spans, v.DurationMS)
		require.Equal(t, v.Counts, counts, v.Name)
		strip, err := json.Marshal(beacon.Strip(counts))
		require.NoError(t, err)
		want, err := json.Marshal(v.Strip)
		require.NoError(t, err)
		require.Equal(t, string(want), string(strip), v.Name)
	}
}

// The rule itself, moment by moment: a span covers a second when the second's
// middle lies in it.
func TestCountsAgreeWithCountingMidpoints(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		dur := 1 + rnd.Int64N(12_000)
		var spans []beacon.Span
		for range rnd.IntN(6) {
			spans = append(spans, beacon.Span{From: rnd.Int64N(dur + 2000), To: rnd.Int64N(dur + 2000)})
		}
		got := beacon.Counts(spans, dur)
		for second, n := range got {
			middle := float64(second) + 0.5
			if middle >= float64(dur)/1000 {
				middle = float64((int64(second)*1000+dur)/2) / 1000
			}
			want := 0
			for _, s := range spans {
				if float64(s.From)/1000 <= middle && middle < float64(s.To)/1000 {
					want++
				}
			}
			require.Equal(t, want, n, "second %d of %d ms, spans %v", second, dur, spans)
		}
	}
}

func TestScaleKeepsAtMostAThousandCells(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 999, 1000, 1001, 2000, 2001, 43_200} {
		counts := make([]int, n)
		for i := range counts {
			counts[i] = i
		}
		cells, seconds := beacon.Scale(counts)
		require.LessOrEqual(t, len(cells), beacon.MaxCells)
		require.GreaterOrEqual(t, len(cells)*seconds, n)
		for i, c := range cells {
			require.Equal(t, min(i*seconds+seconds/2, n-1), c)
		}
	}
}

func TestStripHasSixLevels(t *testing.T) {
	t.Parallel()
	require.Equal(t, []beacon.Run{{0, 2}, {1, 1}, {5, 3}, {0, 1}}, beacon.Strip([]int{0, 0, 1, 5, 6, 700, 0}))
	require.Equal(t, []beacon.Run{}, beacon.Strip(nil))
}
