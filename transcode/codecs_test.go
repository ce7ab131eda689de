package transcode_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/hls-m3u8/m3u8"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

func TestOtherCodecsAreVariantsOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := prepareWorld(t)
	w.codecs = []string{"hevc", "av1"}
	w.start(t)
	source := mediatest.Generate(t, "a.mkv", args(picture("320x180", "25", "9"), []string{"-c:v", "ffv1", "-pix_fmt", "yuv420p", "-colorspace", "bt709"})...)
	m := w.await(t, w.upload(t, source).ID, catalog.StateReady, 5*time.Minute)
	dir := w.hls(t, m)
	raw, err := os.ReadFile(filepath.Join(dir, "multivariant.m3u8"))
	require.NoError(t, err)
	list, _, err := m3u8.DecodeFrom(bytes.NewReader(raw), true)
	require.NoError(t, err)
	var codecs []string
	for _, v := range list.(*m3u8.MasterPlaylist).Variants {
		if v.Iframe {
			continue
		}
		codecs = append(codecs, v.Codecs[:5])
		require.Regexp(t, `^(avc1\.6400..|hvc1\.1\.6\.L[0-9]+\.90|av01\.0\.[0-9]{2}M\.08)$`, v.Codecs)
		require.Equal(t, "320x180", v.Resolution)
		playlist := filepath.Join(dir, v.URI)
		require.Len(t, decode(t, playlist, "-vf", "scale=1:1,format=gray", "-f", "rawvideo"), 225, v.Codecs)
		require.Greater(t, psnr(t, source, playlist), 32.0, v.Codecs)
	}
	require.Equal(t, []string{"avc1.", "hvc1.", "av01."}, codecs, "what plays everywhere comes first")
}

func TestOtherCodecsAreCutWhereASourceThatIsARungHasItsKeyframes(t *testing.T) {
	t.Parallel()
	w := prepareWorld(t)
	w.codecs = []string{"hevc", "av1"}
	w.start(t)
	source := mediatest.Generate(t, "a.mp4", args(picture("960x540", "25", "14"), []string{"-c:v", "libx264", "-preset", "ultrafast",
		"-pix_fmt", "yuv420p", "-b:v", "900k", "-maxrate", "1200k", "-bufsize", "1200k", "-g", "250", "-force_key_frames", "0,4.04,9.4,11.16", "-movflags", "+faststart"})...)
	m := w.await(t, w.upload(t, source).ID, catalog.StateReady, 3*time.Minute)
	dir := w.hls(t, m)
	raw, err := os.ReadFile(filepath.Join(dir, "multivariant.m3u8"))
	require.NoError(t, err)
	list, _, err := m3u8.DecodeFrom(bytes.NewReader(raw), true)
	require.NoError(t, err)
	cuts := map[string][]float64{}
	for _, v := range list.(*m3u8.MasterPlaylist).Variants {
		if v.Iframe {
			continue
		}
		playlist := filepath.Join(dir, v.URI)
		file, err := os.Open(playlist)
		require.NoError(t, err)
		media, _, err := m3u8.DecodeFrom(file, true)
		require.NoError(t, errors.Join(err, file.Close()))
		for _, s := range media.(*m3u8.MediaPlaylist).GetAllSegments() {
			cuts[v.URI] = append(cuts[v.URI], s.Duration)
		}
		require.InDeltaSlice(t, []float64{4.04, 5.36, 4.6}, cuts[v.URI], 0.001, "%s of %s", v.URI, v.Codecs)
		require.Len(t, decode(t, playlist, "-vf", "scale=1:1,format=gray", "-f", "rawvideo"), 14*25, v.Codecs)
	}
	require.Len(t, cuts, 4, "the source, 360p, and 540p of each codec")
}

// psnr is the average of two pictures, frame by frame, in dB.
func psnr(t *testing.T, a, b string) float64 {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-hide_banner", "-nostdin", "-allowed_extensions", "ALL", "-i", b, "-i", a,
		"-lavfi", "[0:v]settb=1/25,setpts=N[a];[1:v]settb=1/25,setpts=N[b];[a][b]psnr", "-f", "null", "-").CombinedOutput()
	require.NoError(t, err, "%s", out)
	_, after, found := strings.Cut(string(out), "average:")
	require.True(t, found, "%s", out)
	var value float64
	_, err = fmt.Sscan(after, &value)
	require.NoError(t, err)
	return value
}
