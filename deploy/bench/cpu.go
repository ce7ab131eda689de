package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clockTicks is USER_HZ, in which /proc counts; 100 on every Linux that Go runs on.
const clockTicks = 100

// treeSeconds is the processor time that a process and the children it has waited for
// have used: of a server, with its media children, and without ClickHouse's, which
// lives as long as it does.
func treeSeconds(pid int) (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	text := string(raw)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	ticks := 0
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return float64(ticks) / clockTicks, nil
}

// settle waits until a server that has just started uses less than a tenth of a core.
func (b *bench) settle(s *server) error {
	for range 60 {
		before, err := treeSeconds(s.cmd.Process.Pid)
		if err != nil {
			return err
		}
		select {
		case <-b.ctx.Done():
			return b.ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
		after, err := treeSeconds(s.cmd.Process.Pid)
		if err != nil {
			return err
		}
		if after-before < 0.05 {
			return nil
		}
	}
	return fmt.Errorf("the server does not come to rest")
}

// familySeconds is the processor time of a process and all its living descendants,
// with what those that have ended used.
func familySeconds(pid int) (float64, error) {
	total, err := treeSeconds(pid)
	if err != nil {
		return 0, err
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		if len(fields) < 2 || fields[1] != strconv.Itoa(pid) {
			continue
		}
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return 0, err
		}
		if used, err := familySeconds(child); err == nil { // else it has ended, and its parent says
			total += used
		}
	}
	return total, nil
}

// pinThreads moves this process's threads, and those they will start, to one
// processor. free lets them go anywhere again.
func pinThreads(processor int) (free func(), err error) {
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, err
	}
	one.Set(processor)
	return func() { _ = setThreads(&before) }, setThreads(&one)
}

func setThreads(to *unix.CPUSet) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, to); err != nil && !errors.Is(err, unix.ESRCH) { // it has ended
			return err
		}
	}
	return nil
}

// processors is how much of the machine's processors was used since it started, in
// seconds, and how much of it by this program and what it started.
type processors struct{ all, own float64 }

// used reads both.
func used() (processors, error) {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return processors{}, err
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	var p processors
	for i, field := range strings.Fields(line)[1:9] { // user nice system idle iowait irq softirq steal
		n, err := strconv.Atoi(field)
		if err != nil {
			return processors{}, err
		}
		if i != 3 && i != 4 {
			p.all += float64(n) / clockTicks
		}
	}
	p.own, err = familySeconds(os.Getpid())
	return p, err
}

// elsewhere is the share of the machine that other programs took since then, which
// wall times are to be read with.
func elsewhere(before processors, since time.Time) (string, error) {
	now, err := used()
	if err != nil {
		return "", err
	}
	whole := time.Since(since).Seconds() * float64(runtime.NumCPU())
	share := max(0, now.all-before.all-(now.own-before.own)) / whole
	return fmt.Sprintf("%.0f%% of the processors went to other programs", 100*share), nil
}
