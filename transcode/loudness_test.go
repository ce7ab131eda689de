package transcode_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

func TestEveryVideoIsAsLoudAsTheNext(t *testing.T) {
	t.Parallel()
	speech := func(level string) string { // bursts of noise, as talk has them, with a click
		return "anoisesrc=color=pink:amplitude=1:sample_rate=48000:duration=12:seed=7,volume='" + level + "*(0.3+0.7*lt(mod(t,1.3),0.8))':eval=frame"
	}
	for name, source := range map[string]string{
		"quiet": speech("0.1"), "loud": speech("0.9"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			m := w.await(t, w.upload(t, mediatest.Generate(t, "a.wav", "-f", "lavfi", "-i", source)).ID, catalog.StateReady, 5*time.Minute)
			dir := w.hls(t, m)
			p := readHLS(t, dir)
			lufs, peak := loudness(t, filepath.Join(dir, p.audio.uri))
			require.InDelta(t, -16, lufs, 1)
			require.LessOrEqual(t, peak, -0.9, "true peak")
		})
	}
}

var (
	integrated = regexp.MustCompile(`I: +(-?[0-9.]+) LUFS`)
	truePeak   = regexp.MustCompile(`Peak: +(-?[0-9.]+) dBFS`)
)

// loudness is what FFmpeg measures: LUFS, and the true peak in dB of full scale.
func loudness(t *testing.T, playlist string) (lufs, peak float64) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-hide_banner", "-allowed_extensions", "ALL", "-i", playlist,
		"-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-").CombinedOutput()
	require.NoError(t, err, "%s", out)
	number := func(from *regexp.Regexp) float64 {
		found := from.FindAllSubmatch(out, -1)
		require.NotEmpty(t, found, "%s", out)
		value, err := strconv.ParseFloat(string(found[len(found)-1][1]), 64)
		require.NoError(t, err)
		return value
	}
	return number(integrated), number(truePeak)
}
