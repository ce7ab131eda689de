package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/vitascope/vitascope/internal/eventlog"
)

// Entry is one message and the topic it is for. Its Partition, Offset and Time
// are not kept.
type Entry struct {
	Topic   string
	Message eventlog.Message
}

// On disk an entry is the length and the CRC-32C of its body, little endian,
// then the body: topic, key, value, number of headers and these, each string
// after its length as a varint. A nil key is length 0, as is an empty one.
const headBytes = 8

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errTorn    = errors.New("an entry is incomplete")
)

func (e *Entry) append(b []byte) []byte {
	start := len(b)
	b = append(b, make([]byte, headBytes)...)
	b = appendBytes(b, []byte(e.Topic))
	b = appendBytes(b, e.Message.Key)
	b = appendBytes(b, e.Message.Value)
	b = binary.AppendUvarint(b, uint64(len(e.Message.Headers)))
	for _, h := range e.Message.Headers {
		b = appendBytes(appendBytes(b, []byte(h.Key)), h.Value)
	}
	body := b[start+headBytes:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(body, castagnoli))
	return b
}

func appendBytes(b, s []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// cut takes the first entry off b. The entry shares b's memory.
func cut(b []byte) (Entry, []byte, error) {
	if len(b) < headBytes {
		return Entry{}, nil, errTorn
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	if n > uint64(len(b)-headBytes) {
		return Entry{}, nil, errTorn
	}
	body, rest := b[headBytes:headBytes+n], b[headBytes+n:]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return Entry{}, nil, errors.New("an entry is damaged")
	}
	r := reader{b: body}
	e := Entry{Topic: string(r.bytes())}
	if e.Message.Key = r.bytes(); len(e.Message.Key) == 0 {
		e.Message.Key = nil
	}
	e.Message.Value = r.bytes()
	for range r.number() {
		h := eventlog.Header{Key: string(r.bytes()), Value: r.bytes()}
		if r.torn {
			break
		}
		e.Message.Headers = append(e.Message.Headers, h)
	}
	if r.torn {
		return Entry{}, nil, errTorn
	}
	return e, rest, nil
}

type reader struct {
	b    []byte
	torn bool
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.torn, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) bytes() []byte {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.torn, r.b = true, nil
		return nil
	}
	s := r.b[:n:n]
	r.b = r.b[n:]
	return s
}
