package jit

import (
	"math/bits"
)

// kind says what a track carries.
type kind byte

const (
	video kind = 'v'
	audio kind = 'a'
)

// run is n consecutive samples with the same value.
type run struct {
	n uint32
	v int32
}

// chunk is n consecutive samples that lie back to back from offset on.
type chunk struct {
	n      uint32
	offset int64
}

// track is one track of the source in decode order. Times are in ticks of
// timescale, on the presentation timeline.
type track struct {
	kind      kind
	timescale uint32
	language  string // ISO 639-2, "und" when unknown
	start     int64  // decode time of the first sample; negative for audio priming
	video     videoFormat
	audio     audioFormat

	sizes  []uint32
	durs   []run    // cover all samples, each above 0
	ctos   []run    // composition offsets; nil: all zero
	sync   []uint32 // ascending sample numbers from 0; nil: every sample
	chunks []chunk

	// While building: the payload's size, where the last chunk ends, the closed
	// keyframes of video.
	bytes, chunkEnd int64
	keys            []keyframe
	ends            int64 // presentation time of the end, for video

	plan     []uint32  // first sample of each segment
	segments []segment // derived from plan
}

// segment is what the plan says about one media segment.
type segment struct {
	first cursor
	count int
	bytes int64 // payload
	spans int   // reads that fetch it
	from  int64 // presentation time at which it starts
	to    int64 // presentation time at which the next starts, or the track ends
	until int64 // offset in the source after its last byte
}

// sample is one access unit.
type sample struct {
	decode int64
	pts    int64
	dur    uint32
	cto    int32
	size   uint32
	offset int64
	sync   bool
}

// cursor walks the samples of a track; a copy is a bookmark.
type cursor struct {
	i                         int
	dts                       int64
	dur, cto, chunk, sync     int
	durUsed, ctoUsed, inChunk uint32
	offset                    int64 // of sample i, relative to the start of its chunk
}

func (t *track) begin() cursor { return cursor{dts: t.start} }

// next returns the sample at c and moves on; c.i must be below len(t.sizes).
func (t *track) next(c *cursor) sample {
	d := &t.durs[c.dur]
	s := sample{decode: c.dts, dur: uint32(d.v), size: t.sizes[c.i]}
	if c.durUsed++; c.durUsed == d.n {
		c.dur, c.durUsed = c.dur+1, 0
	}
	if t.ctos != nil {
		o := &t.ctos[c.cto]
		s.cto = o.v
		if c.ctoUsed++; c.ctoUsed == o.n {
			c.cto, c.ctoUsed = c.cto+1, 0
		}
	}
	s.pts = s.decode + int64(s.cto)
	s.sync = t.sync == nil
	if !s.sync && c.sync < len(t.sync) && t.sync[c.sync] == uint32(c.i) {
		s.sync = true
		c.sync++
	}
	k := &t.chunks[c.chunk]
	s.offset = k.offset + c.offset
	c.offset += int64(s.size)
	if c.inChunk++; c.inChunk == k.n {
		c.chunk, c.inChunk, c.offset = c.chunk+1, 0, 0
	}
	c.dts += int64(s.dur)
	c.i++
	return s
}

// shown is the presentation time of the sample at c.
func (t *track) shown(c *cursor) int64 {
	if t.ctos == nil {
		return c.dts
	}
	return c.dts + int64(t.ctos[c.cto].v)
}

