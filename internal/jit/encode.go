package jit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

// The encoding of an index, version 1. Numbers are varints as of encoding/binary
// (u: unsigned, s: zigzag); strings and bytes are a length u and the bytes.
//
//	"VSJI" 0x01
//	s source size (-1 unknown), u lead-in in video ticks, u number of tracks, then each:
//	  kind byte ('v' or 'a'), u timescale, language, s start
//	  video: entry, avcC, nclx, u width, u height, u sarW, u sarH
//	  audio: AudioSpecificConfig, u object type, u rate, u channels
//	  u number of samples
//	  sizes:     u 0, then each size u; or u the one size that all have
//	  durations: runs; offsets: u 0 for none, or u 1 and runs
//	  sync:      u 0 for all; or u 1, u count, each u distance from the one before
//	  chunks:    u count, each: u samples, s distance from the end of the one before
//	  plan:      u count, each u distance from the one before
//	CRC-32 (IEEE) of all before, 4 bytes, little endian
//
// Runs cover all samples. With at most 16 different values: u the number of them,
// each s, then a byte a run: value in the high, length-1 in the low four bits, where
// 15 means that u length-16 follows. Otherwise: u 0, then s value, u length a run.
const (
	indexMagic   = "VSJI"
	indexVersion = 1
)

// ErrIndex is matched when bytes given to [Decode] are not an index of a version
// that this program reads.
var ErrIndex = errors.New("jit: not a readable index")

// Encode returns the index in its stored form; [Decode] reads it.
func (x *Index) Encode() []byte {
	room := 0
	for _, t := range x.tracks {
		room += 1024 + 3*len(t.sizes) + 4*len(t.chunks) + 2*len(t.ctos) + 4*len(t.plan)
	}
	b := append(append(make([]byte, 0, room), indexMagic...), indexVersion)
	b = binary.AppendVarint(b, x.size)
	b = binary.AppendUvarint(b, uint64(x.leadIn))
	b = binary.AppendUvarint(b, uint64(len(x.tracks)))
	for _, t := range x.tracks {
		b = t.append(b)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

func appendNumbers(b []byte, values ...uint32) []byte {
	for _, v := range values {
		b = binary.AppendUvarint(b, uint64(v))
	}
	return b
}

func (t *track) append(b []byte) []byte {
	b = appendNumbers(append(b, byte(t.kind)), t.timescale)
	b = binary.AppendVarint(appendBytes(b, t.language), t.start)
	if v := t.video; t.kind == video {
		b = appendBytes(appendBytes(appendBytes(b, v.entry), v.config), v.colour)
		b = appendNumbers(b, v.width, v.height, v.sarW, v.sarH)
	} else {
		b = appendNumbers(appendBytes(b, t.audio.config), t.audio.object, t.audio.rate, t.audio.channels)
	}
	b = appendNumbers(b, uint32(len(t.sizes)))
	b = appendSizes(b, t.sizes)
	b = appendRuns(b, t.durs)
	if t.ctos == nil {
		b = append(b, 0)
	} else {
		b = appendRuns(append(b, 1), t.ctos)
	}
	if t.sync == nil {
		b = append(b, 0)
	} else {
		b = appendAscending(append(b, 1), t.sync)
	}
	b = appendNumbers(b, uint32(len(t.chunks)))
	at, i := int64(0), 0
	for _, k := range t.chunks {
		b = binary.AppendVarint(appendNumbers(b, k.n), k.offset-at)
		at = k.offset + sum(t.sizes[i:i+int(k.n)])
		i += int(k.n)
	}
	return appendAscending(b, t.plan)
}

func appendSizes(b []byte, sizes []uint32) []byte {
	if !slices.ContainsFunc(sizes, func(n uint32) bool { return n != sizes[0] }) {
		return appendNumbers(b, sizes[0])
	}
	b = append(b, 0)
	for _, n := range sizes {
		switch {
		case n < 1<<7:
			b = append(b, byte(n))
		case n < 1<<14:
			b = append(b, byte(n)|0x80, byte(n>>7))
		default:
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	return b
}

func appendAscending(b []byte, values []uint32) []byte {
	b = appendNumbers(b, uint32(len(values)))
	last := uint32(0)
	for _, v := range values {
		b, last = appendNumbers(b, v-last), v
	}
	return b
}

func appendRuns(b []byte, runs []run) []byte {
	values := make([]int32, 0, 16)
	codes, few := make([]byte, len(runs)), true
	for i := 0; i < len(runs) && few; i++ {
		code := slices.Index(values, runs[i].v)
		if code < 0 {
			code, few = len(values), len(values) < 16
			values = append(values, runs[i].v)
		}
		codes[i] = byte(code) << 4
	}
	if !few {
		b = append(b, 0)
		for _, r := range runs {
			b = appendNumbers(binary.AppendVarint(b, int64(r.v)), r.n)
		}
		return b
	}
	b = appendNumbers(b, uint32(len(values)))
	for _, v := range values {
		b = binary.AppendVarint(b, int64(v))
	}
	for i, r := range runs {
		code := codes[i]
		if r.n < 16 {
			b = append(b, code|byte(r.n-1))
		} else {
			b = appendNumbers(append(b, code|15), r.n-16)
		}
	}
	return b
}

// Decode reads an index that [Index.Encode] wrote, with this or an earlier version.
func Decode(b []byte) (*Index, error) {
	head := len(indexMagic) + 1
	if len(b) < head+4 || string(b[:len(indexMagic)]) != indexMagic {
		return nil, fmt.Errorf("%w: no header", ErrIndex)
	}
	if b[head-1] != indexVersion {
		return nil, fmt.Errorf("%w: version %d", ErrIndex, b[head-1])
	}
	body := b[:len(b)-4]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, fmt.Errorf("%w: checksum", ErrIndex)
	}
	r := &decoder{b: body[head:]}
	x := &Index{size: r.signed(), leadIn: int64(r.number(math.MaxInt32))}
	left := maxSamples
	for range r.number(maxTracks) {
		t := r.track(&left)
		if r.bad {
			break
		}
		x.tracks = append(x.tracks, t)
	}
	if r.bad || r.left() > 0 || len(x.tracks) == 0 {
		return nil, fmt.Errorf("%w: contents", ErrIndex)
	}
	for i, t := range x.tracks {
		if t.kind == video && i > 0 {
			return nil, fmt.Errorf("%w: order of tracks", ErrIndex)
		}
	}
	if err := x.finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIndex, err)
	}
	return x, nil
}
