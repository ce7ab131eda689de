package landlock

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ABI returns the kernel's Landlock level, 0 if it has none.
func ABI() int {
	n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(n)
}

const (
	accessRead = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	accessABI1 = 1<<13 - 1 // execute up to make symlink
	accessNet  = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	// ruleNetPort is LANDLOCK_RULE_NET_PORT.
	ruleNetPort = 2
	accessScope = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	// accessFile are the rights that make sense for what is not a directory;
	// the kernel refuses a rule that grants others on a file.
	accessFile = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
)

// handled returns the rights that a kernel of level abi can deny.
func handled(abi int) unix.LandlockRulesetAttr {
	a := unix.LandlockRulesetAttr{Handled_access_fs: accessABI1}
	if abi >= 2 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= NetworkABI {
		a.Handled_access_net = accessNet
	}
	if abi >= 5 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= 6 {
		a.Scoped = accessScope
	}
	return a
}

// Restrict confines the calling thread to r as far as the kernel can. The
// caller has locked the thread (runtime.LockOSThread) and executes a program
// from it next. It returns ErrUnavailable where there is no Landlock.
func Restrict(r Rules) error {
	abi := ABI()
	if abi < 1 {
		return ErrUnavailable
	}
	attr := handled(abi)
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET,
		uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return fmt.Errorf("create landlock ruleset: %w", errno)
	}
	ruleset := int(fd)
	defer unix.Close(ruleset)

	if err := allowPaths(ruleset, attr.Handled_access_fs, r); err != nil {
		return err
	}
	if attr.Handled_access_net != 0 {
		if err := allowPorts(ruleset, r); err != nil {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return fmt.Errorf("restrict thread: %w", errno)
	}
	return nil
}

func allowPaths(ruleset int, all uint64, r Rules) error {
	for _, group := range []struct {
		access uint64
		paths  []string
	}{
		{accessRead | unix.LANDLOCK_ACCESS_FS_EXECUTE, r.Execute},
		{accessRead, r.ReadOnly},
		{all &^ unix.LANDLOCK_ACCESS_FS_EXECUTE, r.ReadWrite},
	} {
		for _, path := range group.paths {
			if err := allowPath(ruleset, group.access&all, path); err != nil {
				return fmt.Errorf("allow %s: %w", path, err)
			}
		}
	}
	return nil
}

func allowPath(ruleset int, access uint64, path string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= accessFile
	}
	return addRule(ruleset, unix.LANDLOCK_RULE_PATH_BENEATH, unsafe.Pointer(&unix.LandlockPathBeneathAttr{
		Allowed_access: access, Parent_fd: int32(fd)}))
}

func allowPorts(ruleset int, r Rules) error {
	for _, group := range []struct {
		access uint64
		ports  []uint16
	}{
		{unix.LANDLOCK_ACCESS_NET_CONNECT_TCP, r.Connect},
		{unix.LANDLOCK_ACCESS_NET_BIND_TCP, r.Bind},
	} {
		for _, port := range group.ports {
			// struct landlock_net_port_attr
			rule := &struct{ access, port uint64 }{group.access, uint64(port)}
			if err := addRule(ruleset, ruleNetPort, unsafe.Pointer(rule)); err != nil {
				return fmt.Errorf("allow port %d: %w", port, err)
			}
		}
	}
	return nil
}

func addRule(ruleset int, kind uintptr, attr unsafe.Pointer) error {
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), kind, uintptr(attr), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
