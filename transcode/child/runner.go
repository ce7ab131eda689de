package child

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Handler takes an event. When the event announces a file it is open for
// reading until Handle returns and removed afterwards; otherwise file is nil.
// Events come one at a time, in order. An error ends the job and the child.
type Handler interface {
	Handle(ctx context.Context, e Event, file *os.File) error
}

// HandlerFunc is a function as a [Handler].
type HandlerFunc func(ctx context.Context, e Event, file *os.File) error

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, e Event, file *os.File) error {
	return f(ctx, e, file)
}

// Config is what a Runner needs to know.
type Config struct {
	// Binary is the path of the vitascope-media program.
	Binary string
	// Temp is where job folders are made. Empty means the system's folder for such.
	Temp string
	// Insecure runs children with what layers of the sandbox there are. Without
	// it no child runs where one is missing.
	Insecure bool
}

// Runner starts media children.
type Runner struct {
	binary   string
	temp     string
	insecure bool
	groups   groups
	log      *slog.Logger
}

// NewRunner makes a Runner. It does not try the sandbox: see SelfTest.
func NewRunner(cfg Config, log *slog.Logger) (*Runner, error) {
	binary, temp := cfg.Binary, cfg.Temp
	info, err := os.Stat(binary)
	if err != nil {
		return nil, fmt.Errorf("media child: %w", err)
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return nil, fmt.Errorf("media child: %s is not a program", binary)
	}
	if os.Geteuid() == 0 && info.Mode()&0o005 != 0o005 {
		return nil, fmt.Errorf("media child: %s must be readable and executable for all, as root starts it as nobody", binary)
	}
	// Absolute, as the working directory of a server may change.
	if binary, err = filepath.Abs(binary); err != nil {
		return nil, fmt.Errorf("media child: %w", err)
	}
	if temp == "" {
		temp = os.TempDir()
	}
	if temp, err = filepath.Abs(temp); err != nil {
		return nil, fmt.Errorf("media child: %w", err)
	}
	// Go opens files so that children do not get them, but whoever started this
	// process may have left it others. Kernels before 5.11 cannot do this.
	if err := unix.CloseRange(InputDescriptor, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		log.Debug("inherited descriptors stay open in media children", "err", err)
	}
	return &Runner{binary: binary, temp: temp, insecure: cfg.Insecure, groups: findGroups(), log: log}, nil
}

// Run starts a child for one job, feeds it the input, hands its events to h
// and returns when the child is gone and its folder removed. A *MediaError
// says that the media is at fault; ctx's cause, an error of h or of the input
// is returned as it is, and then the job may be run again.
func (r *Runner) Run(ctx context.Context, job Job, in Input, h Handler) error {
	return r.RunLimited(ctx, job, LimitsFor(job), in, h)
}

// RunLimited is Run with limits of the caller's choice.
func (r *Runner) RunLimited(ctx context.Context, job Job, limits Limits, in Input, h Handler) error {
	_, err := r.runLimited(ctx, job, limits, in, h)
	return err
}

// runLimited also returns why the child had no namespaces, nil if it had.
func (r *Runner) runLimited(ctx context.Context, job Job, limits Limits, in Input, h Handler) (shared, err error) {
	job.InputSize = in.Size()
	folder, err := os.MkdirTemp(r.temp, "vitascope-media-")
	if err != nil {
		return nil, fmt.Errorf("make job folder: %w", err)
	}
	defer func() {
		if err := os.RemoveAll(folder); err != nil {
			r.log.WarnContext(ctx, "job folder stays behind", "err", err)
		}
	}()
	g, err := r.groups.make(limits.Resident)
	if err != nil { // there are the other caps
		r.log.WarnContext(ctx, "media child has no cgroup", "err", err)
	}
	defer func() {
		if err := g.close(); err != nil {
			r.log.WarnContext(ctx, "cgroup stays behind", "err", err)
		}
	}()
	p, err := r.start(folder, limits, g)
	if err != nil {
		return nil, err
	}
	return p.shared, p.run(ctx, job, in, h)
}

