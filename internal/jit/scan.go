package jit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Sizes of the reads that find the tables. A head read holds ftyp, moov's header
// and often a short moov; a moov at the end comes with its box header in one read.
const (
	headRead = 32 << 10
	tailRead = 4 << 20
)

// scanner reads boxes of a source through one buffered window.
type scanner struct {
	src   Source
	avail int64 // bytes that are there
	total int64 // bytes of the whole file, -1 while unknown
	buf   []byte
	at    int64 // file offset of buf
}

// errShort says that bytes beyond avail are needed.
type errShort struct {
	need  int64
	media bool // media data comes before what is looked for
}

func (e errShort) Error() string { return fmt.Sprintf("needs %d bytes", e.need) }

// bytes returns n bytes at off, valid until the next call, reading ahead up to
// ahead bytes.
func (s *scanner) bytes(ctx context.Context, off, n, ahead int64) ([]byte, error) {
	if off+n > s.avail {
		return nil, errShort{need: off + n}
	}
	if off >= s.at && off+n <= s.at+int64(len(s.buf)) {
		return s.buf[off-s.at:][:n], nil
	}
	size := min(max(n, ahead), s.avail-off)
	if int64(cap(s.buf)) < size {
		s.buf = make([]byte, size)
	}
	s.buf, s.at = s.buf[:size], off
	if err := readFull(ctx, s.src, s.buf, off); err != nil {
		s.buf = s.buf[:0]
		return nil, err
	}
	return s.buf[:n], nil
}

func readFull(ctx context.Context, src Source, p []byte, off int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n, err := src.ReadAt(ctx, p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes of the source at %d: %w", len(p), off, err)
}

// header is a box as found in the file.
type header struct {
	kind string
	off  int64 // of the box
	body int64 // offset of the body
	end  int64 // offset after the box; -1: to the end of a file of unknown size
}

func (s *scanner) header(ctx context.Context, off, ahead int64) (header, error) {
	b, err := s.bytes(ctx, off, 8, ahead)
	if err != nil {
		return header{}, err
	}
	size, kind := int64(binary.BigEndian.Uint32(b)), string(b[4:8])
	h := header{kind: kind, off: off, body: off + 8, end: off + size}
	switch size {
	case 0:
		h.end = s.total
		return h, nil
	case 1:
		if b, err = s.bytes(ctx, off, 16, ahead); err != nil {
			return header{}, err
		}
		large := binary.BigEndian.Uint64(b[8:])
		if large > 1<<60 {
			return header{}, refuse(Malformed, "box %q at %d claims %d bytes", kind, off, large)
		}
		h.body, h.end = off+16, off+int64(large)
	}
	if h.end < h.body {
		return header{}, refuse(Malformed, "box %q at %d is shorter than its header", kind, off)
	}
	return h, nil
}

// moov finds the movie box and returns its body and the offset after it.
func (s *scanner) moov(ctx context.Context) ([]byte, int64, error) {
	off, ahead, media := int64(0), int64(headRead), false
	for range maxBoxes {
		if s.total >= 0 && off == s.total {
			return nil, 0, refuse(NotMP4, "there is no moov box")
		}
		h, err := s.header(ctx, off, ahead)
		if short, ok := errors.AsType[errShort](err); ok {
			return nil, 0, errShort{short.need, media}
		}
		if err != nil {
			return nil, 0, err
		}
		media = media || h.kind == "mdat"
		if off == 0 && !startsFile(h.kind) {
			return nil, 0, refuse(NotMP4, "the file starts with %q, not with an MP4 box", h.kind)
		}
		if h.kind == "moov" {
			if h.end < 0 || h.end-h.body > maxMoov {
				return nil, 0, refuse(TooLarge, "the moov box has %d bytes, the limit is %d", h.end-h.body, maxMoov)
			}
			b, err := s.bytes(ctx, h.body, h.end-h.body, 0)
			return b, h.end, err
		}
		if h.end < 0 {
			return nil, 0, errShort{need: s.avail + 1}
		}
		// After media data the rest is likely the moov box: take it in one read.
		off, ahead = h.end, headRead
		if h.kind == "mdat" && s.avail-off <= tailRead {
			ahead = tailRead
		}
	}
	return nil, 0, refuse(TooLarge, "more than %d boxes", maxBoxes)
}

func startsFile(kind string) bool {
	switch kind {
	case "ftyp", "moov", "mdat", "wide", "free", "skip", "pnot", "styp":
		return true
	}
	return false
}

// children calls visit for each box in b. A container of a QuickTime file may end
// with a 32-bit zero.
func children(b []byte, visit func(kind string, body []byte) error) error {
	for range maxBoxes {
		if len(b) < 8 {
			return nil
		}
		size, skip := uint64(binary.BigEndian.Uint32(b)), uint64(8)
		switch size {
		case 0:
			size = uint64(len(b))
		case 1:
			if len(b) < 16 {
				return refuse(Malformed, "a box header is cut")
			}
			size, skip = binary.BigEndian.Uint64(b[8:]), 16
		}
		if size < skip || size > uint64(len(b)) {
			return refuse(Malformed, "box %q has %d bytes in a container with %d left", b[4:8], size, len(b))
		}
		if err := visit(string(b[4:8]), b[skip:size]); err != nil {
			return err
		}
		b = b[size:]
	}
	return refuse(TooLarge, "more than %d boxes in a container", maxBoxes)
}
