package transcode_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/transcode/internal/hlstest"
	"github.com/vitascope/vitascope/transcode/internal/sources"
)

// compareTo decodes a rung beside its source and returns their structural
// similarity over all frames, and the mean luma of each frame of the rung. Where a
// frame lies halfway between two of the grid either is right: the reference may be
// a frame earlier or later.
func compareTo(t *testing.T, s sources.Source, rung *hlstest.Track, file string) (similarity float64, luma []byte) {
	t.Helper()
	for _, shift := range []int{0, -1, 1} {
		if similarity, luma = compareShifted(t, s, rung, file, shift); similarity >= likeness {
			break
		}
	}
	return similarity, luma
}

func compareShifted(t *testing.T, s sources.Source, rung *hlstest.Track, file string, shift int) (similarity float64, luma []byte) {
	t.Helper()
	dir := plainDir(t)
	stats, gray := filepath.Join(dir, "ssim"), filepath.Join(dir, "luma")
	width, height := rung.SPS.Width, rung.SPS.Height
	perSecond := fmt.Sprintf("%d/%d", rung.Timescale, rung.Segments[0].Samples[0].Dur)
	rate := fmt.Sprintf("fps=fps=%s:start_time=0", perSecond)
	if shift != 0 {
		rate += fmt.Sprintf(",setpts=PTS+(%d)/(%s)/TB", shift, perSecond)
	}
	scale := fmt.Sprintf("scale=%d:%d:flags=bicubic:out_color_matrix=bt709:out_range=tv,setsar=1,format=yuv420p", width, height)
	if s.HDR { // as FFmpeg's users do it
		scale = fmt.Sprintf("zscale=w=%d:h=%d:t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv,format=yuv420p", width, height)
	}
	inputs := []string{"-v", "error", "-i", rung.URL}
	reference := "[1:v]" + join(s.Reference, rate, scale)
	if s.Join { // FFmpeg's tool starts its filters anew where the size changes
		for _, part := range s.Parts(file) {
			inputs = append(inputs, "-i", part)
		}
		reference = "[1:v]" + scale + "[first];[2:v]" + scale + "[second];[first][second]concat," + rate
	} else {
		inputs = append(inputs, "-i", file)
	}
	graph := "[0:v]split[a][b];[b]scale=1:1:flags=area,format=gray[gray];" + reference + "[want];[a][want]ssim=stats_file=" + stats + "[out]"
	ffmpegWords(t, append(inputs, "-filter_complex", graph, "-map", "[out]", "-f", "null", "-", "-map", "[gray]", "-f", "rawvideo", gray)...)
	lines, err := os.ReadFile(stats)
	require.NoError(t, err)
	found := regexp.MustCompile(`All:([0-9.]+)`).FindAllSubmatch(lines, -1)
	require.InDelta(t, rung.Frames(), len(found), 3, "frames compared")
	for _, f := range found {
		one, err := strconv.ParseFloat(string(f[1]), 64)
		require.NoError(t, err)
		similarity += one / float64(len(found))
	}
	luma, err = os.ReadFile(gray)
	require.NoError(t, err)
	return similarity, luma
}

// plainDir is a folder whose path has nothing that a filter graph gives a meaning,
// unlike those named for a test.
func plainDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vitascope-likeness-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// flashesOf are the times at which the picture turns white.
func flashesOf(luma []byte, rate float64) []float64 {
	sorted := slices.Sorted(slices.Values(luma))
	threshold := (int(sorted[len(sorted)/2]) + int(sorted[len(sorted)-1])) / 2
	var at []float64
	white := false
	for i, y := range luma {
		if int(y) > threshold && !white {
			at = append(at, float64(i)/rate)
		}
		white = int(y) > threshold
	}
	return at
}

// beepsOf are the times at which silence ends.
func beepsOf(t *testing.T, track *hlstest.Track) []float64 {
	t.Helper()
	const rate = 48_000
	pcm := filepath.Join(t.TempDir(), "pcm")
	ffmpegWords(t, "-v", "error", "-i", track.URL, "-ac", "1", "-ar", strconv.Itoa(rate), "-f", "s16le", pcm)
	raw, err := os.ReadFile(pcm)
	require.NoError(t, err)
	samples := make([]float64, len(raw)/2)
	loudest := 0.0
	for i := range samples {
		samples[i] = math.Abs(float64(int16(binary.LittleEndian.Uint16(raw[2*i:]))))
		loudest = max(loudest, samples[i])
	}
	require.Greater(t, loudest, 1000.0, "there is sound")
	var at []float64
	quiet := rate
	for i, level := range samples {
		if level < 0.3*loudest {
			quiet++
			continue
		}
		if quiet > rate/10 {
			at = append(at, float64(i)/rate)
		}
		quiet = 0
	}
	return at
}

// ffmpegWords runs FFmpeg and returns what it said.
func ffmpegWords(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ffmpeg", append([]string{"-hide_banner", "-nostdin", "-y"}, args...)...)
	var words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &words, &words
	require.NoError(t, cmd.Run(), "ffmpeg %q: %s", args, &words)
	return words.String()
}
