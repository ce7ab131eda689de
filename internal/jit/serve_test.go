package jit_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/Eyevinn/hls-m3u8/m3u8"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/jit"
)

// sources are files that are served as they are. Each is made by ffmpeg, or from
// such a file by edit.
var sources = []struct {
	name string
	file string
	args [][]string
	edit func(t testing.TB, file string) string
	late int64 // ticks by which FFmpeg reads the source's video late
}{
	{name: "moov first with B-frames", file: "a.mp4", args: [][]string{
		picture(9, "25"), tone(9), h264(50, 2), aac(), {"-movflags", "+faststart"}}},
	{name: "moov last with B-frames", file: "a.mp4", args: [][]string{picture(9, "25"), tone(9), h264(50, 3), aac()}},
	{name: "no B-frames at 29.97", file: "a.mp4", args: [][]string{picture(8, "30000/1001"), tone(8), h264(60, 0), aac()}},
	{name: "QuickTime", file: "a.mov", args: [][]string{picture(7, "24"), tone(7), h264(48, 2), aac()}},
	{name: "audio delayed by an empty edit", file: "a.mp4", args: [][]string{
		picture(8, "25"), {"-itsoffset", "0.7"}, tone(7), {"-map", "0:v", "-map", "1:a"}, h264(50, 2), aac()}},
	{name: "audio delayed beyond the first segment", file: "a.mp4", args: [][]string{
		picture(8, "25"), {"-itsoffset", "3.3"}, tone(5), {"-map", "0:v", "-map", "1:a"}, h264(50, 2), aac()}},
	{name: "video delayed by an empty edit", file: "a.mp4", args: [][]string{
		{"-itsoffset", "0.4"}, picture(8, "25"), tone(8), {"-map", "0:v", "-map", "1:a"}, h264(50, 2), aac()}},
	{name: "a cut without encoding, just after a keyframe", file: "a.mp4",
		args: [][]string{picture(10, "25"), tone(10), h264(50, 2), aac()}, edit: cutCopy("2.2")},
	{name: "two audio tracks", file: "a.mp4", args: [][]string{
		picture(7, "25"), tone(7), tone(7), {"-map", "0", "-map", "1", "-map", "2", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu"},
		h264(50, 2), aac()}},
	{name: "64-bit chunk offsets", file: "a.mp4",
		args: [][]string{picture(7, "25"), tone(7), h264(50, 2), aac()}, edit: wideOffsets},
	{name: "fragmented by keyframe", file: "a.mp4", args: [][]string{
		picture(8, "25"), tone(8), h264(50, 2), aac(), {"-movflags", "frag_keyframe+empty_moov+default_base_moof"}}},
	{name: "fragmented after a movie box with samples", file: "a.mp4", args: [][]string{
		picture(8, "25"), tone(8), h264(50, 2), aac(), {"-movflags", "frag_keyframe"}}},
	{name: "fragmented with edit lists", file: "a.mp4", args: [][]string{
		picture(8, "25"), tone(8), h264(50, 2), aac(), {"-movflags", "frag_keyframe+delay_moov"}}},
	// FFmpeg shows video with negative offsets in fragments later by the largest.
	{name: "CMAF fragments with negative offsets", late: 512, file: "a.mp4", args: [][]string{
		picture(8, "25"), tone(8), h264(50, 2), aac(), {"-movflags", "cmaf+frag_keyframe"}}},
	{name: "no audio", file: "a.mp4", args: [][]string{picture(7, "25"), h264(50, 2)}},
	{name: "audio alone", file: "a.m4a", args: [][]string{tone(14), aac()}},
	{name: "every frame a keyframe", file: "a.mp4", args: [][]string{picture(5, "25"), tone(5), h264(1, 0), aac()}},
	{name: "ten seconds between keyframes", file: "a.mp4", args: [][]string{picture(21, "25"), tone(21), h264(250, 2), aac()}},
	{name: "variable frame rate", file: "a.mp4", args: [][]string{
		picture(9, "30"), tone(9), {"-vf", "select='not(mod(n\\,3))+lt(mod(n\\,40)\\,13)'", "-vsync", "vfr"}, h264(40, 2), aac()}},
	{name: "anamorphic", file: "a.mp4", args: [][]string{picture(5, "25"), {"-vf", "setsar=4/3"}, h264(50, 2)}},
	{name: "audio interleaved far apart", file: "a.mp4",
		args: [][]string{picture(8, "25"), tone(8), h264(50, 2), aac(), {"-max_interleave_delta", "1", "-chunk_duration", "1000000"}}},
}

func cutCopy(at string) func(testing.TB, string) string {
	return func(t testing.TB, file string) string {
		return generate(t, "cut.mp4", []string{"-ss", at, "-i", file, "-c", "copy"})
	}
}

func TestSourcesAreServedUnchanged(t *testing.T) {
	t.Parallel()
	for _, s := range sources {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			file := generate(t, s.file, s.args...)
			if s.edit != nil {
				file = s.edit(t, file)
			}
			b := load(t, file)
			x := build(t, b)
			again, err := jit.Decode(x.Encode())
			require.NoError(t, err)
			require.Equal(t, x.Encode(), again.Encode(), "the index round-trips")
			dir := dump(t, again, streaming{inMemory(b)})
			ffmpeg(t, "-i", filepath.Join(dir, "multivariant.m3u8"), "-map", "0", "-f", "null", os.DevNull)
			audio := 0
			for n, track := range x.Tracks() {
				stream := "v:0"
				if !track.Video {
					stream = fmt.Sprintf("a:%d", audio)
					audio++
				}
				want, scale := packets(t, file, stream)
				got, servedScale := packets(t, joined(t, dir, n, track.Segments), "0")
				require.Equal(t, scale, servedScale)
				shift := int64(math.Round(x.LeadIn().Seconds() * float64(scale)))
				if track.Video {
					shift -= s.late
				}
				comparePackets(t, want, got, shift, float64(scale)/100_000)
				comparePlaylist(t, x, n, got, float64(scale))
			}
			for i := range x.Segments(0) {
				var b1 bytes.Buffer
				require.NoError(t, x.WriteSegment(t.Context(), &b1, inMemory(b), 0, i))
				require.True(t, bytes.Equal(load(t, filepath.Join(dir, "t0", jit.SegmentName(i))), b1.Bytes()),
					"read in pieces and streamed give the same")
			}
		})
	}
}

