package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vitascope/vitascope/deploy/internal/process"
)

// unit is one program of the world. It is kept running, as a service manager would:
// when it ends by itself it is started again.
type unit struct {
	name    string
	dir     string
	command func() *exec.Cmd
	log     *slog.Logger

	mu      sync.Mutex
	running *process.Process
	down    bool // it is to stay down
	starts  int
	failed  int // how often it ended by itself
	closed  chan struct{}
	kept    sync.WaitGroup
}

func newUnit(name, dir string, log *slog.Logger, command func() *exec.Cmd) *unit {
	return &unit{name: name, dir: dir, command: command, log: log, closed: make(chan struct{}), down: true}
}

// up starts the program, unless it runs, and keeps it running.
func (u *unit) up() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.down = false
	return u.start()
}

func (u *unit) start() error {
	if u.running != nil {
		select {
		case <-u.running.Done:
		default:
			return nil
		}
	}
	u.starts++
	p, err := process.Start(u.name, u.command(), filepath.Join(u.dir, fmt.Sprintf("%s-%03d.log", u.name, u.starts)), syscall.SIGTERM)
	if err != nil {
		return err
	}
	u.running = p
	u.kept.Go(func() { u.keep(p) })
	return nil
}

// keep starts the program again when p has ended though it should not have.
func (u *unit) keep(p *process.Process) {
	select {
	case <-p.Done:
	case <-u.closed:
		return
	}
	for {
		select {
		case <-u.closed:
			return
		case <-time.After(300 * time.Millisecond):
		}
		u.mu.Lock()
		if u.down || u.running != p {
			u.mu.Unlock()
			return
		}
		u.failed++
		u.log.Debug("ended by itself", "unit", u.name, "why", p.Died().Error())
		err := u.start()
		u.mu.Unlock()
		if err == nil {
			return
		}
		u.log.Warn("not started", "unit", u.name, "err", err)
	}
}

// halt ends the program, by SIGKILL or as politely as SIGTERM does, and leaves it
// down.
func (u *unit) halt(politely bool) error {
	u.mu.Lock()
	u.down = true
	p := u.running
	u.mu.Unlock()
	if p == nil {
		return nil
	}
	if politely {
		return p.End()
	}
	u.signal(syscall.SIGKILL)
	<-p.Done
	return nil
}

// signal sends a signal to the program and all its descendants.
func (u *unit) signal(s syscall.Signal) {
	u.mu.Lock()
	p := u.running
	u.mu.Unlock()
	if p == nil {
		return
	}
	for _, pid := range family(p.PID) {
		_ = syscall.Kill(pid, s) // fails when it has ended
	}
}

// signalOnly sends a signal to the program alone.
func (u *unit) signalOnly(s syscall.Signal) {
	u.mu.Lock()
	p := u.running
	u.mu.Unlock()
	if p != nil {
		_ = syscall.Kill(p.PID, s)
	}
}

// close ends the program for good.
func (u *unit) close() error {
	close(u.closed)
	u.signal(syscall.SIGCONT)
	err := u.halt(true)
	u.kept.Wait()
	return err
}

// await asks the program until it answers.
func (u *unit) await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, fmt.Errorf("%s is not up within 2 minutes", u.name))
	defer cancel()
	u.mu.Lock()
	p := u.running
	u.mu.Unlock()
	return p.Await(ctx, ready)
}

// family lists a process and its descendants, parents first.
func family(pid int) []int {
	list := []int{pid}
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(raw), ") ")
		fields := strings.Fields(rest)
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || len(fields) < 2 {
			continue
		}
		parent, err := strconv.Atoi(fields[1])
		if err == nil {
			children[parent] = append(children[parent], child)
		}
	}
	for at := 0; at < len(list); at++ {
		list = append(list, children[list[at]]...)
	}
	return list
}
