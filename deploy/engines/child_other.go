//go:build !linux

package engines

import (
	"os"
	"syscall"
)

// selfPath is this program's file.
var selfPath = func() string { path, _ := os.Executable(); return path }()

// childAttributes make a child that the terminal's signals do not reach.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// dieWithParent leaves it to standard input, which ends with the parent.
func dieWithParent(int) error { return nil }
