package child

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Input is the media a child reads: random access to bytes that lie elsewhere.
type Input interface {
	// Size is the number of bytes.
	Size() int64
	// ReadAt fills p from offset off, less only at the end, where it gives io.EOF.
	ReadAt(ctx context.Context, p []byte, off int64) (int, error)
}

// The input protocol, on a stream socket: the child sends 12 bytes (offset as
// int64, length as uint32, big endian) and receives 4 bytes (count as int32,
// negative for a failed read) followed by count bytes. One request at a time.
const (
	requestBytes = 12
	maxRead      = 1 << 20
)

// serveInput answers requests until the child hangs up, which is no error.
func serveInput(ctx context.Context, conn io.ReadWriter, in Input) error {
	var request [requestBytes]byte
	reply := make([]byte, 4+maxRead)
	for {
		if _, err := io.ReadFull(conn, request[:]); err != nil {
			return nil // the child is done, or gone: its exit tells more
		}
		off := int64(binary.BigEndian.Uint64(request[:8]))
		length := int64(binary.BigEndian.Uint32(request[8:]))
		if off < 0 || length > maxRead {
			return fmt.Errorf("%w: read of %d bytes at %d", ErrProtocol, length, off)
		}
		length = max(0, min(length, in.Size()-off))
		n := 0
		if length > 0 {
			var err error
			n, err = in.ReadAt(ctx, reply[4:4+length], off)
			if err != nil && !errors.Is(err, io.EOF) {
				failed := int32(-1)
				binary.BigEndian.PutUint32(reply, uint32(failed))
				_, _ = conn.Write(reply[:4])
				return fmt.Errorf("read media at %d: %w", off, err)
			}
		}
		binary.BigEndian.PutUint32(reply, uint32(n))
		if _, err := conn.Write(reply[:4+n]); err != nil {
			return nil
		}
	}
}

// inputClient is the child's end of the input protocol.
type inputClient struct {
	conn io.ReadWriter
	size int64
}

func (c *inputClient) readAt(p []byte, off int64) (int, error) {
	if off >= c.size || len(p) == 0 {
		return 0, io.EOF
	}
	p = p[:min(len(p), maxRead)]
	var request [requestBytes]byte
	binary.BigEndian.PutUint64(request[:8], uint64(off))
	binary.BigEndian.PutUint32(request[8:], uint32(len(p)))
	if _, err := c.conn.Write(request[:]); err != nil {
		return 0, fmt.Errorf("ask for input: %w", err)
	}
	var head [4]byte
	if _, err := io.ReadFull(c.conn, head[:]); err != nil {
		return 0, fmt.Errorf("read input: %w", err)
	}
	n := int32(binary.BigEndian.Uint32(head[:]))
	if n < 0 || int(n) > len(p) {
		return 0, errors.New("input is not available")
	}
	if n == 0 {
		return 0, io.EOF
	}
	if _, err := io.ReadFull(c.conn, p[:n]); err != nil {
		return 0, fmt.Errorf("read input: %w", err)
	}
	return int(n), nil
}
