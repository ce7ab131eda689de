// Package mediatest makes media and runs media children for the tests of
// package transcode and its parts. It is not safe for use outside tests.
package mediatest

import (
	"context"
	"image/jpeg"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/transcode/child"
)

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "vitascope-media-test-")
	if err != nil {
		return "", err
	}
	watchSources()
	binary := filepath.Join(dir, "vitascope-media")
	out, err := exec.Command("go", "build", "-o", binary, "github.com/vitascope/vitascope/cmd/vitascope-media").CombinedOutput()
	if err != nil {
		os.Stderr.Write(out)
	}
	return binary, err
})

// watchSources looks at the child's sources, so that go test knows that its
// cached results depend on them though no test imports them.
func watchSources() {
	for _, pattern := range []string{"av/*.go", "child/*.go", "confine/*.[ch]", "confine/*.go"} {
		for _, from := range []string{".", "..", "../.."} {
			names, _ := filepath.Glob(filepath.Join(from, pattern))
			for _, name := range names {
				_, _ = os.ReadFile(name)
			}
		}
	}
}

// Build builds vitascope-media in advance. TestMain calls it before it starts
// engines, of which one changes the process's working directory.
func Build() error {
	_, err := build()
	return err
}

// Binary builds vitascope-media once per test program and returns its path.
func Binary(t testing.TB) string {
	t.Helper()
	binary, err := build()
	require.NoError(t, err, "build vitascope-media")
	return binary
}

// Remove deletes what Binary built; TestMain calls it at the end.
func Remove() {
	if binary, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(binary))
	}
}

// Generate runs ffmpeg with args and a file name of its own, and returns that.
func Generate(t testing.TB, name string, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	FFmpeg(t, append(args, file)...)
	return file
}

// FFmpeg runs ffmpeg, which must not complain.
func FFmpeg(t testing.TB, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ffmpeg", append([]string{"-hide_banner", "-nostdin", "-loglevel", "error", "-y"}, args...)...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "ffmpeg %v: %s", args, out)
	require.Empty(t, string(out), "ffmpeg %v", args)
}

// File is a [child.Input] on a file.
type File struct {
	file *os.File
	size int64
}

// Open opens a file as input until the test ends.
func Open(t testing.TB, name string) *File {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	info, err := f.Stat()
	require.NoError(t, err)
	return &File{file: f, size: info.Size()}
}

// Size is the file's size.
func (f *File) Size() int64 { return f.size }

// ReadAt reads from the file.
func (f *File) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return f.file.ReadAt(p, off)
}

// Output is what a child made: its events, and its files in a folder.
type Output struct {
	Dir      string
	Probe    *child.ProbeResult
	Done     *child.Done
	Inits    map[string]child.Init
	Segments map[string][]child.Segment
	Images   map[string]child.Image
	Progress []float64
}

var insecure = sync.OnceValues(func() (bool, error) {
	binary, err := build()
	if err != nil {
		return false, err
	}
	r, err := child.NewRunner(child.Config{Binary: binary}, slog.New(slog.DiscardHandler))
	if err != nil {
		return false, err
	}
	test, err := r.SelfTest(context.Background())
	if err != nil {
		return false, err
	}
	return test.Err() != nil, nil
})

// Insecure tells that this machine lacks a layer of the sandbox, as many
// containers do. Tests of media then run with the layers that there are; those
// of package child show that a server would refuse.
func Insecure(t testing.TB) bool {
	t.Helper()
	missing, err := insecure()
	require.NoError(t, err)
	return missing
}

// Runner makes a runner on the built child.
func Runner(t testing.TB) *child.Runner {
	t.Helper()
	r, err := child.NewRunner(child.Config{Binary: Binary(t), Temp: t.TempDir(), Insecure: Insecure(t)}, Log(t))
	require.NoError(t, err)
	return r
}

// Run runs a job on a file and collects the output.
func Run(t testing.TB, job child.Job, file string) (*Output, error) {
	t.Helper()
	out := &Output{
		Dir: t.TempDir(), Inits: map[string]child.Init{},
		Segments: map[string][]child.Segment{}, Images: map[string]child.Image{},
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	err := Runner(t).Run(ctx, job, Open(t, file), child.HandlerFunc(out.handle))
	return out, err
}

func (o *Output) handle(_ context.Context, e child.Event, file *os.File) error {
	name := ""
	switch {
	case e.Probe != nil:
		o.Probe = e.Probe
	case e.Done != nil:
		o.Done = e.Done
	case e.Progress != nil:
		o.Progress = append(o.Progress, e.Progress.Fraction)
	case e.Init != nil:
		o.Inits[e.Init.Rendition] = *e.Init
		name = e.Init.File
	case e.Segment != nil:
		o.Segments[e.Segment.Rendition] = append(o.Segments[e.Segment.Rendition], *e.Segment)
		name = e.Segment.File
	case e.Image != nil:
		o.Images[e.Image.Kind] = *e.Image
		name = e.Image.File
	}
	if name == "" {
		return nil
	}
	to := filepath.Join(o.Dir, name)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	w, err := os.Create(to)
	if err != nil {
		return err
	}
	defer w.Close()
	_, err = io.Copy(w, file)
	return err
}

// Probe probes a file.
func Probe(t testing.TB, file string) (*child.ProbeResult, error) {
	t.Helper()
	out, err := Run(t, child.Job{Op: child.OpProbe}, file)
	return out.Probe, err
}

// Log writes to the test's log.
func Log(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Size is the width and height of a JPEG.
func Size(t testing.TB, name string) [2]int {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	config, err := jpeg.DecodeConfig(f)
	require.NoError(t, err)
	return [2]int{config.Width, config.Height}
}
