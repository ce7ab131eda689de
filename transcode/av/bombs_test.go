package av_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/transcode/child"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

// claim rewrites the picture size in an MP4's sample entry (ISO/IEC 14496-12,
// 12.1.3), not that in its H.264 stream.
func claim(t *testing.T, name string, width, height uint16) string {
	t.Helper()
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	at := bytes.Index(content, []byte("avc1\x00\x00\x00\x00\x00\x00")) // past the brand in ftyp
	require.Positive(t, at)
	binary.BigEndian.PutUint16(content[at+28:], width)
	binary.BigEndian.PutUint16(content[at+30:], height)
	return file(t, "claim.mp4", content)
}

func TestPixelBombsAreRefusedFromTheHeader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		file func(t *testing.T) string
	}{
		{"a side of 30,000", func(t *testing.T) string { return claim(t, clip(t, "a.mp4"), 30_000, 16) }},
		{"42 megapixels with short sides", func(t *testing.T) string { return claim(t, clip(t, "a.mp4"), 7000, 6000) }},
		{"a large picture whose container says small", func(t *testing.T) string {
			large := mediatest.Generate(t, "a.mp4", "-f", "lavfi", "-i", "color=size=8208x64:rate=5:duration=1", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
			return claim(t, large, 64, 64)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			name := c.file(t)
			limits := child.LimitsFor(child.Job{Op: child.OpProbe})
			limits.Resident = 128 << 20 // less than one such picture
			err := mediatest.Runner(t).RunLimited(t.Context(), child.Job{Op: child.OpProbe}, limits, mediatest.Open(t, name), child.HandlerFunc(ignore))
			requireCode(t, child.TooLargePicture, err)
		})
	}
}

func ignore(context.Context, child.Event, *os.File) error { return nil }

func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	usual := child.LimitsFor(encodeJob())
	run := func(t *testing.T, job child.Job, limits child.Limits, name string) {
		t.Helper()
		err := mediatest.Runner(t).RunLimited(t.Context(), job, limits, mediatest.Open(t, name), child.HandlerFunc(ignore))
		requireCode(t, child.LimitExceeded, err)
		t.Log(err)
	}
	t.Run("in pictures: two, hours apart, in a file of two seconds", func(t *testing.T) {
		t.Parallel()
		run(t, encodeJob(), usual, mediatest.Generate(t, "a.mkv", "-f", "lavfi", "-i", "color=size=64x64:rate=1:duration=2,setpts=N*3600*5/TB", "-fps_mode", "passthrough", "-c:v", "mjpeg"))
	})
	t.Run("in samples: the same of sound", func(t *testing.T) {
		t.Parallel()
		job := encodeJob()
		job.Encode.Rungs, job.Encode.Audio = nil, []child.AudioSpec{{Name: "a0", BitrateBPS: 128_000}}
		run(t, job, usual, mediatest.Generate(t, "a.mka", "-f", "lavfi", "-i", "sine=duration=2,asetpts='PTS+gt(T,1)*3600/TB'", "-c:a", "pcm_s16le"))
	})
	t.Run("in bytes", func(t *testing.T) {
		t.Parallel()
		limits := usual
		limits.OutputBytes = 2000
		run(t, encodeJob(), limits, clip(t, "a.mp4"))
	})
	t.Run("in bytes of a file", func(t *testing.T) {
		t.Parallel()
		limits := usual
		limits.FileBytes = 2000
		run(t, encodeJob(), limits, clip(t, "a.mp4"))
	})
	t.Run("in memory in use", func(t *testing.T) {
		t.Parallel()
		limits, job := usual, encodeJob()
		job.Encode.Rungs[0].Width, job.Encode.Rungs[0].Height = 3840, 2160
		limits.Resident = 100 << 20
		run(t, job, limits, clip(t, "a.mp4"))
	})
}
