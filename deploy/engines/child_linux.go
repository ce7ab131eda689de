package engines

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// selfPath is this very program, even if its file has been replaced since.
const selfPath = "/proc/self/exe"

// childAttributes make a child that the terminal's signals do not reach and
// that the kernel kills with the thread that started it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// dieWithParent asks for the parent's death signal again, since the one set by
// childAttributes belongs to a thread that executing the program may have
// ended. The calling goroutine stays on its thread, which must last as long as
// the process.
func dieWithParent(parent int) error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("ask for the parent's death signal: %w", err)
	}
	if os.Getppid() != parent {
		return errors.New("the parent has died")
	}
	return nil
}
