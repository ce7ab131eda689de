package child

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Arguments that tell vitascope-media to confine itself before it does
// anything else: see package confine.
const (
	// ArgConfined demands every layer: the child ends where one is missing.
	ArgConfined = "confined"
	// ArgInsecure takes those that there are.
	ArgInsecure = "insecure"
)

// nobody is the user and group that a child has, in its namespace and, where
// the server is root, on the machine.
const nobody = 65534

// namespaces are what a child does not share with the server: users, network,
// processes, System V IPC, host name.
const namespaces = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID |
	syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS

// command is the one place where a media child is prepared: what it may see
// and do beyond its resource limits belongs here and in package confine. Here
// it gets an empty environment, its job folder as working directory, its own
// process group, death with its parent and, if isolated, namespaces and a user
// without rights. The program and the folder are named by their descriptors,
// so that this user need not be able to reach them by path.
func command(binary, input, folder *os.File, isolated bool, argument string) *exec.Cmd {
	cmd := exec.Command(descriptorPath(InputDescriptor+1), argument)
	cmd.Args[0] = mediaName
	cmd.Dir = descriptorPath(int(folder.Fd()))
	cmd.Env = []string{}
	cmd.ExtraFiles = []*os.File{input, binary} // InputDescriptor and the one after it
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if isolated {
		isolate(cmd.SysProcAttr)
	}
	return cmd
}

const mediaName = "vitascope-media"

func descriptorPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// isolate adds namespaces. The one capability left to the child, in its own
// namespace, is that to make its folder its root; it gives that up first.
func isolate(attr *syscall.SysProcAttr) {
	attr.Cloneflags = namespaces
	attr.AmbientCaps = []uintptr{unix.CAP_SYS_CHROOT}
	user, group := os.Geteuid(), os.Getegid()
	if user == 0 {
		user, group = nobody, nobody
		attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		attr.GidMappingsEnableSetgroups = true // to have none
	}
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: user, Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: group, Size: 1}}
}

// isNamespaceError tells whether starting an isolated child may have failed
// for its isolation: the system's words for too many, not allowed, not known.
func isNamespaceError(err error) bool {
	for _, e := range []error{syscall.EPERM, syscall.ENOSPC, syscall.EUSERS, syscall.EINVAL} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// own gives a job folder to the user that an isolated child will be.
func own(folder *os.File, isolated bool) error {
	if !isolated || os.Geteuid() != 0 {
		return nil
	}
	return folder.Chown(nobody, nobody)
}

// kill ends a child and whatever it may have started.
func kill(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}