// process is a running child and the pipes to it.
type process struct {
	cmd    *exec.Cmd
	limits Limits
	group  *group // nil where there is none
	stdin  io.WriteCloser
	stdout io.ReadCloser
	input  *os.File
	root   *os.Root
	errors *tail
	shared error // why it has no namespaces of its own; nil if it has
	log    *slog.Logger
}

// start starts a child, without namespaces only where there are none and the
// runner is insecure.
func (r *Runner) start(folder string, limits Limits, g *group) (*process, error) {
	p, err := r.startIsolated(folder, limits, g, true)
	if err == nil || !r.insecure || !errors.Is(err, ErrNoSandbox) {
		return p, err
	}
	shared := err
	if p, err = r.startIsolated(folder, limits, g, false); err != nil {
		return nil, err
	}
	p.shared = shared
	return p, nil
}

func (r *Runner) startIsolated(folder string, limits Limits, g *group, isolated bool) (*process, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("open job folder: %w", err)
	}
	p := &process{limits: limits, group: g, root: root, errors: &tail{}, log: r.log}
	if err := p.spawn(r, isolated); err != nil {
		_ = root.Close()
		if isolated && isNamespaceError(err) {
			err = fmt.Errorf("%w: namespaces: %w", ErrNoSandbox, err)
		}
		return nil, fmt.Errorf("start media child: %w", err)
	}
	return p, nil
}

// spawn starts the child and limits it before it can be sent its job.
func (p *process) spawn(r *Runner, isolated bool) error {
	theirs, err := p.connect()
	if err != nil {
		return err
	}
	defer theirs.Close()
	if err := p.exec(r, theirs, isolated); err != nil {
		_ = p.input.Close()
		return err
	}
	// The child waits for its job: limits set now bind all of its work.
	err = p.limits.apply(p.cmd.Process.Pid)
	if err == nil {
		err = p.group.take(p.cmd.Process.Pid)
	}
	if err != nil {
		kill(p.cmd)
		_ = p.cmd.Wait()
		_ = p.input.Close()
		return err
	}
	return nil
}

// connect makes the input socket and returns the child's end.
func (p *process) connect() (*os.File, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	theirs := os.NewFile(uintptr(pair[1]), "input")
	// Non-blocking, so that closing the file ends a read or write on it.
	if err := unix.SetNonblock(pair[0], true); err != nil {
		_ = unix.Close(pair[0])
		return nil, errors.Join(err, theirs.Close())
	}
	p.input = os.NewFile(uintptr(pair[0]), "input")
	return theirs, nil
}

func (p *process) exec(r *Runner, input *os.File, isolated bool) error {
	binary, err := os.Open(r.binary)
	if err != nil {
		return err
	}
	defer binary.Close()
	folder, err := p.root.Open(".")
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := own(folder, isolated); err != nil {
		return err
	}
	argument := ArgConfined
	if r.insecure {
		argument = ArgInsecure
	}
	p.cmd = command(binary, input, folder, isolated, argument)
	p.cmd.Stderr = p.errors
	p.cmd.WaitDelay = 5 * time.Second
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	if p.stdout, err = p.cmd.StdoutPipe(); err != nil {
		return err
	}
	return p.cmd.Start()
}

// Causes for which the server ends a child that has used more than it may.
var (
	errWall     = errors.New("wall clock limit")
	errResident = errors.New("memory limit")
)

