package child

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Limits bound one child. All are hard: the kernel, or the server's clock,
// ends the child that reaches them.
type Limits struct {
	// CPU is processor time over all threads.
	CPU time.Duration
	// Wall is the time from start to end.
	Wall time.Duration
	// Memory bounds private writable memory in bytes (RLIMIT_DATA). It is not
	// the address space: Go and glibc reserve far more of that than they use.
	Memory int64
	// Resident bounds memory in use, shared libraries included, in bytes. The
	// server looks ten times a second, and where there is a cgroup for it the kernel
	// does so always.
	Resident int64
	// FileBytes bounds each file the child writes.
	FileBytes int64
	// OutputBytes bounds the sum of all files announced.
	OutputBytes int64
	// Descriptors bounds open files.
	Descriptors int
	// Nice is how far the child stands back for other processes, 0 to 19; with
	// NiceLater only once it has announced a segment.
	Nice      int
	NiceLater bool
}

// background is the Nice of encodes that nobody waits for: what makes a media
// playable, and the servers of the same machine, come first.
const background = 10

// LimitsFor is the budget of a job: for an encode 120 s of processor time and
// 20 s more for each second of media in it, and 2 GiB of memory, of which 1.5 GiB may
// be in use at once (2160p HDR takes up to 1.3); for a probe, whose work does
// not grow with the media, 20 s and 512 MiB. A probe may wait for a minute on
// storage, as it may have to read the whole of a file without a duration in its
// header.
func LimitsFor(job Job) Limits {
	switch job.Op {
	case OpPicture: // 36 megapixels, decoded and scaled
		return Limits{
			CPU: time.Minute, Wall: 3 * time.Minute,
			Memory: 1 << 30, Resident: 1 << 30, FileBytes: 16 << 20, OutputBytes: 16 << 20, Descriptors: 32,
		}
	case OpEncode, OpClip:
	default:
		return Limits{
			CPU: 20 * time.Second, Wall: time.Minute,
			Memory: 512 << 20, Resident: 512 << 20, FileBytes: 1 << 20, OutputBytes: 0, Descriptors: 32,
		}
	}
	span := job.Duration
	if job.Span > 0 {
		span = job.Span
	}
	nice, start := 0, 5*time.Minute
	if job.Threads > 0 { // it stands back: on a busy machine, with next to no processor
		nice, start = background, 20*time.Minute
	}
	return Limits{
		Nice:        nice,
		NiceLater:   job.Opening,
		CPU:         120*time.Second + 20*span,
		Wall:        start + 30*span,
		Memory:      2 << 30,
		Resident:    3 << 29,
		FileBytes:   256 << 20,
		OutputBytes: 4<<30 + int64(span.Seconds())*(8<<20),
		Descriptors: 64,
	}
}

// apply sets the limits on a running process, which has not yet been sent its
// job. RLIMIT_NPROC is left alone: the child's filter of system calls lets it
// make threads only, and memory bounds those.
func (l Limits) apply(pid int) error {
	cpu := uint64((l.CPU + time.Second - 1) / time.Second)
	for _, limit := range []struct {
		name     string
		resource int
		value    uint64
	}{
		{"cpu", unix.RLIMIT_CPU, cpu},
		{"data", unix.RLIMIT_DATA, uint64(l.Memory)},
		{"fsize", unix.RLIMIT_FSIZE, uint64(l.FileBytes)},
		{"nofile", unix.RLIMIT_NOFILE, uint64(l.Descriptors)},
		{"core", unix.RLIMIT_CORE, 0},
		{"memlock", unix.RLIMIT_MEMLOCK, 0},
	} {
		rlimit := unix.Rlimit{Cur: limit.value, Max: limit.value}
		if err := unix.Prlimit(pid, limit.resource, &rlimit, nil); err != nil {
			return fmt.Errorf("limit %s of media child: %w", limit.name, err)
		}
	}
	if l.NiceLater {
		return nil
	}
	return l.standBack(pid)
}

// standBack lowers the priority of a running process.
func (l Limits) standBack(pid int) error {
	if l.Nice == 0 {
		return nil
	}
	// Of all threads that the child has already: it leads its group.
	if err := unix.Setpriority(unix.PRIO_PGRP, pid, l.Nice); err != nil {
		return fmt.Errorf("priority of media child: %w", err)
	}
	return nil
}
