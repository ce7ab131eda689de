package av_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/transcode/child"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

// rendition is what one or several jobs made of a rung.
type rendition struct {
	init     []byte
	segments []child.Segment
	media    []byte // all segments in a row
	samples  int
	end      uint64 // decode time after the last sample
}

// add appends a job's part.
func (r *rendition) add(t *testing.T, out *mediatest.Output, name string) {
	t.Helper()
	init, err := os.ReadFile(filepath.Join(out.Dir, out.Inits[name].File))
	require.NoError(t, err)
	if r.init != nil {
		require.Equal(t, r.init, init, "init segments differ")
	}
	r.init = init
	for _, s := range out.Segments[name] {
		require.Equal(t, len(r.segments), s.N)
		raw, err := os.ReadFile(filepath.Join(out.Dir, s.File))
		require.NoError(t, err)
		parsed, err := mp4.DecodeFile(bytes.NewReader(raw))
		require.NoError(t, err)
		for _, fragment := range parsed.Segments[0].Fragments {
			require.Equal(t, r.end, fragment.Moof.Traf.Tfdt.BaseMediaDecodeTime(), "segment %d", s.N)
			samples, err := fragment.GetFullSamples(nil)
			require.NoError(t, err)
			require.True(t, samples[0].IsSync())
			for _, x := range samples {
				r.end += uint64(x.Dur)
			}
			r.samples += len(samples)
		}
		s.Bytes, s.File, s.Iframes = 0, "", nil
		r.segments = append(r.segments, s)
		r.media = append(r.media, raw...)
	}
}

func (r *rendition) file(t *testing.T) string {
	t.Helper()
	return file(t, "r.mp4", append(append([]byte{}, r.init...), r.media...))
}

// worst is the lowest PSNR of a frame of two files, in dB.
func worst(t *testing.T, a, b string) float64 {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-hide_banner", "-nostdin", "-i", a, "-i", b,
		"-lavfi", "[0:v][1:v]psnr", "-f", "null", "-").CombinedOutput()
	require.NoError(t, err, "%s", out)
	found := regexp.MustCompile(`PSNR .* min:(\S+)`).FindSubmatch(out)
	require.NotNil(t, found, "%s", out)
	if string(found[1]) == "inf" {
		return 100
	}
	low, err := strconv.ParseFloat(string(found[1]), 64)
	require.NoError(t, err)
	return low
}

// moving is a picture of which no two frames are alike.
func moving(rate string, seconds int, more ...string) []string {
	return append([]string{"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=320x180:rate=%s:duration=%d", rate, seconds)}, more...)
}

func TestChunksFitTogetherToTheFrame(t *testing.T) {
	t.Parallel()
	x264 := func(params string) []string {
		return []string{"-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-x264-params", params}
	}
	cut := func(t *testing.T) string { // starts between keyframes, hidden by an edit list
		whole := mediatest.Generate(t, "whole.mp4", append(moving("25", 16), x264("keyint=50:bframes=3")...)...)
		return mediatest.Generate(t, "cut.mp4", "-ss", "1.3", "-i", whole, "-c", "copy")
	}
	made := func(name string, args ...string) func(*testing.T) string {
		return func(t *testing.T) string { return mediatest.Generate(t, name, append([]string{}, args...)...) }
	}
	for _, c := range []struct {
		name string
		file func(t *testing.T) string
		rate child.Rational
		cuts []int64
		unit int // the timescale, 0 its own
	}{
		{"B-frames, keyframes 10 s apart", made("a.mp4", append(moving("25", 17), x264("keyint=250:bframes=3")...)...), child.Rational{Num: 25, Den: 1}, nil, 0},
		{"open GOPs, NTSC rate", made("b.mp4", append(moving("30000/1001", 15), x264("keyint=40:open-gop=1:bframes=3")...)...), child.Rational{Num: 30000, Den: 1001}, nil, 0},
		{"HEVC with open GOPs in MKV", made("c.mkv", append(moving("24", 15), "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=48:bframes=3")...), child.Rational{Num: 24, Den: 1}, nil, 0},
		{"variable rate", made("d.mkv", append(moving("30", 15, "-vf", "select='lt(random(0),0.4)+eq(n,0)'", "-fps_mode", "vfr"), x264("keyint=60")...)...), child.Rational{Num: 30, Den: 1}, nil, 0},
		{"a pause of 7 s", made("e.mkv", append(moving("25", 9, "-vf", "setpts='PTS+gt(T,3)*7/TB'", "-fps_mode", "vfr"), x264("keyint=50")...)...), child.Rational{Num: 25, Den: 1}, nil, 0},
		{"an edit list", cut, child.Rational{Num: 25, Den: 1}, nil, 0},
		{"interlaced", made("f.mp4", append(moving("50", 15, "-vf", "interlace", "-flags", "+ildct+ilme"), x264("keyint=50:tff=1")...)...), child.Rational{Num: 25, Den: 1}, nil, 0},
		{"cuts of one's own", made("g.mp4", append(moving("25", 17), x264("keyint=250:bframes=3")...)...), child.Rational{Num: 25, Den: 1}, []int64{0, 47, 170, 300, 371}, 12_800},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			name := c.file(t)
			probe, err := mediatest.Probe(t, name)
			require.NoError(t, err)
			require.Empty(t, probe.Unseekable)
			job := child.Job{Op: child.OpEncode, Duration: time.Duration(probe.DurationMS) * time.Millisecond, Encode: &child.EncodeSpec{
				Rungs:     []child.Rung{{Name: "v180", Width: 320, Height: 180, CRF: 20, MaxBitrateBPS: 3_000_000}, {Name: "v90", Width: 160, Height: 90, CRF: 20, MaxBitrateBPS: 1_000_000}},
				FrameRate: c.rate, GOPFrames: int(2*c.rate.Float64() + 0.5), SegmentGOPs: 3, FirstGOPs: 1, Cuts: c.cuts, Timescale: c.unit,
			}}
			out, err := mediatest.Run(t, job, name)
			require.NoError(t, err)
			var whole, opened, chunked rendition
			whole.add(t, out, "v180")
			job.Opening = true
			soon, err := mediatest.Run(t, job, name)
			require.NoError(t, err)
			opened.add(t, soon, "v180")
			require.Equal(t, whole.segments, opened.segments)
			require.Equal(t, whole.samples, opened.samples)
			require.Greater(t, worst(t, whole.file(t), opened.file(t)), 32.0, "a frame is not the same picture when the first segment is waited for")
			job.Opening = false
			const chunk = 1
			for from := 0; ; from += chunk {
				job.Encode.FromSegment, job.Encode.ToSegment, job.Threads = from, from+chunk, 1
				last := from+chunk >= len(whole.segments)
				if last {
					job.Encode.ToSegment = 0
				}
				part, err := mediatest.Run(t, job, name)
				require.NoError(t, err)
				chunked.add(t, part, "v180")
				require.Len(t, part.Segments["v90"], len(part.Segments["v180"]))
				if last {
					require.Equal(t, out.Done.DurationMS, part.Done.DurationMS)
					break
				}
			}
			require.Greater(t, len(whole.segments), 2)
			require.Equal(t, whole.segments, chunked.segments)
			require.Equal(t, whole.samples, chunked.samples)
			low := worst(t, whole.file(t), chunked.file(t))
			t.Logf("%d frames in %d segments, worst %.1f dB", whole.samples, len(whole.segments), low)
			require.Greater(t, low, 32.0, "a frame of a chunk is not the same picture")
			for i, at := range c.cuts {
				require.EqualValues(t, at, frameOf(whole.segments, i, int64(c.unit/25)), "segment %d", i)
			}
		})
	}
}

