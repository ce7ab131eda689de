package child

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// residentInterval is how often a child's memory is looked at. What it may
// take in between is bounded by RLIMIT_DATA.
const residentInterval = 100 * time.Millisecond

// watchResident calls over, once, when the process holds more than limit bytes
// of memory. It returns when the process or the channel ended ends. It looks
// at /proc, as that works everywhere: see groups.
func watchResident(pid int, limit int64, ended <-chan struct{}, over func(bytes int64)) {
	ticker := time.NewTicker(residentInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return
		case <-ticker.C:
		}
		resident, err := residentBytes(pid)
		if err != nil {
			return // it is gone
		}
		if resident > limit {
			over(resident)
			return
		}
	}
}

// residentBytes is the memory of a process as /proc/<pid>/statm tells it.
func residentBytes(pid int) (int64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(content)
	if len(fields) < 2 {
		return 0, fmt.Errorf("statm: %q", content)
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err
}
