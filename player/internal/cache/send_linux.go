package cache

import (
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// sendFile writes head and a whole file; the kernel takes the file's pages as they
// are. It does without io.Copy's way there, which sends a file from its own offset
// only and so cannot share it.
func sendFile(conn net.Conn, head []byte, f *os.File, size int64, progress func()) error {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return copyFile(conn, head, f, size, progress)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	file := int(f.Fd()) // opened here: the runtime does not poll files of a disk
	off, failed := int64(0), error(nil)
	err = raw.Write(func(fd uintptr) bool {
		progress()
		for len(head) > 0 || off < size {
			if len(head) > 0 {
				var n int
				n, failed = unix.SendmsgN(int(fd), head, nil, nil, unix.MSG_MORE)
				head = head[max(n, 0):]
			} else {
				var n int
				if n, failed = unix.Sendfile(int(fd), file, &off, int(size-off)); n == 0 && failed == nil {
					failed = io.ErrUnexpectedEOF // the file is shorter than it was
				}
			}
			switch failed {
			case nil, unix.EINTR:
			case unix.EAGAIN:
				return false // and again once there is room
			default:
				return true
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	return failed
}
