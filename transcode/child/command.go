package child

import (
	"os"
	"os/exec"
	"syscall"
)

// command is the one place where a media child is prepared: what it may see
// and do beyond its resource limits belongs here. For now that is an empty
// environment, its job folder as working directory, its own process group,
// and death with its parent. Namespaces, Landlock and seccomp go here too.
func command(binary, folder string, input *os.File) *exec.Cmd {
	cmd := exec.Command(binary)
	cmd.Dir = folder
	cmd.Env = []string{}
	cmd.ExtraFiles = []*os.File{input} // descriptor 3, InputDescriptor
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// kill ends a child and whatever it may have started.
func kill(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}
