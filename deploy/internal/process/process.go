// Package process runs servers as plain processes that end with the program that
// started them, for the cluster tests and the fault harness. Linux only.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// StopGrace is how long a program may take to end once it was asked to.
const StopGrace = 20 * time.Second

// Process is a running server, the leader of a process group of its own.
type Process struct {
	Name string
	PID  int
	// Done is closed at its end.
	Done chan struct{}

	logPath string
	stop    syscall.Signal // asks for a clean end
	err     error          // set before Done is closed
}

// Start runs cmd with its output in the file logPath. The kernel kills
// the program when this one dies (Pdeathsig), however that happens; that is tied
// to the starting thread, so one is kept until the program ends.
func Start(name string, cmd *exec.Cmd, logPath string, stop syscall.Signal) (*Process, error) {
	out, err := os.OpenFile(logPath, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	p := &Process{Name: name, logPath: logPath, stop: stop, Done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer out.Close()
		err := cmd.Start()
		if err == nil {
			p.PID = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.Done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// End asks the program to stop, waits, and kills what is left of its group.
func (p *Process) End() error {
	_ = syscall.Kill(p.PID, p.stop) // fails only when it has ended
	timer := time.NewTimer(StopGrace)
	defer timer.Stop()
	select {
	case <-p.Done:
		_ = syscall.Kill(-p.PID, syscall.SIGKILL) // fails when nobody is left
		return nil
	case <-timer.C:
		_ = syscall.Kill(-p.PID, syscall.SIGKILL)
		<-p.Done
		return fmt.Errorf("%s did not stop within %s and was killed", p.Name, StopGrace)
	}
}

// Await asks ready until it answers without error, the program ends or ctx does.
func (p *Process) Await(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := ready(attempt)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-p.Done:
			return p.Died()
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w; last try: %w\n%s", p.Name, context.Cause(ctx), err, p.tail())
		case <-tick.C:
		}
	}
}

// Died tells why the program, which has ended, did so.
func (p *Process) Died() error {
	why := p.err
	if why == nil {
		why = errors.New("exit status 0")
	}
	return fmt.Errorf("%s ended by itself: %w\n%s", p.Name, why, p.tail())
}

// tail is the end of the program's log.
func (p *Process) tail() string {
	raw, err := os.ReadFile(p.logPath)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-20):], []byte("\n")))
}
