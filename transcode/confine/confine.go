// Package confine restricts the process that it is linked into, before main
// and before Go's runtime has started: to its working directory, which becomes
// its root, and to the system calls that decoding needs. It is for
// vitascope-media alone, and acts when the program's one argument is
// child.ArgConfined or child.ArgInsecure. With the first a layer that the
// kernel lacks ends the process with exit status 1 and a sentence; with the
// second what can be had is taken.
//
// It is a constructor in C because a Landlock domain binds a thread and those
// made from it, and a Go program never runs on one thread. By then all shared
// libraries are loaded, so that neither their folders nor execution need be
// allowed: no file can be read but what the process has written itself, and no
// memory be made executable. Doing the same in a first stage that executes the
// program again would double its start-up, most of which is dynamic linking.
//
// Sources: the kernel's Documentation/userspace-api/landlock.rst and
// seccomp_filter.rst.
package confine

// #include "confine.h"
import "C"

import "github.com/vitascope/vitascope/transcode/child"

// Asked tells whether the process was started to be confined. Nothing may be
// decoded otherwise.
func Asked() bool { return C.vs_confined.asked != 0 }

// State returns the layers that are in place.
func State() child.Confinement {
	c := C.vs_confined
	return child.Confinement{
		Root: c.root != 0, NoNewPrivs: c.no_new_privs != 0, LandlockABI: int(c.landlock_abi), Seccomp: c.seccomp != 0,
	}
}
