package transcode_test

import (
	"encoding/binary"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

// clapper shows white and beeps for a tenth of a second at every odd second.
var clapper = []string{
	"-f", "lavfi", "-i", "color=black:size=320x180:rate=30:duration=8,drawbox=t=fill:color=white:enable='between(mod(t,2),0.999,1.099)'",
	"-f", "lavfi", "-i", "aevalsrc='0.8*sin(2*PI*1000*t)*between(mod(t,2),1,1.1)':sample_rate=44100:duration=8",
}

func TestSoundStaysWithThePicture(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		file string
		args []string
	}{
		{"MP4 with an edit list for priming", "a.mp4", []string{"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-c:a", "aac"}},
		{"a transport stream, which starts at 1.4 s", "a.ts", []string{"-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"}},
		{"WebM with Opus", "a.webm", []string{"-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"}},
		{"sound cut off at the start", "a.mkv", []string{"-af", "atrim=start=0.7", "-c:v", "mpeg4", "-c:a", "flac"}},
		{"picture cut off at the start", "b.mkv", []string{"-vf", "trim=start=0.7", "-c:v", "mpeg4", "-c:a", "pcm_s16le"}},
		{"sound with a hole", "c.mkv", []string{"-af", "aselect='not(between(t,3.5,4.4))'", "-c:v", "mpeg4", "-c:a", "flac"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			m := w.upload(t, mediatest.Generate(t, c.file, args(clapper, c.args)...))
			m = w.await(t, m.ID, catalog.StateReady, 5*time.Minute)
			p := readHLS(t, w.hls(t, m))
			flashes := flashes(t, filepath.Join(p.dir, p.video[0].uri))
			beeps := beeps(t, filepath.Join(p.dir, p.audio.uri))
			require.InDeltaSlice(t, []float64{1, 3, 5, 7}, flashes, 0.04)
			require.InDeltaSlice(t, flashes, beeps, 0.04)
		})
	}
}

// flashes are the times at which a black picture turns white.
func flashes(t *testing.T, playlist string) []float64 {
	t.Helper()
	luma := decode(t, playlist, "-vf", "scale=1:1:flags=area,format=gray", "-f", "rawvideo")
	var at []float64
	white := false
	for i, y := range luma {
		if y > 128 && !white {
			at = append(at, float64(i)/30)
		}
		white = y > 128
	}
	return at
}

// beeps are the times at which silence ends.
func beeps(t *testing.T, playlist string) []float64 {
	t.Helper()
	samples := decode(t, playlist, "-copyts", "-af", inPlace, "-ac", "1", "-ar", "48000", "-f", "s16le")
	var at []float64
	quiet := 48000
	for i := 0; i+1 < len(samples); i += 2 {
		level := int16(binary.LittleEndian.Uint16(samples[i:]))
		if level < 5000 && level > -5000 {
			quiet++
			continue
		}
		if quiet > 4800 {
			at = append(at, float64(i/2)/48000)
		}
		quiet = 0
	}
	return at
}

func decode(t *testing.T, playlist string, args ...string) []byte {
	t.Helper()
	args = append([]string{"-v", "error", "-nostdin", "-allowed_extensions", "ALL", "-i", playlist}, append(args, "-")...)
	out, err := exec.CommandContext(t.Context(), "ffmpeg", args...).Output()
	require.NoError(t, err)
	return out
}

func TestPicturesAreUprightAndTrueInColor(t *testing.T) {
	t.Parallel()
	scene := []string{"-f", "lavfi", "-i", "color=gray:size=320x180:rate=25:duration=1," +
		"drawbox=x=0:y=0:w=100:h=60:color=red:t=fill,drawbox=x=220:y=120:w=100:h=60:color=blue:t=fill"}
	x264 := []string{"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"}
	for _, c := range []struct {
		name   string
		rotate string
	}{{"upright", "0"}, {"turned a quarter", "90"}, {"upside down", "180"}, {"turned three quarters", "270"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			plain := mediatest.Generate(t, "plain.mp4", args(scene, x264)...)
			turned := mediatest.Generate(t, "turned.mp4", "-i", plain, "-c", "copy", "-metadata:s:v", "rotate="+c.rotate)
			w := newWorld(t)
			m := w.upload(t, turned)
			m = w.await(t, m.ID, catalog.StateReady, 5*time.Minute)
			p := readHLS(t, w.hls(t, m))
			width, height := 320, 180
			if c.rotate == "90" || c.rotate == "270" {
				width, height = height, width
			}
			require.Equal(t, []int{width, height}, []int{m.Width, m.Height})
			// ffmpeg turns upright by itself.
			want := frameAt(t, turned, 0, width, height)
			got := frameAt(t, filepath.Join(p.dir, "multivariant.m3u8"), 0, width, height)
			for _, at := range [][2]int{{20, 20}, {width - 20, 20}, {20, height - 20}, {width - 20, height - 20}, {width / 2, height / 2}} {
				i := (at[1]*width + at[0]) * 3
				require.Less(t, distance(want[i:], got[i:]), 24.0, "color at %v: want %v, got %v", at, want[i:i+3], got[i:i+3])
			}
		})
	}
}
