package transcode_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

// picture and sound are ffmpeg's test sources.
func picture(size, rate, seconds string) []string {
	return []string{"-f", "lavfi", "-i", "testsrc2=size=" + size + ":rate=" + rate + ":duration=" + seconds}
}

func sound(seconds string) []string {
	return []string{"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=" + seconds}
}

func args(parts ...[]string) []string {
	var all []string
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func TestEverySourceBecomesPlayableHLS(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name    string
		file    string
		args    []string
		rungs   []string // resolutions, in the playlist's order
		seconds float64
		silent  bool
	}{
		{"H.264 and AAC in MP4, over two segments", "a.mp4", args(picture("640x360", "30", "8"), sound("8"), x264, []string{"-c:a", "aac"}), []string{"640x360"}, 8, false},
		{"H.264 and AAC in MOV, NTSC rate", "a.mov", args(picture("320x180", "30000/1001", "4"), sound("4"), x264, []string{"-c:a", "aac"}), []string{"320x180"}, 4.004, false},
		{"VP9 and Opus in WebM, two rungs", "a.webm", args(picture("854x480", "25", "2"), sound("2"), []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"}), []string{"854x480", "640x360"}, 2, false},
		{"HEVC in MKV, 10 bits", "a.mkv", args(picture("320x180", "24", "3"), sound("3"), []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-pix_fmt", "yuv420p10le", "-c:a", "aac"}), []string{"320x180"}, 3, false},
		{"MPEG-4 part 2 and MP3 in MKV", "b.mkv", args(picture("320x240", "25", "3"), sound("3"), []string{"-c:v", "mpeg4", "-c:a", "libmp3lame"}), []string{"320x240"}, 3, false},
		{"5.1 AC-3", "c.mkv", args(picture("320x180", "25", "3"), []string{"-f", "lavfi", "-i", "aevalsrc=0.1*sin(440*2*PI*t)|0|0|0|0|0:c=5.1:d=3"}, x264, []string{"-c:a", "ac3"}), []string{"320x180"}, 3, false},
		{"no sound", "d.mp4", args(picture("320x180", "25", "3"), x264), []string{"320x180"}, 3, true},
		{"odd sizes, anamorphic, RGB", "e.mkv", args(picture("321x241", "15", "2"), []string{"-vf", "setsar=4/3", "-c:v", "ffv1", "-pix_fmt", "bgr0"}), []string{"428x240"}, 2, true},
		{"interlaced MPEG-2 in a transport stream", "f.ts", args(picture("320x240", "50", "3"), sound("3"), []string{"-vf", "interlace", "-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-b:v", "2M", "-c:a", "mp2"}), []string{"320x240"}, 3, false},
		{"120 frames a second, AVI", "g.avi", args(picture("320x180", "120", "2"), []string{"-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p"}), []string{"320x180"}, 2, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			m := w.upload(t, mediatest.Generate(t, c.file, append([]string{}, c.args...)...))
			w.await(t, m.ID, catalog.StateReady, 5*time.Minute)
			m, err := w.db.MediaByID(t.Context(), m.ID)
			require.NoError(t, err)
			p := readHLS(t, w.hls(t, m))
			var rungs []string
			for _, v := range p.variants {
				rungs = append(rungs, v.Resolution)
			}
			require.Equal(t, c.rungs, rungs)
			for _, v := range p.video {
				require.InDelta(t, c.seconds, v.seconds(), 0.05)
			}
			require.Equal(t, c.silent, p.audio == nil)
			if p.audio != nil {
				require.InDelta(t, c.seconds, p.audio.seconds(), 0.1)
			}
			require.Equal(t, !c.silent, m.HasAudio)
			require.InDelta(t, c.seconds, float64(m.DurationMS)/1000, 0.1)
			require.NotEmpty(t, m.PosterKey)
			require.NotEmpty(t, m.StoryboardKey)
			require.InDelta(t, 1, m.Progress, 1e-9)
			require.False(t, m.ReadyAt.IsZero() || m.PlayableAt.IsZero())
		})
	}
}

func TestSoundAloneBecomesPlayableWithAPoster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.upload(t, mediatest.Generate(t, "a.mp3", args(sound("7"), []string{"-c:a", "libmp3lame", "-b:a", "64k"})...))
	m = w.await(t, m.ID, catalog.StateReady, 5*time.Minute)
	p := readHLS(t, w.hls(t, m))
	require.Empty(t, p.video)
	require.NotNil(t, p.audio)
	require.Len(t, p.audio.segments, 2)
	require.InDelta(t, 7, p.audio.seconds(), 0.1)
	require.False(t, m.HasVideo)
	require.NotEmpty(t, m.PosterKey)
	require.Empty(t, m.StoryboardKey)
}
