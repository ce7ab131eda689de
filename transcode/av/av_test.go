package av_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vitascope/vitascope/transcode/child"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	mediatest.Remove()
	os.Exit(code)
}

// clip is a second of small H.264 and AAC, with more arguments.
func clip(t *testing.T, name string, more ...string) string {
	return mediatest.Generate(t, name, append([]string{
		"-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2", "-f", "lavfi", "-i", "sine=duration=2",
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac",
	}, more...)...)
}

func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

// cut keeps a share of a file.
func cut(t *testing.T, name string, share float64) string {
	t.Helper()
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	return file(t, "cut"+filepath.Ext(name), content[:int(float64(len(content))*share)])
}

func picture(t *testing.T, encode func(io.Writer, image.Image) error) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, encode(&b, image.NewPaletted(image.Rect(0, 0, 64, 64), color.Palette{color.Black, color.White})))
	return b.Bytes()
}

func TestWhatIsNoMediaIsRefusedWithAReason(t *testing.T) {
	t.Parallel()
	lavfi := func(source string) []string { return []string{"-f", "lavfi", "-i", source} }
	for _, c := range []struct {
		name string
		file func(t *testing.T) string
		want child.Code
	}{
		{"an empty file", func(t *testing.T) string { return file(t, "a.mp4", nil) }, child.EmptyFile},
		{"a text", func(t *testing.T) string { return file(t, "a.mp4", []byte("Dear Ann,\r\nthis is a letter.\n")) }, child.UnsupportedContainer},
		{"a long text with accents", func(t *testing.T) string { return file(t, "a.mp4", []byte(strings.Repeat("déjà vu\n", 2000))) }, child.UnsupportedContainer},
		{"a text in UTF-16", func(t *testing.T) string { return file(t, "a.mp4", []byte("\xff\xfeD\x00e\x00a\x00r\x00")) }, child.UnsupportedContainer},
		{"noise", func(t *testing.T) string { return file(t, "a.mp4", bytes.Repeat([]byte{0, 7, 1, 3, 255, 9}, 5000)) }, child.UnsupportedContainer},
		{"one byte", func(t *testing.T) string { return file(t, "a.mp4", []byte{0}) }, child.UnsupportedContainer},
		{"an SVG", func(t *testing.T) string {
			return file(t, "a.mp4", []byte(`<?xml version="1.0"?><svg><image href="/etc/passwd"/></svg>`))
		}, child.UnsupportedContainer},
		{"a JPEG", func(t *testing.T) string {
			return file(t, "a.mp4", picture(t, func(w io.Writer, i image.Image) error { return jpeg.Encode(w, i, nil) }))
		}, child.NotAVideo},
		{"a PNG", func(t *testing.T) string { return file(t, "a.mp4", picture(t, png.Encode)) }, child.NotAVideo},
		{"a GIF", func(t *testing.T) string {
			return file(t, "a.mp4", picture(t, func(w io.Writer, i image.Image) error { return gif.Encode(w, i, nil) }))
		}, child.NotAVideo},
		{"an MP4 without its index", func(t *testing.T) string { return cut(t, clip(t, "a.mp4"), 0.6) }, child.TruncatedFile},
		{"an MP4 without half of its media", func(t *testing.T) string {
			return cut(t, clip(t, "a.mp4", "-movflags", "+faststart"), 0.5)
		}, child.TruncatedFile},
		{"an MP4 cut inside its index", func(t *testing.T) string {
			return cut(t, clip(t, "a.mp4", "-movflags", "+faststart"), 0.01)
		}, child.TruncatedFile},
		{"an MP4 of zero seconds", func(t *testing.T) string { return clip(t, "a.mp4", "-t", "0") }, child.ZeroDuration},
		{"a WebM of zero seconds", func(t *testing.T) string {
			return mediatest.Generate(t, "a.webm", append(lavfi("color=size=64x64:duration=1"), "-c:v", "libvpx", "-t", "0")...)
		}, child.ZeroDuration},
		{"a picture too wide", func(t *testing.T) string {
			return mediatest.Generate(t, "a.mkv", append(lavfi("color=size=8200x64:duration=0.1"), "-c:v", "ffv1")...)
		}, child.TooLargePicture},
		{"too many tracks", func(t *testing.T) string {
			args := lavfi("anullsrc=duration=0.1")
			for range child.MaxStreams + 1 {
				args = append(args, "-map", "0")
			}
			return mediatest.Generate(t, "a.mkv", append(args, "-c:a", "pcm_s16le")...)
		}, child.TooManyStreams},
		{"thirteen hours in two frames", func(t *testing.T) string {
			return mediatest.Generate(t, "a.mkv", append(lavfi("color=size=64x64:rate=1:duration=2,setpts=N*46800/TB"), "-fps_mode", "passthrough", "-c:v", "mjpeg")...)
		}, child.TooLong},
		{"a codec nobody should decode", func(t *testing.T) string {
			return mediatest.Generate(t, "a.avi", append(lavfi("color=size=64x64:duration=0.2"), "-c:v", "cinepak")...)
		}, child.UnsupportedCodec},
		{"an MP4 whose media is noise", func(t *testing.T) string {
			name := clip(t, "a.mp4", "-an", "-movflags", "+faststart")
			content, err := os.ReadFile(name)
			require.NoError(t, err)
			media := content[bytes.Index(content, []byte("mdat"))+4:]
			for i := range media {
				media[i] = byte(i*i>>3) | 1
			}
			return file(t, "a.mp4", content)
		}, child.DecodeFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			name := c.file(t)
			_, err := mediatest.Probe(t, name)
			requireCode(t, c.want, err)
			require.NotEmpty(t, c.want.Sentence())
		})
	}
}

