package jit

import (
	"encoding/binary"
	"math"
)

// decoder reads the fields of an index; the first field that is cut or out of its
// limits sets bad, and all after it are zero.
type decoder struct {
	b   []byte
	at  int // a position, not a shrinking slice: no pointer is written for each number
	bad bool
}

func (r *decoder) fail() { r.at, r.bad = len(r.b), true }

// left is the number of bytes not yet read.
func (r *decoder) left() int { return len(r.b) - r.at }

// number reads an unsigned varint of at most limit.
func (r *decoder) number(limit uint64) uint64 {
	if r.at < len(r.b) {
		if v := uint64(r.b[r.at]); v < 0x80 && v <= limit {
			r.at++
			return v
		}
	}
	v, n := binary.Uvarint(r.b[r.at:])
	if n <= 0 || v > limit {
		r.fail()
		return 0
	}
	r.at += n
	return v
}

func (r *decoder) signed() int64 {
	v, n := binary.Varint(r.b[r.at:])
	if n <= 0 || v > 1<<60 || v < -1<<60 {
		r.fail()
		return 0
	}
	r.at += n
	return v
}

func (r *decoder) bytes() []byte {
	n := int(r.number(1 << 16))
	if n > r.left() {
		r.fail()
		return nil
	}
	r.at += n
	if n == 0 {
		return nil
	}
	return append([]byte(nil), r.b[r.at-n:r.at]...)
}

func (r *decoder) track(left *int) *track {
	t := &track{kind: kind(r.number(0x7f))}
	t.timescale = uint32(r.number(maxTimescale))
	t.language = string(r.bytes())
	t.start = r.signed()
	switch t.kind {
	case video:
		t.video = r.videoFormat()
	case audio:
		t.audio = audioFormat{
			config: r.bytes(), object: uint32(r.number(31)),
			rate: uint32(r.number(96_000)), channels: uint32(r.number(8)),
		}
	default:
		r.fail()
	}
	count := int(r.number(uint64(*left)))
	if *left -= count; count == 0 || t.timescale == 0 || len(t.language) != 3 ||
		t.start > maxTicks || t.start < -maxTicks {
		r.fail()
		return nil
	}
	r.samples(t, count)
	return t
}

func (r *decoder) videoFormat() videoFormat {
	v := videoFormat{entry: string(r.bytes()), config: r.bytes(), colour: r.bytes()}
	for _, n := range []*uint32{&v.width, &v.height, &v.sarW, &v.sarH} {
		*n = uint32(r.number(1 << 25))
	}
	if len(v.entry) != 4 || len(v.config) < 7 || v.sarW == 0 || v.sarH == 0 ||
		v.width > maxSide || v.height > maxSide || v.sarW > 16*v.sarH {
		r.fail()
	}
	return v
}

func (r *decoder) samples(t *track, count int) {
	fixed := uint32(r.number(maxSegment))
	if fixed == 0 && count > r.left() {
		r.fail()
		return
	}
	t.sizes = make([]uint32, count)
	if fixed == 0 {
		r.sizes(t.sizes)
	} else {
		for i := range t.sizes {
			t.sizes[i] = fixed
		}
	}
	t.durs = r.runs(count, 0)
	for _, d := range t.durs {
		r.bad = r.bad || d.v <= 0
	}
	if r.number(1) == 1 {
		t.ctos = r.runs(count, min(count, r.left(), maxReserve))
	}
	if r.number(1) == 1 {
		t.sync = r.ascending(count)
	}
	r.chunks(t)
	t.plan = r.ascending(count)
	if r.bad || len(t.plan) == 0 || t.plan[0] != 0 {
		r.fail()
	}
}

// sizes reads sizes, of which most take one byte or two.
func (r *decoder) sizes(out []uint32) {
	b, at := r.b, r.at
	for i := range out {
		var v uint32
		switch {
		case at+1 < len(b) && b[at] < 0x80:
			v = uint32(b[at])
			at++
		case at+1 < len(b) && b[at+1] < 0x80 && b[at+1] > 0:
			v = uint32(b[at]&0x7f) | uint32(b[at+1])<<7
			at += 2
		default:
			r.at = at
			v = uint32(r.number(maxSegment))
			at = r.at
		}
		if out[i] = v; v == 0 {
			r.fail()
			return
		}
	}
	r.at = at
}

// runs reads runs that cover count samples; memory is set aside for so many.
func (r *decoder) runs(count, reserve int) []run {
	var values []int32
	for range r.number(16) {
		values = append(values, r.value())
	}
	out := make([]run, 0, reserve)
	for left := uint64(count); left > 0 && !r.bad; {
		x := run{}
		switch {
		case r.left() == 0:
			r.fail()
			return nil
		case values == nil:
			x.v = r.value()
			x.n = uint32(r.number(left))
		default:
			code := r.b[r.at]
			r.at++
			if int(code>>4) >= len(values) {
				r.fail()
				return nil
			}
			x.v, x.n = values[code>>4], uint32(code&15)+1
			if code&15 == 15 {
				x.n += uint32(r.number(left))
			}
		}
		if x.n == 0 || uint64(x.n) > left {
			r.fail()
			return nil
		}
		left -= uint64(x.n)
		out = append(out, x)
	}
	return out
}

func (r *decoder) value() int32 {
	v := r.signed()
	if v > math.MaxInt32 || v < math.MinInt32 {
		r.fail()
	}
	return int32(v)
}

// ascending reads strictly ascending sample numbers below count.
func (r *decoder) ascending(count int) []uint32 {
	n := r.number(uint64(count))
	if n > uint64(r.left()) {
		r.fail()
		return nil
	}
	out := make([]uint32, n)
	last := uint64(0)
	for i := range out {
		step := r.number(uint64(count))
		if last += step; last >= uint64(count) || step == 0 && i > 0 {
			r.fail()
			return nil
		}
		out[i] = uint32(last)
	}
	return out
}

func (r *decoder) chunks(t *track) {
	count := r.number(uint64(len(t.sizes)))
	if count*2 > uint64(r.left()) {
		r.fail()
		return
	}
	t.chunks = make([]chunk, 0, count)
	at, i := int64(0), 0
	for range count {
		n := int(r.number(uint64(len(t.sizes) - i)))
		at += r.signed()
		if n == 0 || at < 0 || at > 1<<60 {
			r.fail()
			return
		}
		t.chunks = append(t.chunks, chunk{n: uint32(n), offset: at})
		at += sum(t.sizes[i : i+n])
		i += n
	}
	if i != len(t.sizes) {
		r.fail()
	}
}
