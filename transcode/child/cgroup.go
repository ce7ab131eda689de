package child

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// groups is a folder of the cgroup file system in which this process may make a
// cgroup for each child; its zero value makes none.
//
// With cgroup v1 it is that of this process. With v2 a group that has processes
// cannot share its controllers out, so it is the group above, where an operator gave
// it to us: systemd's Delegate=yes with DelegateSubgroup= does so.
type groups struct {
	dir string
	v2  bool
}

// findGroups looks for such a folder. It tries to make a group there.
func findGroups() groups {
	for _, g := range []groups{v2Groups(), v1Groups()} {
		if g.dir == "" {
			continue
		}
		if made, err := g.make(1 << 30); err == nil && made.close() == nil {
			return g
		}
	}
	return groups{}
}

func v2Groups() groups {
	dir := groupFolder("cgroup2", "")
	if dir == "" {
		return groups{}
	}
	dir = filepath.Dir(dir)
	control := filepath.Join(dir, "cgroup.subtree_control")
	shared, err := os.ReadFile(control)
	if err != nil {
		return groups{}
	}
	if !slices.Contains(strings.Fields(string(shared)), "memory") {
		if os.WriteFile(control, []byte("+memory +pids"), 0o644) != nil {
			return groups{}
		}
	}
	return groups{dir: dir, v2: true}
}

func v1Groups() groups { return groups{dir: groupFolder("cgroup", "memory")} }

// groupFolder is where the group of this process lies that has the controller, empty
// when there is none: see cgroups(7), proc_pid_mountinfo(5).
func groupFolder(kind, controller string) string {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	path := ""
	for line := range strings.Lines(string(own)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) == 3 && (controller == "" && f[0] == "0" || controller != "" && slices.Contains(strings.Split(f[1], ","), controller)) {
			path = f[2]
		}
	}
	for lines := bufio.NewScanner(bytes.NewReader(mounts)); path != "" && lines.Scan(); {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		f, described := strings.Fields(before), strings.Fields(after)
		if len(f) < 5 || len(described) < 3 || described[0] != kind ||
			controller != "" && !slices.Contains(strings.Split(described[2], ","), controller) {
			continue
		}
		if below, ok := strings.CutPrefix(path, strings.TrimSuffix(f[3], "/")); ok {
			return filepath.Join(f[4], below)
		}
	}
	return ""
}

// group bounds the memory of one child, its files in memory included.
type group struct {
	dir string
	v2  bool
}

// make makes a group for at most memory bytes; nil where there can be none.
func (g groups) make(memory int64) (*group, error) {
	if g.dir == "" {
		return nil, nil
	}
	dir, err := os.MkdirTemp(g.dir, "vitascope-media-")
	if err != nil {
		return nil, err
	}
	made := &group{dir: dir, v2: g.v2}
	name := "memory.limit_in_bytes"
	if g.v2 {
		name = "memory.max"
		_ = made.set("memory.swap.max", "0") // where there is swap
		_ = made.set("pids.max", "256")      // where that controller is shared out
	}
	if err := made.set(name, strconv.FormatInt(memory, 10)); err != nil {
		return nil, errors.Join(err, made.close())
	}
	return made, nil
}

func (g *group) set(name, value string) error {
	return os.WriteFile(filepath.Join(g.dir, name), []byte(value), 0o644)
}

// take puts a process into the group.
func (g *group) take(pid int) error {
	if g == nil {
		return nil
	}
	if err := g.set("cgroup.procs", strconv.Itoa(pid)); err != nil {
		return fmt.Errorf("cgroup of media child: %w", err)
	}
	return nil
}

// outOfMemory tells whether the kernel ended a process for the group's memory.
func (g *group) outOfMemory() bool {
	if g == nil {
		return false
	}
	name := "memory.oom_control"
	if g.v2 {
		name = "memory.events"
	}
	content, _ := os.ReadFile(filepath.Join(g.dir, name)) // an unreadable one tells nothing
	for line := range strings.Lines(string(content)) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			return n != "0"
		}
	}
	return false
}

// close removes the group. Its last process may still be on its way out.
func (g *group) close() error {
	if g == nil {
		return nil
	}
	var err error
	for range 50 {
		if err = os.Remove(g.dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("remove cgroup of media child: %w", err)
}
