package jit_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/jit"
)

func TestWhatCannotBeServedIsNamed(t *testing.T) {
	t.Parallel()
	small := picture(2, "25")
	plain := [][]string{small, tone(2), h264(25, 2), aac()}
	for _, c := range []struct {
		name   string
		file   string
		args   [][]string
		edit   func(t testing.TB, file string) string
		reason jit.Reason
	}{
		{"HEVC", "a.mp4", [][]string{small, {"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"}}, nil, jit.VideoCodec},
		{"VP9", "a.mp4", [][]string{small, {"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"}}, nil, jit.VideoCodec},
		{"ten bits", "a.mp4", [][]string{small, {"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le"}}, nil, jit.VideoFormat},
		{"4:4:4", "a.mp4", [][]string{small, {"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p"}}, nil, jit.VideoFormat},
		{"interlaced", "a.mp4", [][]string{small, h264(25, 0), {"-flags", "+ildct+ilme", "-x264-params", "tff=1"}}, nil, jit.Interlaced},
		{"HLG", "a.mp4", [][]string{small, h264(25, 0), {"-color_trc", "arib-std-b67", "-color_primaries", "bt2020", "-colorspace", "bt2020nc"}}, nil, jit.HDR},
		{"AC-3", "a.mp4", [][]string{small, tone(2), h264(25, 2), {"-c:a", "ac3"}}, nil, jit.AudioCodec},
		{"MP3", "a.mp4", [][]string{small, tone(2), h264(25, 2), {"-c:a", "libmp3lame"}}, nil, jit.AudioCodec},
		{"PCM in QuickTime", "a.mov", [][]string{small, tone(2), h264(25, 2), {"-c:a", "pcm_s16le"}}, nil, jit.AudioCodec},
		{"encrypted", "a.mp4", append(plain[:4:4], []string{"-encryption_scheme", "cenc-aes-ctr",
			"-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb", "-encryption_kid", "a7e61c373e219033c21091fa607bf3b8"}), nil, jit.Encrypted},
		{"rotated", "a.mp4", plain, patched("tkhd", func(b []byte) {
			copy(b[40:], []byte{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0})
		}), jit.Rotated},
		{"no closed keyframe for 15 s", "a.mp4", [][]string{picture(17, "10"), h264(150, 2)}, nil, jit.KeyframeGap},
		{"sync table left out", "a.mp4", plain, without("stss"), jit.KeyframesUnknown},
		{"a cut far behind a keyframe", "a.mp4", [][]string{picture(8, "25"), h264(100, 2)}, cutCopy("6"), jit.EditHidden},
		{"several edits", "a.mp4", plain, elst(500, 0, 500, 12800), jit.EditList},
		{"media in another file", "a.mp4", plain, patched("dinf", func(b []byte) { b[8+8+8+3] = 0 }), jit.ExternalData},
		{"a duration of zero", "a.mp4", plain, patched("stts", func(b []byte) { binary.BigEndian.PutUint32(b[12:], 0) }), jit.Timestamps},
		{"two sample entries", "a.mp4", plain, twoEntries, jit.SampleEntries},
		{"four billion samples", "a.mp4", plain, patched("stsz", func(b []byte) {
			binary.BigEndian.PutUint32(b[4:], 1)
			binary.BigEndian.PutUint32(b[8:], 1<<32-1)
		}), jit.TooLarge},
		{"more samples than bytes", "a.mp4", plain, patched("stsz", func(b []byte) {
			binary.BigEndian.PutUint32(b[4:], 100)
			binary.BigEndian.PutUint32(b[8:], 1_500_000)
		}), jit.Truncated},
		{"audio that ends early", "a.mp4", [][]string{picture(16, "10"), tone(2), h264(50, 2), aac()}, nil, jit.TrackLengths},
		{"Matroska", "a.mkv", plain, nil, jit.NotMP4},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := generate(t, c.file, c.args...)
			if c.edit != nil {
				file = c.edit(t, file)
			}
			_, err := jit.Build(t.Context(), inMemory(load(t, file)))
			unservable, ok := errors.AsType[*jit.Unservable](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, c.reason, unservable.Reason, unservable.Detail)
			require.NotEmpty(t, unservable.Detail)
		})
	}
}