func requireCode(t *testing.T, want child.Code, err error) {
	t.Helper()
	refusal, ok := errors.AsType[*child.MediaError](err)
	require.True(t, ok, "not refused: %v", err)
	require.Equal(t, want, refusal.Code, "%v", err)
}

func TestALittleLossIsPlayed(t *testing.T) {
	t.Parallel()
	got, err := mediatest.Probe(t, cut(t, clip(t, "a.mp4", "-movflags", "+faststart"), 0.98))
	require.NoError(t, err)
	require.NotNil(t, got.Video)
}

// TestPlaylistsOpenNothing watches a file that playlists of many kinds name.
func TestPlaylistsOpenNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	canary := filepath.Join(dir, "canary.ts")
	source := mediatest.Generate(t, "a.ts", "-f", "lavfi", "-i", "color=size=64x64:duration=1", "-c:v", "mpeg2video")
	content, err := os.ReadFile(source)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(canary, content, 0o600))
	watch, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(watch)
	_, err = unix.InotifyAddWatch(watch, dir, unix.IN_OPEN|unix.IN_ACCESS)
	require.NoError(t, err)

	hls := "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n%s\n#EXT-X-ENDLIST\n"
	for name, text := range map[string]string{
		"HLS":                 fmt.Sprintf(hls, canary),
		"HLS by file URL":     fmt.Sprintf(hls, "file://"+canary),
		"HLS by concat":       fmt.Sprintf(hls, "concat:"+canary+"|"+canary),
		"HLS after a BOM":     "\xef\xbb\xbf" + fmt.Sprintf(hls, canary),
		"HLS with a NUL":      fmt.Sprintf(hls, canary) + "\x00",
		"concat":              "ffconcat version 1.0\nfile '" + canary + "'\n",
		"DASH":                `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet><Representation id="1" bandwidth="1"><BaseURL>` + canary + `</BaseURL></Representation></AdaptationSet></Period></MPD>`,
		"SDP":                 "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5000 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
		"a numbered sequence": canary + "%d.png",
	} {
		_, err := mediatest.Probe(t, file(t, "a.mp4", []byte(text)))
		requireCode(t, child.UnsupportedContainer, err)
		n, err := unix.Read(watch, make([]byte, 4096))
		require.ErrorIs(t, err, unix.EAGAIN, "%s: the canary was touched (%d bytes of events)", name, n)
	}
}