func (p *process) run(ctx context.Context, job Job, in Input, h Handler) error {
	defer p.root.Close()
	started := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	clock := time.AfterFunc(p.limits.Wall, func() { cancel(errWall) })
	defer clock.Stop()
	stop := context.AfterFunc(ctx, func() { kill(p.cmd) })
	defer stop()

	var work sync.WaitGroup
	ended := make(chan struct{})
	work.Go(func() {
		watchResident(p.cmd.Process.Pid, p.limits.Resident, ended, func(int64) { cancel(errResident) })
	})
	work.Go(func() {
		if err := serveInput(ctx, p.input, in); err != nil {
			cancel(err)
		}
	})
	outcome, err := p.converse(ctx, job, h)
	if err != nil {
		cancel(err)
	}
	_ = p.stdin.Close()
	waitErr := p.cmd.Wait()
	close(ended)
	_ = p.input.Close()
	work.Wait()
	outOfMemory := p.group.outOfMemory()
	p.logEnd(ctx, job, waitErr, time.Since(started))

	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errWall):
		return Refuse(LimitExceeded, "wall clock limit of %s", p.limits.Wall)
	case errors.Is(cause, errResident), outOfMemory:
		return Refuse(LimitExceeded, "more than %d bytes of memory", p.limits.Resident)
	case cause != nil:
		return cause
	}
	return p.verdict(outcome, waitErr)
}

func (p *process) logEnd(ctx context.Context, job Job, waitErr error, took time.Duration) {
	state := p.cmd.ProcessState
	level := slog.LevelDebug
	if waitErr != nil && ctx.Err() == nil {
		level = slog.LevelWarn
	}
	attrs := []any{"op", job.Op, "took_ms", took.Milliseconds()}
	if state != nil {
		attrs = append(attrs, "cpu_ms", (state.UserTime() + state.SystemTime()).Milliseconds(), "exit", state.String())
		if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
			attrs = append(attrs, "peak_memory_bytes", usage.Maxrss<<10)
		}
	}
	if words := p.errors.String(); words != "" {
		attrs = append(attrs, "stderr", words)
	}
	p.log.Log(ctx, level, "media child ended", attrs...)
}

// converse sends the job and takes events until the child says no more. It
// returns the event that ended the job, nil when there was none.
func (p *process) converse(ctx context.Context, job Job, h Handler) (*Event, error) {
	line, err := json.Marshal(job)
	if err != nil {
		return nil, fmt.Errorf("send job: %w", err)
	}
	if _, err := p.stdin.Write(append(line, '\n')); err != nil {
		return nil, nil // it died at once: its exit tells why
	}
	check := newChecker(job)
	lines := bufio.NewScanner(p.stdout)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	var outcome *Event
	for lines.Scan() {
		var e Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		if err := check.event(e); err != nil {
			return nil, err
		}
		if e.ends() {
			outcome = &e
		}
		if err := p.handle(ctx, e, h); err != nil {
			return nil, err
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, os.ErrClosed) {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return outcome, nil
}

// handle passes an event on, with the file it announces, and acknowledges.
func (p *process) handle(ctx context.Context, e Event, h Handler) error {
	name := e.file()
	if name == "" {
		return h.Handle(ctx, e, nil)
	}
	file, err := p.root.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is not a file", ErrProtocol, name)
	}
	if p.limits.OutputBytes -= info.Size(); p.limits.OutputBytes < 0 {
		return Refuse(LimitExceeded, "too much output")
	}
	if e.Segment != nil && e.Segment.Bytes != info.Size() {
		return fmt.Errorf("%w: size of %s", ErrProtocol, name)
	}
	if err := h.Handle(ctx, e, file); err != nil {
		return err
	}
	if e.Segment != nil && p.limits.NiceLater {
		p.limits.NiceLater = false
		if err := p.limits.standBack(p.cmd.Process.Pid); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	if err := p.root.Remove(name); err != nil {
		return fmt.Errorf("remove %s from job folder: %w", name, err)
	}
	line, err := json.Marshal(ack{Files: 1})
	if err != nil {
		return err
	}
	_, _ = p.stdin.Write(append(line, '\n')) // a child that is gone needs none
	return nil
}

// tail keeps the last words of a child: what it wrote to stderr, bounded.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if len(t.text) > 2*tailBytes {
		// A crash's first lines name the cause, so keep both ends.
		t.text = append(t.text[:tailBytes], t.text[len(t.text)-tailBytes:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(strings.TrimSpace(string(t.text)), "?")
}

func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 500)], "?") }
