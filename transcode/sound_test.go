package transcode_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

func TestEveryAudioTrackCanBeChosen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tones := []string{"-f", "lavfi", "-i", "sine=frequency=300:duration=7", "-f", "lavfi", "-i", "sine=frequency=600:duration=7", "-f", "lavfi", "-i", "aevalsrc=0|0|0.4*sin(900*2*PI*t)|0|0|0:c=5.1:d=7"}
	file := mediatest.Generate(t, "a.mkv", args(picture("320x180", "25", "7"), tones, []string{"-map", "0", "-map", "1", "-map", "2", "-map", "3"}, x264,
		[]string{"-c:a", "ac3", "-metadata:s:a:0", "language=ger", "-metadata:s:a:1", "language=eng", "-metadata:s:a:1", "title=Director's \"cut\"\ncommentary",
			"-metadata:s:a:2", "language=eng", "-disposition:a:0", "0", "-disposition:a:2", "default", "-disposition:a:1", "visual_impaired"})...)
	m := w.await(t, w.upload(t, file).ID, catalog.StateReady, 5*time.Minute)
	dir := w.hls(t, m)
	p := readHLS(t, dir)
	var got []string
	for _, a := range p.variants[0].Alternatives {
		got = append(got, fmt.Sprintf("%s|%s|%t|%s", a.Name, a.Language, a.Default, a.Characteristics))
		peak := loudestTone(t, filepath.Join(dir, a.URI))
		require.InDelta(t, map[string]float64{"de": 300, "en": 600}[a.Language]+map[bool]float64{true: 300}[a.Default], peak, 5, a.Name)
	}
	require.Equal(t, []string{
		"Deutsch|de|false|",
		"English (Director's cut commentary)|en|false|public.accessibility.describes-video",
		"English|en|true|",
	}, got)
}

// inPlace puts samples where their timestamps say: FFmpeg gives what comes before
// time zero, an encoder's priming, to whoever does not ask.
const inPlace = "aresample=48000:async=1:min_hard_comp=0.001:first_pts=0"

// pcm decodes a rendition as mono samples at 48 kHz.
func pcm(t *testing.T, playlist string) []float64 {
	t.Helper()
	open := []string{"-v", "error", "-nostdin", "-copyts"}
	if filepath.Ext(playlist) == ".m3u8" {
		open = append(open, "-allowed_extensions", "ALL")
	}
	out, err := exec.CommandContext(t.Context(), "ffmpeg", append(open, "-i", playlist, "-map", "0:a:0", "-af", inPlace, "-ac", "1", "-f", "f32le", "-")...).Output()
	require.NoError(t, err)
	samples := make([]float64, len(out)/4)
	for i := range samples {
		samples[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(out[4*i:])))
	}
	return samples
}

// loudestTone counts how often the middle second of a rendition rises through zero.
func loudestTone(t *testing.T, playlist string) float64 {
	t.Helper()
	samples := pcm(t, playlist)
	middle := samples[len(samples)/2-24000:][:48000]
	rises := 0
	for i := range middle[1:] {
		if middle[i] <= 0 && middle[i+1] > 0 {
			rises++
		}
	}
	return float64(rises)
}

func TestSoundAndPictureAreInPlaceFromTheFirstSample(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := mediatest.Generate(t, "a.webm",
		"-f", "lavfi", "-i", `color=black:size=320x180:rate=25:duration=13,drawbox=t=fill:color=white:enable='lt(mod(t,4),0.099)'`,
		"-f", "lavfi", "-i", `aevalsrc='0.6*sin(1000*2*PI*t)*lt(mod(t,4),0.1)':s=48000:d=13`,
		"-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")
	m := w.await(t, w.upload(t, file).ID, catalog.StateReady, 5*time.Minute)
	dir := w.hls(t, m)
	p := readHLS(t, dir)
	want := []float64{0, 4, 8, 12}
	require.InDeltaSlice(t, want, beeps(t, filepath.Join(dir, p.audio.uri)), 0.004)
	require.InDeltaSlice(t, want, flashTimes(t, filepath.Join(dir, "multivariant.m3u8")), 0.001)
	level := func(samples []float64) float64 { // of the first 20 ms
		sum := 0.0
		for _, s := range samples[:960] {
			sum += s * s
		}
		return math.Sqrt(sum / 960)
	}
	original, encoded := pcm(t, file), pcm(t, filepath.Join(dir, p.audio.uri))
	require.Greater(t, level(encoded)/math.Sqrt(meanSquare(encoded)), 0.9*level(original)/math.Sqrt(meanSquare(original)), "fades in")
	require.InDelta(t, 13*48000, len(encoded), 1024)
}

func meanSquare(samples []float64) float64 {
	sum := 0.0
	for _, s := range samples {
		sum += s * s
	}
	return sum / float64(len(samples))
}

// flashTimes are the presentation times, as FFmpeg reads them, at which the
// picture turns white.
func flashTimes(t *testing.T, playlist string) []float64 {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-nostdin", "-copyts", "-allowed_extensions", "ALL", "-i", playlist, "-map", "0:v:0",
		"-vf", "signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-", "-f", "null", "-").Output()
	require.NoError(t, err)
	var times []float64
	at, white := 0.0, false
	for line := range strings.Lines(string(out)) {
		if _, after, found := strings.Cut(line, "pts_time:"); found {
			_, err = fmt.Sscan(after, &at)
			require.NoError(t, err)
		}
		if value, found := strings.CutPrefix(line, "lavfi.signalstats.YAVG="); found {
			luma := 0.0
			_, err = fmt.Sscan(value, &luma)
			require.NoError(t, err)
			if luma > 120 && !white {
				times = append(times, at)
			}
			white = luma > 120
		}
	}
	return times
}
