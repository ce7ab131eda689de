// Package landlock confines a process with Linux's Landlock: after Restrict,
// files and TCP ports outside the given Rules cannot be opened, whatever the
// code in the process is tricked into.
//
// Restrict binds the calling operating system thread only. A multi-threaded
// program therefore locks a thread, restricts it and executes a program (often
// itself) from it; the new image is confined as a whole, for good, with all
// its children.
//
// Kernels differ in what they can restrict: ABI tells the level. From ABI 1
// on files are confined, from ABI 4 on TCP ports too, from ABI 6 on signals
// and abstract Unix sockets. UDP is never confined by this package.
//
// Source: the kernel's Documentation/userspace-api/landlock.rst.
package landlock

import "errors"

// ErrUnavailable is returned where the system has no Landlock: a kernel
// before 5.13, one built or booted without it, or not Linux.
var ErrUnavailable = errors.New("landlock is not available on this system")

// NetworkABI is the first ABI that confines TCP ports.
const NetworkABI = 4

// Rules lists what stays allowed. Paths that do not exist are skipped, since
// systems differ in where their libraries are. A directory stands for all
// below it.
type Rules struct {
	Execute   []string // may be executed and read
	ReadOnly  []string // files may be read, directories listed
	ReadWrite []string // everything but execution
	Connect   []uint16 // TCP ports, of any host, that may be connected to
	Bind      []uint16 // TCP ports that may be listened on
}
