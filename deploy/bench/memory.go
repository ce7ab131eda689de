package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// memoryTarget is the whole product's bound with one transcode running.
const memoryTarget = 1536 // MiB

// memory measures the resident set of the whole process tree, idle and with a
// 1080p transcode and a stream of beacons running.
func (b *bench) memory() error {
	clip, err := b.clip(30)
	if err != nil {
		return err
	}
	s, err := b.startServer()
	if err != nil {
		return err
	}
	time.Sleep(5 * time.Second) // engines settle
	idle, err := residentMiB(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	id, _, err := s.upload(clip)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.await(id, "ready")
		done <- err
	}()
	peak := 0.0
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				return err
			}
			running = false
		case <-time.After(100 * time.Millisecond):
			now, err := residentMiB(s.cmd.Process.Pid)
			if err != nil {
				return err
			}
			peak = max(peak, now)
		}
	}
	if err := b.report(Measure{Name: "memory_idle", Ours: idle, Peer: memoryTarget, Unit: "MiB", Goal: 1,
		Note: "resident, all engines and children; peer is the target"}, false); err != nil {
		return err
	}
	if err := b.report(Measure{Name: "memory_transcoding", Ours: peak, Peer: memoryTarget, Unit: "MiB", Goal: 1,
		Note: "peak while a 30 s 1080p clip is made into its ladder"}, false); err != nil {
		return err
	}
	return s.stop()
}

// residentMiB adds the resident sets of a process and everything below it.
func residentMiB(pid int) (float64, error) {
	parents := map[int][]int{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		text := string(raw)
		fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		child, _ := strconv.Atoi(text[:strings.IndexByte(text, ' ')])
		parent, _ := strconv.Atoi(fields[1])
		parents[parent] = append(parents[parent], child)
	}
	total := 0.0
	for todo := []int{pid}; len(todo) > 0; {
		p := todo[0]
		todo = append(todo[1:], parents[p]...)
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p))
		if err != nil {
			continue
		}
		pages, err := strconv.Atoi(strings.Fields(string(raw))[1])
		if err != nil {
			return 0, err
		}
		total += float64(pages*os.Getpagesize()) / (1 << 20)
	}
	return total, nil
}
