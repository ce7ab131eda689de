package child_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/transcode/child"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

// bytesInput is an input in memory.
type bytesInput []byte

func (b bytesInput) Size() int64 { return int64(len(b)) }

func (b bytesInput) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	if off >= int64(len(b)) {
		return 0, io.EOF
	}
	return copy(p, b[off:]), nil
}

// result is what came of a child.
type result struct {
	err    error
	events []child.Event
	temp   string
}

// run runs a shell script as the media child. It gets the path of a file for
// notes as NOTES, its process id outside its namespace as OUTSIDE, and has read
// the job before it starts. A script is not confined as the program is, but it
// has the namespaces, in which it is process 1 and deaf to signals but those
// that the kernel forces on it. To be killed it writes OUTSIDE into NOTES.kill.
func run(t *testing.T, ctx context.Context, job child.Job, limits child.Limits, script string) (result, string) {
	t.Helper()
	notes := filepath.Join(openDir(t), "notes")
	binary := writeScript(t, "NOTES='"+notes+"'\nread -r OUTSIDE rest < /proc/self/stat\nread job\n"+script+"\n")
	r := result{temp: t.TempDir()}
	defer killer(notes + ".kill")()
	runner, err := child.NewRunner(child.Config{Binary: binary, Temp: r.temp, Insecure: mediatest.Insecure(t)}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	require.NoError(t, err)
	r.err = runner.RunLimited(ctx, job, limits, bytesInput("media"), child.HandlerFunc(func(_ context.Context, e child.Event, _ *os.File) error {
		r.events = append(r.events, e)
		return nil
	}))
	left, err := os.ReadDir(r.temp)
	require.NoError(t, err)
	require.Empty(t, left, "job folder stays behind")
	noted, err := os.ReadFile(notes)
	if !errors.Is(err, os.ErrNotExist) {
		require.NoError(t, err)
	}
	return r, string(noted)
}

// openDir is a folder that a child, who may be nobody, can write to.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vitascope-child-test-") // t.TempDir is in a folder of its user's alone
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o777))
	return dir
}

func writeScript(t *testing.T, script string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "child")
	require.NoError(t, os.WriteFile(binary, []byte("#!/bin/sh\n"+script), 0o755))
	return binary
}

// killer kills the process that the file names, until stopped.
func killer(file string) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
			content, _ := os.ReadFile(file)
			if pid, err := strconv.Atoi(strings.TrimSuffix(string(content), "\n")); err == nil && bytes.HasSuffix(content, []byte("\n")) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
				return
			}
		}
	}()
	return func() { close(done); <-stopped }
}

var encodeJob = child.Job{Op: child.OpEncode, Encode: &child.EncodeSpec{Rungs: []child.Rung{{Name: "v1"}}}}

func requireCode(t *testing.T, want child.Code, err error) {
	t.Helper()
	refusal, ok := errors.AsType[*child.MediaError](err)
	require.True(t, ok, "no fault of the media: %v", err)
	require.Equal(t, want, refusal.Code)
}

func TestAChildsEndIsUnderstood(t *testing.T) {
	t.Parallel()
	limits := child.LimitsFor(encodeJob)
	quick := limits
	quick.CPU = time.Second
	short := limits
	short.Wall = 300 * time.Millisecond
	small := limits
	small.FileBytes = 1000
	for _, c := range []struct {
		name   string
		limits child.Limits
		script string
		want   child.Code
	}{
		{"a crash", limits, `sh -c 'kill -SEGV $$'; exit $?`, child.DecoderCrashed},
		{"an abort in the middle", limits, `echo '{"progress":{"fraction":0.5}}'; sh -c 'kill -ABRT $$'; exit $?`, child.DecoderCrashed},
		{"an end without a word", limits, `exit 0`, child.DecoderCrashed},
		{"processor time", quick, `while :; do :; done`, child.LimitExceeded},
		{"wall clock", short, `exec sleep 60`, child.LimitExceeded},
		{"file size", small, `exec head -c 5000 /dev/zero > big`, child.LimitExceeded},
		{"a refusal", limits, `echo '{"failed":{"code":"not_a_video","detail":"x"}}'`, child.NotAVideo},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, _ := run(t, t.Context(), encodeJob, c.limits, c.script)
			requireCode(t, c.want, r.err)
		})
	}
	t.Run("its own failure is not the media's", func(t *testing.T) {
		t.Parallel()
		r, _ := run(t, t.Context(), encodeJob, limits, `echo 'no encoder' >&2; exit 1`)
		require.ErrorContains(t, r.err, "no encoder")
		_, ok := errors.AsType[*child.MediaError](r.err)
		require.False(t, ok)
	})
	t.Run("a kill from outside is not the media's", func(t *testing.T) {
		t.Parallel()
		r, _ := run(t, t.Context(), encodeJob, limits, `echo $OUTSIDE > "$NOTES.kill"; exec sleep 60`)
		_, ok := errors.AsType[*child.MediaError](r.err)
		require.False(t, ok, "%v", r.err)
		require.Error(t, r.err)
	})
}