func TestProbeTellsWhatASourceIs(t *testing.T) {
	t.Parallel()
	t.Run("size, rotation, sound and language", func(t *testing.T) {
		t.Parallel()
		turned := mediatest.Generate(t, "t.mp4", "-i", clip(t, "a.mp4"), "-c", "copy", "-metadata:s:v", "rotate=90", "-metadata:s:a", "language=deu")
		got, err := mediatest.Probe(t, turned)
		require.NoError(t, err)
		require.Contains(t, got.Container, "mp4")
		require.InDelta(t, 2000, got.DurationMS, 50)
		require.Equal(t, "h264", got.Video.Codec)
		require.Equal(t, []int{320, 180, 180, 320, 270}, []int{got.Video.Width, got.Video.Height, got.Video.DisplayWidth, got.Video.DisplayHeight, got.Video.Rotation})
		require.InDelta(t, 25, got.Video.FrameRate.Float64(), 0.1)
		require.Equal(t, 8, got.Video.BitDepth)
		require.Equal(t, []child.AudioStream{{Codec: "aac", Channels: 1, SampleRate: 44100, Language: "deu", Default: true}}, got.Audio)
	})
	t.Run("HDR and depth", func(t *testing.T) {
		t.Parallel()
		got, err := mediatest.Probe(t, mediatest.Generate(t, "a.mkv", "-f", "lavfi", "-i", "color=size=128x128:duration=1", "-c:v", "libx265", "-preset", "ultrafast",
			"-pix_fmt", "yuv420p10le", "-x265-params", "log-level=error:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"))
		require.NoError(t, err)
		require.True(t, got.Video.HDR)
		require.Equal(t, 10, got.Video.BitDepth)
		require.Equal(t, "bt2020nc", got.Video.ColorSpace)
	})
	t.Run("a duration that no header tells", func(t *testing.T) {
		t.Parallel()
		got, err := mediatest.Probe(t, mediatest.Generate(t, "a.webm", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25:duration=3", "-c:v", "libvpx", "-live", "1", "-f", "webm"))
		require.NoError(t, err)
		require.InDelta(t, 3000, got.DurationMS, 60)
	})
	t.Run("cover art is no video", func(t *testing.T) {
		t.Parallel()
		cover := mediatest.Generate(t, "c.jpg", "-f", "lavfi", "-i", "color=size=64x64", "-frames:v", "1")
		got, err := mediatest.Probe(t, mediatest.Generate(t, "a.mp3", "-f", "lavfi", "-i", "sine=duration=2", "-i", cover,
			"-map", "0", "-map", "1", "-c:v", "copy", "-c:a", "libmp3lame", "-disposition:v", "attached_pic"))
		require.NoError(t, err)
		require.Nil(t, got.Video)
		require.Len(t, got.Audio, 1)
	})
}

func encodeJob() child.Job {
	return child.Job{Op: child.OpEncode, Duration: 2 * time.Second, Encode: &child.EncodeSpec{
		Rungs:     []child.Rung{{Name: "v180", Width: 320, Height: 180, CRF: 23, MaxBitrateBPS: 500_000}},
		FrameRate: child.Rational{Num: 25, Den: 1}, GOPFrames: 50, SegmentGOPs: 3,
	}}
}

func TestTooLittleMemoryIsALimitNotACrash(t *testing.T) {
	t.Parallel()
	job := encodeJob()
	job.Encode.Rungs[0].Width, job.Encode.Rungs[0].Height = 3840, 2160
	limits := child.LimitsFor(job)
	limits.Memory = 160 << 20
	name := clip(t, "a.mp4")
	err := mediatest.Runner(t).RunLimited(t.Context(), job, limits, mediatest.Open(t, name),
		child.HandlerFunc(func(context.Context, child.Event, *os.File) error { return nil }))
	requireCode(t, child.LimitExceeded, err)
}

func TestASourceThatFailsIsNotTheMediasFault(t *testing.T) {
	t.Parallel()
	away := errors.New("storage is away")
	for _, after := range []int{0, 1, 2} {
		in := &failing{File: mediatest.Open(t, clip(t, "a.mp4")), after: after, err: away}
		err := mediatest.Runner(t).Run(t.Context(), encodeJob(), in,
			child.HandlerFunc(func(context.Context, child.Event, *os.File) error { return nil }))
		require.ErrorIs(t, err, away)
	}
}

// failing is a source that stops to answer.
type failing struct {
	*mediatest.File
	after int
	err   error
}

func (f *failing) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if f.after == 0 {
		return 0, f.err
	}
	f.after--
	return f.File.ReadAt(ctx, p, off)
}