// frameOf is the frame at which segment n starts, if each lasts ticks.
func frameOf(segments []child.Segment, n int, ticks int64) int64 {
	sum := int64(0)
	for _, s := range segments[:n] {
		sum += s.Duration
	}
	return sum / ticks
}

func TestChunksInARowKeepTheRate(t *testing.T) {
	t.Parallel()
	const most = 600_000
	name := mediatest.Generate(t, "a.mp4", moving("25", 26, "-vf", "noise=alls=40:allf=t:all_seed=1",
		"-c:v", "libx264", "-preset", "ultrafast", "-crf", "18", "-pix_fmt", "yuv420p")...)
	job := child.Job{Op: child.OpEncode, Duration: 26 * time.Second, Threads: 1, Encode: &child.EncodeSpec{
		Rungs:     []child.Rung{{Name: "v180", Width: 320, Height: 180, CRF: 20, MaxBitrateBPS: most}},
		FrameRate: child.Rational{Num: 25, Den: 1}, GOPFrames: 50, SegmentGOPs: 3, FirstGOPs: 1,
	}}
	bytes, ticks := int64(0), int64(0)
	for from := 1; from < 5; from++ {
		job.Encode.FromSegment, job.Encode.ToSegment = from, from+1
		out, err := mediatest.Run(t, job, name)
		require.NoError(t, err)
		require.Len(t, out.Segments["v180"], 1)
		bytes, ticks = bytes+out.Segments["v180"][0].Bytes, ticks+out.Segments["v180"][0].Duration
	}
	rate := float64(bytes) * 8 / (float64(ticks) / 25_000)
	t.Logf("%.0f bits per second of %d", rate, most)
	require.Greater(t, rate, 0.8*most, "the rate caps these pictures")
	require.Less(t, rate, 1.05*most)
}

func TestAChunkPastTheEndIsEmpty(t *testing.T) {
	t.Parallel()
	job := encodeJob()
	job.Duration = 30 * time.Second // as a header may claim
	job.Encode.FromSegment, job.Encode.ToSegment = 3, 4
	out, err := mediatest.Run(t, job, clip(t, "a.mp4"))
	require.NoError(t, err)
	require.Empty(t, out.Segments["v180"])
	require.Contains(t, out.Inits, "v180")
}

func TestWhatCannotBeSoughtInSaysSo(t *testing.T) {
	t.Parallel()
	probe, err := mediatest.Probe(t, mediatest.Generate(t, "a.ts", moving("25", 9, "-c:v", "mpeg2video")...))
	require.NoError(t, err)
	require.NotEmpty(t, probe.Unseekable)
}