// elapse moves the time and number of c, not its place, to sample stop, and returns
// the least and most presentation times of the samples up to there, and when all of
// them have been shown. Of samples that share duration and composition offset only
// the first and last count.
func (t *track) elapse(c *cursor, stop int) (least, most, end int64) {
	least, most, end = maxTicks, -maxTicks, t.start
	for c.i < stop {
		d, cto := &t.durs[c.dur], int64(0)
		n := min(d.n-c.durUsed, uint32(stop-c.i))
		if t.ctos != nil {
			o := &t.ctos[c.cto]
			n, cto = min(n, o.n-c.ctoUsed), int64(o.v)
			if c.ctoUsed += n; c.ctoUsed == o.n {
				c.cto, c.ctoUsed = c.cto+1, 0
			}
		}
		if c.durUsed += n; c.durUsed == d.n {
			c.dur, c.durUsed = c.dur+1, 0
		}
		least = min(least, c.dts+cto)
		c.i, c.dts = c.i+int(n), c.dts+int64(n)*int64(d.v)
		end = max(end, c.dts+cto)
		most = max(most, c.dts+cto-int64(d.v))
	}
	for c.sync < len(t.sync) && int(t.sync[c.sync]) < stop {
		c.sync++
	}
	return least, most, end
}

func sum(sizes []uint32) int64 {
	total := int64(0)
	for _, n := range sizes {
		total += int64(n)
	}
	return total
}

// first returns the first sample decoded at or after time, and the decode time
// after the last sample.
func (t *track) first(time int64) (sample int, end int64) {
	at, i := t.start, 0
	sample = -1
	for _, r := range t.durs {
		if sample < 0 && (at >= time || at+int64(r.n-1)*int64(r.v) >= time) {
			sample = i + int((max(0, time-at)+int64(r.v)-1)/int64(r.v))
		}
		i, at = i+int(r.n), at+int64(r.n)*int64(r.v)
	}
	if sample < 0 {
		sample = i
	}
	return sample, at
}

// cut keeps the samples [from, to).
func (t *track) cut(from, to int) {
	if from == 0 && to == len(t.sizes) {
		return
	}
	c := t.begin()
	t.elapse(&c, from)
	t.start = c.dts
	t.durs = cutRuns(t.durs, uint32(from), uint32(to))
	if t.ctos != nil {
		t.ctos = cutRuns(t.ctos, uint32(from), uint32(to))
	}
	t.chunks = cutChunks(t.chunks, t.sizes, from, to)
	t.sizes = t.sizes[from:to:to]
	if t.sync == nil {
		return
	}
	kept := make([]uint32, 0, len(t.sync))
	for _, n := range t.sync {
		if int(n) >= from && int(n) < to {
			kept = append(kept, n-uint32(from))
		}
	}
	t.sync = kept
}

// cutRuns keeps the samples [from, to) of runs, in their place.
func cutRuns(runs []run, from, to uint32) []run {
	out := runs[:0]
	at := uint32(0)
	for _, r := range runs {
		lo, hi := max(at, from), min(at+r.n, to)
		if lo < hi {
			out = append(out, run{n: hi - lo, v: r.v})
		}
		at += r.n
	}
	return out
}

// cutChunks keeps the samples [from, to) of chunks, in their place.
func cutChunks(chunks []chunk, sizes []uint32, from, to int) []chunk {
	out := chunks[:0]
	at := 0
	for _, k := range chunks {
		lo, hi := max(at, from), min(at+int(k.n), to)
		if lo < hi {
			out = append(out, chunk{n: uint32(hi - lo), offset: k.offset + sum(sizes[at:lo])})
		}
		at += int(k.n)
	}
	return out
}

func appendRun(runs []run, n uint32, v int32) []run {
	if last := len(runs) - 1; last >= 0 && runs[last].v == v {
		runs[last].n += n
		return runs
	}
	return append(runs, run{n: n, v: v})
}

// rescale converts v from ticks of one timescale to another, rounding half up.
// Timescales and times are within their limits, so the result fits.
func rescale(v int64, from, to uint32) int64 {
	if from == to {
		return v
	}
	if v < 0 {
		return -rescale(-v, from, to)
	}
	hi, lo := bits.Mul64(uint64(v), uint64(to))
	lo, carry := bits.Add64(lo, uint64(from/2), 0)
	if hi+carry >= uint64(from) {
		return maxTicks
	}
	q, _ := bits.Div64(hi+carry, lo, uint64(from))
	return int64(min(q, uint64(maxTicks)))
}