func TestAChildIsNotTrusted(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("secret"), 0o600))
	for name, script := range map[string]string{
		"a file outside":            `echo '{"image":{"kind":"poster","file":"../../secret"}}'`,
		"a link to outside":         `ln -s ` + secret + ` poster.jpg; echo '{"image":{"kind":"poster","file":"poster.jpg"}}'`,
		"a folder that is a link":   `ln -s ` + filepath.Dir(secret) + ` v1; echo '{"init":{"rendition":"v1","file":"v1/init.mp4","timescale":1}}'`,
		"a pipe":                    `mkfifo poster.jpg; echo '{"image":{"kind":"poster","file":"poster.jpg"}}'`,
		"a rendition not asked for": `mkdir v2; echo x > v2/init.mp4; echo '{"init":{"rendition":"v2","file":"v2/init.mp4","timescale":1}}'`,
		"a segment before its init": `mkdir v1; echo x > v1/0.m4s; echo '{"segment":{"rendition":"v1","n":0,"duration":1,"bytes":2,"file":"v1/0.m4s"}}'`,
		"a segment out of order":    `mkdir v1; echo x > v1/init.mp4; echo x > v1/5.m4s; echo '{"init":{"rendition":"v1","file":"v1/init.mp4","timescale":1}}'; echo '{"segment":{"rendition":"v1","n":5,"duration":1,"bytes":2,"file":"v1/5.m4s"}}'`,
		"a made-up code":            `echo '{"failed":{"code":"<script>"}}'`,
		"a probe's answer":          `echo '{"probe":{"duration_ms":1}}'`,
		"no JSON":                   `echo hello`,
		"two events in one":         `echo '{"progress":{"fraction":0},"done":{}}'`,
		"words after the end":       `echo '{"done":{}}'; echo '{"done":{}}'`,
		"a line without end":        `head -c 3000000 /dev/zero | tr '\0' 'a'`,
		"progress of 7":             `echo '{"progress":{"fraction":7}}'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := run(t, t.Context(), encodeJob, child.LimitsFor(encodeJob), script+"\nread ack; exit 1")
			require.ErrorIs(t, r.err, child.ErrProtocol)
		})
	}
}

func TestAChildHasNothingButItsFolder(t *testing.T) {
	t.Parallel()
	r, notes := run(t, t.Context(), encodeJob, child.LimitsFor(encodeJob),
		`{ tr '\0' '\n' < /proc/$OUTSIDE/environ; echo; ls -A; ls /proc/$OUTSIDE/fd; } > "$NOTES"; echo '{"done":{}}'`)
	require.NoError(t, r.err)
	lines := strings.Fields(notes)
	// Standard streams, the input, and the script that the shell reads.
	require.Subset(t, []string{"0", "1", "2", "3", "4", "10", "11", "12", "255"}, lines, "environment, files or descriptors")
}

func TestCancellingEndsAChildAndItsChildren(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	notes := make(chan string, 1)
	pids := filepath.Join(openDir(t), "pids")
	go func() {
		r, _ := run(t, ctx, encodeJob, child.LimitsFor(encodeJob), `
{ read -r INNER rest < /proc/self/stat; echo $INNER $OUTSIDE > `+pids+`.tmp; mv `+pids+`.tmp `+pids+`; exec sleep 300; } & wait`)
		notes <- r.err.Error()
	}()
	require.Eventually(t, func() bool { _, err := os.Stat(pids); return err == nil }, 3*time.Minute, 10*time.Millisecond)
	cancel(stop)
	require.Equal(t, "stop", <-notes)
	written, err := os.ReadFile(pids)
	require.NoError(t, err)
	for _, field := range strings.Fields(string(written)) {
		pid, err := strconv.Atoi(field)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return gone(pid) }, 3*time.Minute, 10*time.Millisecond, "process %d lives on", pid)
	}
}

// gone reports that a process has ended; a grandchild stays a zombie until its
// new parent looks.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestFilesAreHandedOverAndRemoved(t *testing.T) {
	t.Parallel()
	binary := writeScript(t, `read job
echo picture > poster.jpg
echo '{"image":{"kind":"poster","file":"poster.jpg"}}'
read ack
ls -A | grep -q . && exit 1
echo '{"done":{"duration_ms":7}}'
`)
	runner, err := child.NewRunner(child.Config{Binary: binary, Temp: t.TempDir(), Insecure: mediatest.Insecure(t)}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	content, done := "", int64(0)
	err = runner.Run(t.Context(), encodeJob, bytesInput("media"), child.HandlerFunc(func(_ context.Context, e child.Event, f *os.File) error {
		if e.Done != nil {
			done = e.Done.DurationMS
			return nil
		}
		b, err := io.ReadAll(f)
		content = string(b)
		return err
	}))
	require.NoError(t, err)
	require.Equal(t, "picture\n", content)
	require.EqualValues(t, 7, done)
}
