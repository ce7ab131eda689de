package child

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// TryToEscape is the child's side of a self-test: it attempts what decoders
// that were taken over would, and tells. The attempts stop short of harm, as
// they may succeed.
func TryToEscape(s *Session, c Confinement) error {
	spec := s.Job().SelfTest
	if spec == nil {
		return errors.New("a self-test needs a spec")
	}
	escape := &Escape{Confinement: c}
	for _, a := range []struct {
		name string
		try  func() error
	}{
		{"read /etc/passwd", func() error { return tryOpen("/etc/passwd", unix.O_RDONLY) }},
		{"read the environment of process 1", func() error { return tryOpen("/proc/1/environ", unix.O_RDONLY) }},
		{"connect to a port of this machine", func() error {
			return tryConnect(unix.AF_INET, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: spec.TCPPort})
		}},
		{"connect to a Unix socket", func() error { return tryConnect(unix.AF_UNIX, &unix.SockaddrUnix{Name: spec.UnixSocket}) }},
		{"write outside its folder", func() error {
			return tryOpen(filepath.Join(spec.Outside, "escaped"), unix.O_WRONLY|unix.O_CREAT)
		}},
		{"start a program", tryStart},
		{"trace a process", tryTrace},
		{"read secrets from its environment", tryEnvironment},
	} {
		err := a.try()
		attempt := Attempt{Name: a.name, Denied: err != nil}
		if err != nil {
			attempt.How = clip(err.Error())
		}
		escape.Attempts = append(escape.Attempts, attempt)
	}
	return s.Emit(Event{SelfTest: escape})
}

func tryOpen(name string, flags int) error {
	fd, err := unix.Open(name, flags|unix.O_CLOEXEC, 0o600)
	if err == nil {
		_ = unix.Close(fd)
	}
	return err
}

func tryConnect(family int, to unix.Sockaddr) error {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Connect(fd, to)
}

func tryStart() error {
	p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	if err != nil {
		return err
	}
	_, _ = p.Wait()
	return nil
}

// tryTrace asks to read from a process that cannot be there, as tracing one
// that is would stop it. Where tracing is allowed, that is what is wrong.
func tryTrace() error {
	const nobodys = 1<<31 - 1
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_PEEKDATA, nobodys, 0, 0, 0, 0)
	if errno == unix.ESRCH || errno == 0 {
		return nil
	}
	return errno
}

func tryEnvironment() error {
	if n := len(os.Environ()); n == 0 {
		return fmt.Errorf("there are none")
	}
	return nil
}
