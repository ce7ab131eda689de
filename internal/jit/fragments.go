package jit

import (
	"context"
	"math"
)

// fragmentRead is read at each box of a fragmented file: a moof box of a second
// or two fits.
const fragmentRead = 16 << 10

// fragmentReader appends the samples of movie fragments to their tracks.
type fragmentReader struct {
	file     *fileBounds
	defaults map[uint32]trex
	tracks   map[uint32]*fragmented
	moof     int64 // offset of the current moof box
	base     int64 // end of the data of the previous track fragment
}

// fragmented is a track being collected.
type fragmented struct {
	*track
	id  uint32
	dts int64 // decode time after the last sample
}

// fragment is what a traf box has said so far.
type fragment struct {
	track *fragmented
	trex        // defaults of its samples
	base  int64 // of data offsets
	data  int64 // where the next run lies when it does not say
}

// readFragments walks the boxes from off to the end of the file.
func (m *movie) readFragments(ctx context.Context, s *scanner, off int64, chosen []selected, file *fileBounds) error {
	r := &fragmentReader{file: file, defaults: m.defaults, tracks: map[uint32]*fragmented{}}
	for _, c := range chosen {
		f := &fragmented{track: c.track, id: c.trak.id}
		if err := f.takeMovie(c.trak, file); err != nil {
			return err
		}
		r.tracks[f.id] = f
	}
	s.buf = nil // releases the moov box
	if s.total < 0 || s.avail < s.total {
		return errShort{need: max(s.total, s.avail+1)}
	}
	for n := 0; off < s.total; n++ {
		if n > 2*maxFragments {
			return refuse(TooLarge, "more than %d fragments", maxFragments)
		}
		h, err := s.header(ctx, off, fragmentRead)
		if err != nil {
			return err
		}
		if h.kind == "moof" {
			if h.end-h.body > maxMoof {
				return refuse(TooLarge, "a moof box of %d bytes", h.end-h.body)
			}
			b, err := s.bytes(ctx, h.body, h.end-h.body, fragmentRead)
			if err != nil {
				return err
			}
			r.moof, r.base = h.off, h.off
			if err := r.read(b); err != nil {
				return err
			}
		}
		off = h.end
	}
	for _, f := range r.tracks {
		if len(f.sync) == len(f.sizes) {
			f.sync = nil
		}
	}
	return nil
}

// takeMovie takes the samples that the movie box itself holds, before the fragments.
func (f *fragmented) takeMovie(t *trak, file *fileBounds) error {
	if len(t.stsz) < 12 || t.empty() {
		return nil
	}
	if err := t.samples(f.track, file); err != nil {
		return err
	}
	for _, d := range f.durs {
		f.dts += int64(d.n) * int64(d.v)
	}
	n := len(f.sizes)
	if f.ctos == nil {
		f.ctos = []run{{n: uint32(n)}}
	}
	for i := len(f.sync); i < n && t.stss == nil; i++ {
		f.track.sync = append(f.track.sync, uint32(i))
	}
	return nil
}

func (r *fragmentReader) read(moof []byte) error {
	return children(moof, func(kind string, body []byte) error {
		if kind != "traf" {
			return nil
		}
		var f *fragment
		err := children(body, func(kind string, b []byte) error {
			switch {
			case kind == "tfhd":
				var err error
				f, err = r.open(b)
				return err
			case f == nil:
			case kind == "tfdt":
				return r.decodeTime(f, b)
			case kind == "trun":
				return r.run(f, b)
			}
			return nil
		})
		if f != nil {
			r.base = f.data
		}
		return err
	})
}

// open reads a tfhd box; the result is nil for a track that is not served.
func (r *fragmentReader) open(b []byte) (*fragment, error) {
	if len(b) < 8 {
		return nil, refuse(Malformed, "a tfhd box is cut")
	}
	flags, id := be.Uint32(b)&0xffffff, be.Uint32(b[4:])
	t := r.tracks[id]
	if t == nil {
		return nil, nil
	}
	f, rest := &fragment{track: t, trex: r.defaults[id], base: r.base}, b[8:]
	if flags&0x020000 != 0 { // default-base-is-moof
		f.base = r.moof
	}
	take := func(flag uint32, n int) []byte {
		if flags&flag == 0 || rest == nil {
			return nil
		}
		if len(rest) < n {
			rest = nil
			return nil
		}
		v := rest[:n]
		rest = rest[n:]
		return v
	}
	if v := take(0x01, 8); v != nil {
		f.base = int64(min(be.Uint64(v), 1<<60))
	}
	if v := take(0x02, 4); v != nil && be.Uint32(v) != 1 {
		return nil, refuse(SampleEntries, "track %d uses sample entry %d", id, be.Uint32(v))
	}
	if v := take(0x08, 4); v != nil {
		f.dur = be.Uint32(v)
	}
	if v := take(0x10, 4); v != nil {
		f.size = be.Uint32(v)
	}
	if v := take(0x20, 4); v != nil {
		f.flags = be.Uint32(v)
	}
	if rest == nil {
		return nil, refuse(Malformed, "a tfhd box is cut")
	}
	f.data = f.base
	return f, nil
}

