//go:build !linux

package cache

import (
	"net"
	"os"
)

// sendFile writes head and a whole file.
func sendFile(conn net.Conn, head []byte, f *os.File, size int64, progress func()) error {
	return copyFile(conn, head, f, size, progress)
}