// comparePackets holds payloads and presentation times of a track against the
// source's as ffprobe sees them after the edit list.
func comparePackets(t *testing.T, want, got []packet, shift int64, tolerance float64) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i].Hash, got[i].Hash, "payload %d", i)
		require.InDelta(t, want[i].PTS+shift, got[i].PTS, tolerance, "time of %d", i)
		require.Equal(t, want[i].Flags[0], got[i].Flags[0], "keyframe flag of %d", i)
	}
	for i := 1; i < len(got); i++ {
		require.Greater(t, got[i].DTS, got[i-1].DTS, "decode times")
	}
}

// comparePlaylist parses a playlist with an independent reader and holds it
// against the segments.
func comparePlaylist(t *testing.T, x *jit.Index, n int, served []packet, scale float64) {
	t.Helper()
	parsed, kind, err := m3u8.DecodeFrom(bytes.NewReader(x.Playlist(n)), true)
	require.NoError(t, err)
	require.Equal(t, m3u8.MEDIA, kind)
	list := parsed.(*m3u8.MediaPlaylist)
	require.True(t, list.Closed)
	require.True(t, list.IndependentSegments())
	require.EqualValues(t, 7, list.Version())
	require.Equal(t, m3u8.VOD, list.MediaType)
	require.Equal(t, jit.InitName, list.Map.URI)
	segments := list.GetAllSegments()
	require.Len(t, segments, x.Segments(n))
	track, sum := x.Tracks()[n], 0.0
	for i, s := range segments {
		sum += s.Duration
		require.LessOrEqual(t, math.Round(s.Duration), float64(list.TargetDuration))
		if i > 0 && i < len(segments)-1 && track.Video {
			require.GreaterOrEqual(t, s.Duration, 1.99, "segment %d", i)
		}
		require.Equal(t, jit.SegmentName(i), s.URI)
	}
	require.InDelta(t, track.Duration.Seconds(), sum, 1e-5)
	end, frame := int64(0), int64(0)
	for i, p := range served {
		end = max(end, p.PTS+p.Duration)
		if i > 0 { // ffprobe names one duration for all frames of a variable rate
			frame = max(frame, p.DTS-served[i-1].DTS)
		}
	}
	require.InDelta(t, float64(end)/scale, sum, float64(frame)/scale+1e-5, "within one frame of the media")
}
