package child_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/transcode/child"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

// audited makes this test program a server under strace: it probes and encodes each
// file of a folder and tells the verdicts on standard output.
const audited = "VITASCOPE_TEST_AUDITED"

// auditSettings are what the server under strace is told, by variables.
var auditSettings = struct{ binary, temp, insecure string }{
	"VITASCOPE_TEST_AUDITED_BINARY", "VITASCOPE_TEST_AUDITED_TEMP", "VITASCOPE_TEST_AUDITED_INSECURE",
}

func serveAudited(folder string) error {
	runner, err := child.NewRunner(child.Config{
		Binary: os.Getenv(auditSettings.binary), Temp: os.Getenv(auditSettings.temp), Insecure: os.Getenv(auditSettings.insecure) == "true",
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		return err
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, job := range []child.Job{{Op: child.OpProbe}, tinyJob()} {
			err := runner.Run(context.Background(), job, bytesInput(content), child.HandlerFunc(nothing))
			refusal, ok := errors.AsType[*child.MediaError](err)
			switch {
			case ok:
				fmt.Println(filepath.Base(name), job.Op, refusal.Code)
			case err != nil:
				return fmt.Errorf("%s: %s: %w", name, job.Op, err)
			default:
				fmt.Println(filepath.Base(name), job.Op, "made")
			}
		}
	}
	return nil
}

// TestHostileFilesAreAuditedByTheirSystemCalls has strace write down what children do
// while they work on every kind of hostile file: which files they open, whether any
// socket is made or anything executed.
func TestHostileFilesAreAuditedByTheirSystemCalls(t *testing.T) {
	t.Parallel()
	l := newLure(t)
	inputs, temp := t.TempDir(), openDir(t)
	total := l.writeHostile(t, inputs)
	self, err := os.Executable()
	require.NoError(t, err)
	log := filepath.Join(t.TempDir(), "strace.log")
	cmd := exec.CommandContext(t.Context(), "strace", "-f", "-y", "-Y", "-qq", "-o", log,
		"-e", "trace=%file,%network,execve,execveat,fork,vfork,clone,seccomp,ptrace,landlock_restrict_self", self)
	cmd.Env = append(os.Environ(), audited+"="+inputs, auditSettings.binary+"="+mediatest.Binary(t), auditSettings.temp+"="+temp,
		auditSettings.insecure+"="+fmt.Sprint(mediatest.Insecure(t)))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, 2*total, strings.Count(string(out), "\n"), "a verdict for each file and operation:\n%s", out)
	require.Contains(t, string(out), "whole.mp4 encode made", "a file without fault, for comparison")

	a := readAudit(t, log, temp)
	require.Equal(t, 2*total, a.children, "a child for each job")
	require.Empty(t, a.faults, "children did what they need not")
	require.Contains(t, a.made, "v64/0.m4s", "the audit sees what is opened")
	if !mediatest.Insecure(t) {
		require.Equal(t, a.children, a.confined, "each child is confined before it sees its input")
	}
	l.requireUntouched(t)
	t.Logf("%d children on %d files; opened before they were confined: %v; in their folders: %v; refused: %v", a.children, total,
		slices.Sorted(maps.Keys(a.before)), slices.Sorted(maps.Keys(a.made)), slices.Sorted(maps.Keys(a.refused)))
}

// writeHostile fills a folder with hostile and broken files of every kind, and one
// that is whole.
func (l *lure) writeHostile(t *testing.T, folder string) (total int) {
	t.Helper()
	write := func(name string, content []byte) {
		total++
		require.NoError(t, os.WriteFile(filepath.Join(folder, strings.ReplaceAll(name, " ", "-")), content, 0o600))
	}
	for name, text := range l.playlists() {
		write(name, []byte(text))
	}
	mp4 := readClip(t, "mp4")
	write("whole.mp4", mp4)
	for _, kind := range []string{"url ", "alis"} {
		write("reference-"+kind, []byte(strings.ReplaceAll(string(mp4), "url \x00\x00\x00\x01", kind+"\x00\x00\x00\x00")))
	}
	for n, format := range []string{"mp4", "webm", "ts", "avi"} {
		clip := readClip(t, format)
		write("cut."+format, clip[:len(clip)/2])
		for seed := range 4 {
			write(fmt.Sprintf("damaged-%d.%s", seed, format), damage(clip, uint64(4*n+seed)))
		}
	}
	write("empty", nil)
	return total
}