// patched changes the body of each box of a kind.
func patched(box string, change func(body []byte)) func(testing.TB, string) string {
	return func(t testing.TB, file string) string {
		return rewritten(t, file, func(kind string, body []byte) (string, []byte) {
			if kind == box {
				body = append([]byte(nil), body...)
				change(body)
			}
			return kind, body
		})
	}
}

// elst replaces edit lists by pairs of duration and media time.
func elst(pairs ...int) func(testing.TB, string) string {
	return func(t testing.TB, file string) string {
		return rewritten(t, file, func(kind string, body []byte) (string, []byte) {
			if kind != "elst" {
				return kind, body
			}
			out := binary.BigEndian.AppendUint32(make([]byte, 4), uint32(len(pairs)/2))
			for i := 0; i < len(pairs); i += 2 {
				out = binary.BigEndian.AppendUint32(out, uint32(pairs[i]))
				out = binary.BigEndian.AppendUint32(out, uint32(pairs[i+1]))
				out = binary.BigEndian.AppendUint32(out, 1<<16)
			}
			return kind, out
		})
	}
}

// twoEntries repeats the sample entry of each description.
func twoEntries(t testing.TB, file string) string {
	return rewritten(t, file, func(kind string, body []byte) (string, []byte) {
		if kind == "stsd" {
			body = append(append([]byte(nil), body...), body[8:]...)
			body[7] = 2
		}
		return kind, body
	})
}

func TestGrowingFileIsIndexedWhenItsTablesAreThere(t *testing.T) {
	t.Parallel()
	first := load(t, generate(t, "a.mp4", picture(6, "25"), tone(6), h264(50, 2), aac(), []string{"-movflags", "+faststart"}))
	last := load(t, generate(t, "b.mp4", picture(6, "25"), tone(6), h264(50, 2), aac()))

	src := inMemory(first)
	for src.avail = 0; ; {
		x, err := jit.Early(t.Context(), src, int64(len(first)))
		more, ok := errors.AsType[*jit.NeedMore](err)
		if !ok {
			require.NoError(t, err)
			require.Equal(t, build(t, first).Encode(), x.Encode())
			break
		}
		require.ErrorIs(t, err, jit.ErrNeedMore)
		require.Greater(t, more.Size, src.avail)
		require.False(t, more.TablesLast)
		src.avail = more.Size
	}
	require.Less(t, src.avail, int64(len(first)/5), "the media data is not needed")
	requireArrivals(t, build(t, first), src.avail, int64(len(first)))

	src = inMemory(last)
	src.avail = int64(len(last) / 2)
	_, err := jit.Early(t.Context(), src, int64(len(last)))
	more, ok := errors.AsType[*jit.NeedMore](err)
	require.True(t, ok, "%v", err)
	require.Greater(t, more.Size, int64(len(last)/2))
	require.True(t, more.TablesLast)
	_, err = jit.Build(t.Context(), src)
	unservable, ok := errors.AsType[*jit.Unservable](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, jit.Truncated, unservable.Reason)

	src.avail = int64(len(last))
	src.reads.Store(0)
	_, err = jit.Build(t.Context(), src)
	require.NoError(t, err)
	require.LessOrEqual(t, src.reads.Load(), int64(2), "reads to index a file with its tables at the end")
}

