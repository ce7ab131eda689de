package av

import (
	"encoding/binary"

	"github.com/vitascope/vitascope/transcode/child"
)

// source is random access to the input, as child.Session gives it.
type source interface {
	ReadAt(p []byte, off int64) (int, error)
	InputSize() int64
}

// minPresent is the share of its declared media bytes that a file must have.
const minPresent = 0.95

// maxBoxes bounds the walk over top-level boxes. Only fragmented files have
// more, and the walk ends at their first fragment.
const maxBoxes = 1000

// checkBoxes walks the top-level boxes of an MP4 or MOV (ISO/IEC 14496-12) and
// refuses a file without its index, or without much of its media data. It is
// lenient about all else: FFmpeg judges the content.
func checkBoxes(in source, head []byte) error {
	if !isISOBMFF(head) {
		return nil
	}
	size := in.InputSize()
	indexed := false
	var header [16]byte
	for off, n := int64(0), 0; off+8 <= size && n < maxBoxes; n++ {
		if _, err := readFull(in, header[:min(16, size-off)], off); err != nil {
			return err
		}
		length, dataOffset := int64(binary.BigEndian.Uint32(header[:4])), int64(8)
		switch length {
		case 0:
			length = size - off
		case 1:
			length, dataOffset = int64(binary.BigEndian.Uint64(header[8:16])), 16
		}
		kind := string(header[4:8])
		if kind == "moof" {
			return nil // fragments are complete up to the last
		}
		if length < dataOffset || off > 1<<62-length {
			break
		}
		if end := off + length; end > size {
			present := float64(size-off) / float64(length)
			if kind != "mdat" && kind != "free" && kind != "skip" || present < minPresent {
				return child.Refuse(child.TruncatedFile, "box %q of %d bytes at %d, file of %d", kind, length, off, size)
			}
		}
		indexed = indexed || kind == "moov"
		off += length
	}
	if !indexed {
		return child.Refuse(child.TruncatedFile, "no moov box")
	}
	return nil
}

func isISOBMFF(head []byte) bool {
	for _, kind := range []string{"ftyp", "moov", "mdat", "wide", "free", "skip", "pnot"} {
		if (signature{4, kind}).matches(head) {
			return true
		}
	}
	return false
}

// readFull fills p from off; a short read at the end of the file is no error.
func readFull(in source, p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) && off+int64(n) < in.InputSize() {
		m, err := in.ReadAt(p[n:], off+int64(n))
		if err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}
