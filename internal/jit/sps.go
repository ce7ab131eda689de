package jit

// sps is what is checked of a sequence parameter set (ITU-T H.264, 7.3.2.1.1).
// It is parsed here rather than by mp4ff, whose parser allocates by counts that
// the stream claims.
type sps struct {
	profile        uint32
	chroma         uint32
	luma8, chroma8 uint32
	interlaced     bool
	width, height  uint32
	sarW, sarH     uint32
	transfer       uint32
}

// bitReader reads a parameter set without its emulation prevention bytes. Past
// the end it gives zeros and sets short.
type bitReader struct {
	b     []byte
	at    int
	short bool
}

func (r *bitReader) bit() uint32 {
	if r.at >= len(r.b)*8 {
		r.short = true
		return 0
	}
	v := uint32(r.b[r.at/8]>>(7-r.at%8)) & 1
	r.at++
	return v
}

func (r *bitReader) bits(n int) uint32 {
	v := uint32(0)
	for range n {
		v = v<<1 | r.bit()
	}
	return v
}

func (r *bitReader) flag() bool { return r.bit() == 1 }

// ue reads an unsigned Exp-Golomb code; codes above 31 bits count as short.
func (r *bitReader) ue() uint32 {
	zeros := 0
	for !r.flag() {
		if zeros++; r.short || zeros > 31 {
			r.short = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.bits(zeros)
}

func (r *bitReader) se() int32 {
	v := r.ue()
	if v&1 == 1 {
		return int32(v/2 + 1)
	}
	return -int32(v / 2)
}

func unescape(b []byte) []byte {
	out, zeros := make([]byte, 0, len(b)), 0
	for _, c := range b {
		if zeros >= 2 && c == 3 {
			zeros = 0
			continue
		}
		if zeros++; c != 0 {
			zeros = 0
		}
		out = append(out, c)
	}
	return out
}

// maxSPS bounds a parameter set; real ones have less than 100 bytes.
const maxSPS = 4096

func parseSPS(unit []byte) (sps, error) {
	if len(unit) < 4 || len(unit) > maxSPS || unit[0]&31 != 7 {
		return sps{}, refuse(Malformed, "a sequence parameter set of %d bytes", len(unit))
	}
	r := &bitReader{b: unescape(unit[1:])}
	s := sps{profile: r.bits(8), chroma: 1}
	r.bits(16) // constraints, level
	r.ue()     // ID
	switch s.profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		s.chroma = r.ue()
		if s.chroma == 3 {
			r.bit()
		}
		s.luma8, s.chroma8 = r.ue(), r.ue()
		r.bit()
		if r.flag() {
			r.scalingLists(s.chroma)
		}
	}
	r.ue() // log2_max_frame_num
	r.pictureOrder()
	r.ue() // reference frames
	r.bit()
	w, h := uint64(r.ue())+1, uint64(r.ue())+1
	s.interlaced = !r.flag()
	if s.interlaced {
		h *= 2
		r.bit()
	}
	r.bit()
	w, h = w*16, h*16
	if r.flag() {
		// Units of two samples across and, for frames, down: 4:2:0 alone is served.
		w = less(w, 2*(uint64(r.ue())+uint64(r.ue())))
		h = less(h, 2*(uint64(r.ue())+uint64(r.ue())))
	}
	s.width, s.height = uint32(min(w, 1<<16)), uint32(min(h, 1<<16))
	if r.flag() {
		r.usability(&s)
	}
	if r.short {
		return sps{}, refuse(Malformed, "a sequence parameter set is cut")
	}
	return s, nil
}

func less(a, b uint64) uint64 {
	if b >= a {
		return 0
	}
	return a - b
}

func (r *bitReader) pictureOrder() {
	switch r.ue() {
	case 0:
		r.ue()
	case 1:
		r.bit()
		r.se()
		r.se()
		for n := r.ue(); n > 0 && !r.short; n-- {
			r.se()
		}
	}
}

func (r *bitReader) scalingLists(chroma uint32) {
	lists := 8
	if chroma == 3 {
		lists = 12
	}
	for i := range lists {
		if !r.flag() {
			continue
		}
		size, last, next := 16, int32(8), int32(8)
		if i >= 6 {
			size = 64
		}
		for range size {
			if next != 0 {
				next = (last + r.se() + 256) & 255
			}
			if next != 0 {
				last = next
			}
		}
	}
}

// usability reads the start of the VUI: aspect ratio and colour.
func (r *bitReader) usability(s *sps) {
	if r.flag() {
		idc := r.bits(8)
		if idc == 255 {
			s.sarW, s.sarH = r.bits(16), r.bits(16)
		} else if int(idc) < len(aspectRatios) {
			s.sarW, s.sarH = aspectRatios[idc][0], aspectRatios[idc][1]
		}
	}
	if r.flag() {
		r.bit() // overscan
	}
	if r.flag() {
		r.bits(4) // format, range
		if r.flag() {
			r.bits(8)
			s.transfer = r.bits(8)
			r.bits(8)
		}
	}
}

// aspectRatios is table E-1 of ITU-T H.264.
var aspectRatios = [...][2]uint32{
	{0, 0}, {1, 1}, {12, 11}, {10, 11}, {16, 11}, {40, 33}, {24, 11}, {20, 11}, {32, 11},
	{80, 33}, {18, 11}, {15, 11}, {64, 33}, {160, 99}, {4, 3}, {3, 2}, {2, 1},
}
