package jit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/jit"
)

// memory is a source in memory that counts what is read; avail is how much of it
// has arrived.
type memory struct {
	b     []byte
	avail int64
	reads atomic.Int64
	bytes atomic.Int64
}

func inMemory(b []byte) *memory { return &memory{b: b, avail: int64(len(b))} }

func (m *memory) Size() int64 { return m.avail }

func (m *memory) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	m.reads.Add(1)
	if off >= m.avail {
		return 0, io.EOF
	}
	n := copy(p, m.b[off:m.avail])
	m.bytes.Add(int64(n))
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// streaming is a source that also opens ranges, as an object store does.
type streaming struct{ *memory }

func (s streaming) OpenRange(_ context.Context, off, n int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s.b[off : off+n])), nil
}

// ffmpeg runs the command and fails on any message of level error.
func ffmpeg(t testing.TB, args ...string) {
	t.Helper()
	args = append([]string{"-hide_banner", "-nostdin", "-v", "error", "-y"}, args...)
	out, err := exec.CommandContext(t.Context(), "ffmpeg", args...).CombinedOutput()
	require.NoError(t, err, "ffmpeg %s\n%s", strings.Join(args, " "), out)
	require.Empty(t, strings.TrimSpace(string(out)), "ffmpeg %s", strings.Join(args, " "))
}

// picture and tone are small generated inputs.
func picture(seconds float64, rate string) []string {
	return []string{"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=s=320x180:r=%s:d=%g", rate, seconds)}
}

func tone(seconds float64) []string {
	return []string{"-f", "lavfi", "-i", fmt.Sprintf("sine=f=440:r=44100:d=%g", seconds)}
}

// h264 encodes with a keyframe each gop frames and bf B-frames.
func h264(gop, bf int) []string {
	return []string{"-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-pix_fmt", "yuv420p",
		"-g", strconv.Itoa(gop), "-bf", strconv.Itoa(bf), "-sc_threshold", "0", "-x264-params", "scenecut=0"}
}

func aac() []string { return []string{"-c:a", "aac", "-b:a", "64k"} }

func args(parts ...[]string) []string {
	var out []string
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// generate writes a file by ffmpeg and returns its path.
func generate(t testing.TB, name string, parts ...[]string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	ffmpeg(t, append(args(parts...), file)...)
	return file
}

func load(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	return b
}

func build(t testing.TB, b []byte) *jit.Index {
	t.Helper()
	x, err := jit.Build(t.Context(), inMemory(b))
	require.NoError(t, err)
	return x
}

// dump writes the HLS presentation to a folder: track n lies in t<n>.
func dump(t testing.TB, x *jit.Index, src jit.Source) string {
	t.Helper()
	dir := t.TempDir()
	master := "#EXTM3U\n"
	v := x.Variant()
	audioGroup := ""
	for n, track := range x.Tracks() {
		sub := filepath.Join(dir, "t"+strconv.Itoa(n))
		require.NoError(t, os.Mkdir(sub, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(sub, "index.m3u8"), x.Playlist(n), 0o600))
		init, err := x.Init(n)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(sub, jit.InitName), init, 0o600))
		for i := range x.Segments(n) {
			seg, err := x.Segment(n, i)
			require.NoError(t, err)
			var b bytes.Buffer
			require.NoError(t, seg.Write(t.Context(), &b, src))
			require.EqualValues(t, seg.Size, b.Len(), "the size known in advance")
			require.NoError(t, os.WriteFile(filepath.Join(sub, jit.SegmentName(i)), b.Bytes(), 0o600))
		}
		if !track.Video && x.HasVideo() {
			audioGroup = `,AUDIO="a"`
			master += fmt.Sprintf("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"%d\",URI=\"t%d/index.m3u8\"\n", n, n)
		}
	}
	master += fmt.Sprintf("#EXT-X-STREAM-INF:BANDWIDTH=%d,CODECS=%q%s\nt0/index.m3u8\n", v.BandwidthBPS, v.Codecs, audioGroup)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "multivariant.m3u8"), []byte(master), 0o600))
	return dir
}

// joined writes init and media segments of a track one after the other.
func joined(t testing.TB, dir string, track, segments int) string {
	t.Helper()
	sub := filepath.Join(dir, "t"+strconv.Itoa(track))
	b := load(t, filepath.Join(sub, jit.InitName))
	for i := range segments {
		b = append(b, load(t, filepath.Join(sub, jit.SegmentName(i)))...)
	}
	file := filepath.Join(sub, "joined.mp4")
	require.NoError(t, os.WriteFile(file, b, 0o600))
	return file
}

// packet is what ffprobe says about an access unit; times are ticks.
type packet struct {
	PTS      int64  `json:"pts"`
	DTS      int64  `json:"dts"`
	Duration int64  `json:"duration"`
	Hash     string `json:"data_hash"`
	Flags    string `json:"flags"`
}

// packets lists the access units of a stream and the ticks a second.
func packets(t testing.TB, file, stream string) ([]packet, int64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-select_streams", stream,
		"-show_packets", "-show_data_hash", "md5", "-show_entries", "packet=pts,dts,duration,flags,data_hash:stream=time_base", "-of", "json", file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	require.Empty(t, stderr.String(), file)
	var parsed struct {
		Packets []packet `json:"packets"`
		Streams []struct {
			TimeBase string `json:"time_base"`
		} `json:"streams"`
	}
	require.NoError(t, json.Unmarshal(out, &parsed))
	require.Len(t, parsed.Streams, 1)
	scale, err := strconv.ParseInt(strings.TrimPrefix(parsed.Streams[0].TimeBase, "1/"), 10, 64)
	require.NoError(t, err)
	return parsed.Packets, scale
}
