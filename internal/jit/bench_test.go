package jit_test

import (
	"io"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/jit"
)

// tenMinutes is a small film with the tables of a real one: 30 frames a second,
// B-frames, interleaved as FFmpeg does by default.
func tenMinutes(tb testing.TB, flags string) []byte {
	tb.Helper()
	return load(tb, generate(tb, "film.mp4", []string{"-f", "lavfi", "-i", "color=gray:s=320x180:r=30:d=600"}, tone(600),
		h264(60, 2), []string{"-c:a", "aac", "-b:a", "32k", "-movflags", flags}))
}

func benchmarkBuild(b *testing.B, file []byte) {
	src := inMemory(file)
	var x *jit.Index
	before := cpu()
	for b.Loop() {
		var err error
		x, err = jit.Build(b.Context(), src)
		require.NoError(b, err)
	}
	b.ReportMetric((cpu()-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
	samples := 0
	for _, t := range x.Tracks() {
		samples += t.Samples
	}
	index := x.Encode()
	b.ReportMetric(x.Duration().Minutes(), "min")
	b.ReportMetric(float64(src.reads.Load())/float64(b.N), "reads/op")
	b.ReportMetric(float64(src.bytes.Load())/float64(b.N), "read-bytes/op")
	b.ReportMetric(float64(len(index)), "index-bytes")
	b.ReportMetric(float64(len(index))/float64(samples), "index-bytes/sample")
}

func BenchmarkBuildTenMinutes(b *testing.B)      { benchmarkBuild(b, tenMinutes(b, "-faststart")) }
func BenchmarkBuildTenMinutesFirst(b *testing.B) { benchmarkBuild(b, tenMinutes(b, "+faststart")) }
func BenchmarkBuildTenMinutesFragmented(b *testing.B) {
	benchmarkBuild(b, tenMinutes(b, "frag_keyframe+delay_moov"))
}

func BenchmarkBuildHour(b *testing.B) { benchmarkBuild(b, hour(b)) }

// hour joins six copies of ten minutes without encoding them again.
func hour(tb testing.TB) []byte {
	tb.Helper()
	dir := tb.TempDir()
	part := filepath.Join(dir, "part.mp4")
	ffmpeg(tb, append(args([]string{"-f", "lavfi", "-i", "color=gray:s=320x180:r=30:d=600"}, tone(600), h264(60, 2),
		[]string{"-c:a", "aac", "-b:a", "32k"}), part)...)
	whole := filepath.Join(dir, "whole.mp4")
	ffmpeg(tb, "-stream_loop", "5", "-i", part, "-c", "copy", whole)
	return load(tb, whole)
}

func BenchmarkDecodeHour(b *testing.B) {
	index := build(b, hour(b)).Encode()
	before := cpu()
	for b.Loop() {
		_, err := jit.Decode(index)
		require.NoError(b, err)
	}
	b.ReportMetric((cpu()-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
}

func BenchmarkSegmentOfHour(b *testing.B) {
	file := hour(b)
	x, src := build(b, file), streaming{inMemory(file)}
	for b.Loop() {
		require.NoError(b, x.WriteSegment(b.Context(), io.Discard, src, 0, x.Segments(0)/2))
	}
}

func BenchmarkPlaylistOfHour(b *testing.B) {
	x := build(b, hour(b))
	for b.Loop() {
		x.VideoPlaylist()
	}
}

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
