package jit_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASourceOnTheGridGivesItsCuts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		parts    [][]string
		num, den int
		cuts     []int64
		reason   string
	}{
		{"keyframes each 2 s, B-frames", [][]string{picture(13, "25"), tone(13), h264(50, 2), aac()}, 25, 1, []int64{0, 50, 200, 300}, ""},
		{"a keyframe in its last frames", [][]string{picture(8.04, "25"), tone(8.04), h264(50, 2), aac()}, 25, 1, []int64{0, 50, 150}, ""},
		{"NTSC rate", [][]string{picture(9, "30000/1001"), tone(9), h264(60, 0), aac()}, 30000, 1001, []int64{0, 60, 240}, ""},
		{"sound that ends a little later", [][]string{picture(13, "25"), tone(13.4), h264(50, 0), aac()}, 25, 1, []int64{0, 50, 200, 300}, ""},
		{"sound that goes on", [][]string{picture(13, "25"), tone(19), h264(50, 0), aac()}, 25, 1, nil, "segment 3 lasts 7"},
		{"a segment of 6.48 s, which may be one of sound of 6.5 s", [][]string{picture(8.48, "25"), tone(8.48), {"-force_key_frames", "2"}, h264(250, 0), aac()}, 25, 1, nil, "segment 1 lasts 6480 ms"},
		{"another rate", [][]string{picture(4, "24"), h264(48, 0)}, 25, 1, nil, "not 1/25"},
		{"keyframes each 10 s", [][]string{picture(21, "25"), h264(250, 0)}, 25, 1, nil, "lasts 10000 ms"},
		{"a rate that varies", [][]string{picture(6, "25"), {"-vf", "select='not(eq(mod(n,7),3))'", "-fps_mode", "vfr"}, h264(50, 0)}, 25, 1, nil, "varies"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := build(t, load(t, generate(t, "a.mp4", c.parts...)))
			cuts, reason := x.Grid(c.num, c.den, 6)
			if c.reason != "" {
				require.Contains(t, reason, c.reason)
				return
			}
			require.Empty(t, reason)
			require.Equal(t, c.cuts, cuts)
			require.Len(t, cuts, x.Segments(0))
			require.LessOrEqual(t, x.TargetDuration(), 7)
		})
	}
}