// requireArrivals holds what an index says of a file that grows against the ranges of
// its segments.
func requireArrivals(t *testing.T, x *jit.Index, from, to int64) {
	t.Helper()
	require.False(t, x.Starts(from), "not one segment is there")
	for size := from; ; size += 997 {
		size = min(size, to)
		starts := true
		for track := range x.Tracks() {
			n := x.Arrived(track, size)
			for i := range x.Segments(track) {
				s, err := x.Segment(track, i)
				require.NoError(t, err)
				if i < n {
					require.LessOrEqual(t, s.End(), size)
				} else if i == n {
					require.Greater(t, s.End(), size)
				}
			}
			starts = starts && n >= min(2, x.Segments(track))
			list := string(x.GrowingPlaylist(track, n))
			require.Equal(t, n, strings.Count(list, "#EXTINF"))
			require.NotContains(t, list, "ENDLIST")
			require.Contains(t, list, "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-START:TIME-OFFSET=0\n")
			_, grown, _ := strings.Cut(list, "#EXT-X-MAP")
			require.Contains(t, string(x.Playlist(track)), grown, "what was offered stays")
		}
		require.Equal(t, starts, x.Starts(size))
		if size == to {
			require.True(t, starts)
			return
		}
	}
}

func TestFactsForTheMultivariantPlaylist(t *testing.T) {
	t.Parallel()
	x := build(t, load(t, generate(t, "a.mp4", picture(7, "25"), []string{"-f", "lavfi", "-i", "sine=f=300:r=48000:d=7"},
		h264(50, 2), []string{"-vf", "setsar=4/3", "-profile:v", "main", "-ac", "2", "-metadata:s:a:0", "language=fra"}, aac())))
	v := x.Variant()
	require.Regexp(t, `^avc1\.4D[0-9A-F]{4},mp4a\.40\.2$`, v.Codecs)
	require.Equal(t, 426, v.Width, "320 samples of 4:3, made even")
	require.Equal(t, 180, v.Height)
	require.InDelta(t, 25, v.FrameRate, 0.001)
	require.InDelta(t, 7, x.Duration().Seconds(), 0.05)
	tracks := x.Tracks()
	require.Len(t, tracks, 2)
	require.True(t, x.HasVideo() && tracks[0].Video)
	require.Equal(t, "fra", tracks[1].Language)
	require.Equal(t, 2, tracks[1].Channels)
	require.Equal(t, 48000, tracks[1].SampleRate)
	for n, track := range tracks {
		total, peak := int64(0), 0.0
		for i := range x.Segments(n) {
			s, err := x.Segment(n, i)
			require.NoError(t, err)
			total += s.Size
			peak = max(peak, float64(s.Size*8)/s.Duration.Seconds())
		}
		mean := float64(total*8) / track.Duration.Seconds()
		require.InEpsilon(t, mean, track.AverageBandwidthBPS, 0.1)
		require.GreaterOrEqual(t, track.BandwidthBPS, track.AverageBandwidthBPS)
		require.LessOrEqual(t, float64(track.BandwidthBPS), peak*1.1)
	}
	require.Equal(t, tracks[0].BandwidthBPS+tracks[1].BandwidthBPS, v.BandwidthBPS)
}

func TestAudioInAnotherFormatIsPassedOverOnlyBesideItsLanguage(t *testing.T) {
	t.Parallel()
	two := func(second string) []byte {
		return load(t, generate(t, "a.mp4", picture(2, "25"), tone(2), tone(2), []string{"-map", "0", "-map", "1", "-map", "2",
			"-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=" + second}, h264(25, 2), []string{"-c:a:0", "aac", "-c:a:1", "ac3"}))
	}
	x := build(t, two("eng"))
	require.Len(t, x.Tracks(), 2, "video and the AAC track")
	_, err := jit.Build(t.Context(), inMemory(two("deu")))
	unservable, ok := errors.AsType[*jit.Unservable](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, jit.AudioCodec, unservable.Reason, "German would be lost")
}

func TestCancelledReadsEnd(t *testing.T) {
	t.Parallel()
	b := tiny(t, "+faststart")
	ctx, cancel := context.WithCancel(t.Context())
	x := build(t, b)
	cancel()
	_, err := jit.Build(ctx, inMemory(b))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, x.WriteSegment(ctx, io.Discard, inMemory(b), 0, 0), context.Canceled)
}