// decodeTime moves the track to the fragment's decode time; the sample before it
// is made to last until then.
func (r *fragmentReader) decodeTime(f *fragment, b []byte) error {
	if len(b) < 8 || b[0] == 1 && len(b) < 12 {
		return refuse(Malformed, "a tfdt box is cut")
	}
	at := uint64(be.Uint32(b[4:]))
	if b[0] == 1 {
		at = be.Uint64(b[4:])
	}
	if at > uint64(maxTicks) {
		return refuse(Timestamps, "a fragment starts at tick %d", at)
	}
	t, gap := f.track, int64(at)-f.track.dts
	if len(t.sizes) == 0 {
		t.start, t.dts = int64(at), int64(at)
		return nil
	}
	if gap == 0 {
		return nil
	}
	last := len(t.durs) - 1
	dur := int64(t.durs[last].v) + gap
	if dur <= 0 || dur > math.MaxInt32 {
		return refuse(Timestamps, "a fragment of track %d starts %d ticks after the last one's end", t.id, gap)
	}
	if t.durs[last].n--; t.durs[last].n == 0 {
		t.durs = t.durs[:last]
	}
	t.durs = appendRun(t.durs, 1, int32(dur))
	t.dts += gap
	return nil
}

// run reads a trun box.
func (r *fragmentReader) run(f *fragment, b []byte) error {
	cut := refuse(Malformed, "a trun box is cut")
	if len(b) < 8 {
		return cut
	}
	flags, count := be.Uint32(b)&0xffffff, int64(be.Uint32(b[4:]))
	b = b[8:]
	first, hasFirst := uint32(0), flags&4 != 0
	if flags&1 != 0 {
		if len(b) < 4 {
			return cut
		}
		f.data, b = f.base+int64(int32(be.Uint32(b))), b[4:]
	}
	if hasFirst {
		if len(b) < 4 {
			return cut
		}
		first, b = be.Uint32(b), b[4:]
	}
	width := int64(0)
	for flag := uint32(0x100); flag <= 0x800; flag <<= 1 {
		if flags&flag != 0 {
			width += 4
		}
	}
	if count*width > int64(len(b)) {
		return cut
	}
	if flags&0x200 == 0 && (f.size == 0 || count > r.file.total/int64(f.size)) {
		return refuse(Truncated, "%d samples of %d bytes in a file of %d", count, f.size, r.file.total)
	}
	if r.file.samples.Add(-count) < 0 {
		return refuse(TooLarge, "more than %d samples", maxSamples)
	}
	from := len(f.track.sizes)
	for i := range count {
		x, cto := f.trex, int32(0)
		if i == 0 && hasFirst {
			x.flags = first
		}
		field := func(flag uint32, v *uint32) {
			if flags&flag != 0 {
				*v, b = be.Uint32(b), b[4:]
			}
		}
		field(0x100, &x.dur)
		field(0x200, &x.size)
		field(0x400, &x.flags)
		if flags&0x800 != 0 {
			cto, b = int32(be.Uint32(b)), b[4:]
		}
		if err := f.track.add(x, cto); err != nil {
			return err
		}
	}
	return f.place(from, r.file.total)
}

// add appends a sample of the fragment.
func (t *fragmented) add(x trex, cto int32) error {
	switch {
	case x.dur == 0 || x.dur > math.MaxInt32:
		return refuse(Timestamps, "a sample of track %d lasts %d ticks", t.id, int32(x.dur))
	case x.size == 0 || x.size > maxSegment:
		return refuse(Malformed, "a sample of track %d has %d bytes", t.id, x.size)
	}
	n := uint32(len(t.sizes))
	t.sizes = append(t.sizes, x.size)
	t.durs = appendRun(t.durs, 1, int32(x.dur))
	t.ctos = appendRun(t.ctos, 1, cto)
	t.dts += int64(x.dur)
	if x.flags&0x10000 == 0 { // sample_is_non_sync_sample
		t.sync = append(t.sync, n)
	}
	return nil
}

// place gives the samples since from their place in the file.
func (f *fragment) place(from int, total int64) error {
	if f.data < 0 {
		return refuse(Malformed, "a fragment's data starts before the file")
	}
	sizes := f.track.sizes[from:]
	if len(sizes) == 0 {
		return nil
	}
	err := f.track.addChunk(uint64(f.data), sizes, total)
	f.data = f.track.chunkEnd
	return err
}