// audit is what children did, as strace saw it.
type audit struct {
	children, confined int
	faults             []string
	// before are the kinds of files opened while libraries were loaded, made those in
	// the job folder, refused the calls that failed when confined.
	before, made, refused map[string]bool
}

var (
	straceLine = regexp.MustCompile(`^(\d+)<([^>]*)> (.*)$`)
	resumed    = regexp.MustCompile(`^<\.\.\. \w+ resumed>(.*)$`)
	call       = regexp.MustCompile(`^(\w+)\((.*)\)\s+= (-?\d+)(?:<(.*)>)?(?: (\w+))?`)
	// loading is what a program may open before its main function: libraries, and
	// what these ask the system.
	loading = regexp.MustCompile(`^(/etc/ld\.so\.cache|(?:/usr)?/lib(?:64)?/(?:[^/]+/)*[^/]+\.so[.\d]*|/proc/filesystems|/proc/\d+/status|` +
		`/proc/sys/[\w/]+|/sys/devices/system/(?:cpu|node)[\w/]*|/usr/lib/ssl/openssl\.cnf|/etc/ssl/openssl\.cnf|/dev/(?:null|u?random))$`)
)

var ownProcess = regexp.MustCompile(`^/proc/\d+`)

// readAudit reads strace's log. What belongs to a child follows from who executed the
// media program; its threads are those that never had the server's name.
func readAudit(t *testing.T, log, temp string) *audit {
	t.Helper()
	f, err := os.Open(log)
	require.NoError(t, err)
	defer f.Close()
	a := &audit{before: map[string]bool{}, made: map[string]bool{}, refused: map[string]bool{}}
	unfinished, child, confined := map[string]string{}, map[string]bool{}, map[string]bool{}
	server := ""
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := straceLine.FindStringSubmatch(lines.Text())
		require.NotNil(t, line, lines.Text())
		pid, comm, text := line[1], line[2], line[3]
		if server == "" {
			server = comm // strace begins with what it starts, whose name then is its own
		}
		if begun, ok := strings.CutSuffix(text, " <unfinished ...>"); ok {
			unfinished[pid] = begun
			continue
		}
		if rest := resumed.FindStringSubmatch(text); rest != nil {
			text = unfinished[pid] + rest[1]
		}
		c := call.FindStringSubmatch(text)
		if c == nil {
			continue // a signal, an exit
		}
		name, arguments, failed, opened := c[1], c[2], strings.HasPrefix(c[3], "-"), c[4]
		if name == "execve" && !failed {
			if strings.HasPrefix(arguments, `"/proc/self/fd/`) && !child[pid] {
				a.children++
				child[pid] = true
				continue
			}
			if len(child) == 0 {
				server = filepath.Base(strings.Trim(strings.SplitN(arguments, ",", 2)[0], `"`))
				server = server[:min(len(server), 15)]
				continue
			}
		}
		if !child[pid] && (comm == server || strings.HasPrefix(comm, "strace")) {
			continue
		}
		switch {
		case name == "chroot", name == "seccomp", name == "landlock_restrict_self":
			if name == "seccomp" && !failed {
				a.confined++
			}
			confined[pid] = confined[pid] || !failed
		case failed:
			if confined[pid] || !child[pid] {
				a.refused[name+" "+c[5]] = true
			}
		case strings.HasPrefix(opened, temp+"/"):
			_, inside, _ := strings.Cut(strings.TrimPrefix(opened, temp+"/"), "/")
			a.made[inside] = true
		case name == "open", name == "openat":
			if !loading.MatchString(opened) || confined[pid] || !child[pid] {
				a.faults = append(a.faults, text)
			}
			a.before[ownProcess.ReplaceAllString(filepath.Dir(opened), "/proc/self")] = true
		case name == "mkdirat" && strings.Contains(arguments, "<"+temp+"/") && !strings.Contains(arguments, ".."):
		case strings.Contains(name, "stat"), name == "access", name == "readlink", name == "chdir", name == "getcwd":
		case name == "clone" && strings.Contains(arguments, "CLONE_THREAD"):
		default: // a socket, a process, a name that is removed or moved
			a.faults = append(a.faults, text)
		}
	}
	require.NoError(t, lines.Err())
	return a
}
