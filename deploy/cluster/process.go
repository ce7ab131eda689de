package main

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

const stopGrace = 20 * time.Second

// process is a running server, the leader of a process group of its own.
type process struct {
	name    string
	pid     int
	logPath string
	stop    syscall.Signal // asks for a clean end
	done    chan struct{}  // closed at its end, after err is set
	err     error
}

// startProcess runs cmd with its output in the file logPath. The kernel kills
// the program when this one dies (Pdeathsig), however that happens; that is tied
// to the starting thread, so one is kept until the program ends.
func startProcess(name string, cmd *exec.Cmd, logPath string, stop syscall.Signal) (*process, error) {
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
	p := &process{name: name, logPath: logPath, stop: stop, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer out.Close()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// end asks the program to stop, waits, and kills what is left of its group.
func (p *process) end() error {
	_ = syscall.Kill(p.pid, p.stop) // fails only when it has ended
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-p.done:
		_ = syscall.Kill(-p.pid, syscall.SIGKILL) // fails when nobody is left
		return nil
	case <-timer.C:
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
		<-p.done
		return fmt.Errorf("%s did not stop within %s and was killed", p.name, stopGrace)
	}
}

// await asks ready until it answers without error, the program ends or ctx does.
func (p *process) await(ctx context.Context, ready func(context.Context) error) error {
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
		case <-p.done:
			return p.died()
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w; last try: %w\n%s", p.name, context.Cause(ctx), err, p.tail())
		case <-tick.C:
		}
	}
}

// died tells why the program, which has ended, did so.
func (p *process) died() error {
	why := p.err
	if why == nil {
		why = errors.New("exit status 0")
	}
	return fmt.Errorf("%s ended by itself: %w\n%s", p.name, why, p.tail())
}

// tail is the end of the program's log.
func (p *process) tail() string {
	raw, err := os.ReadFile(p.logPath)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-20):], []byte("\n")))
}

// runOnce runs cmd to its end; its output becomes part of the error.
func runOnce(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd.Path, err, bytes.TrimSpace(out))
	}
	return nil
}
