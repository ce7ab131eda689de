package jit

import (
	"math"
	"sync/atomic"
)

// maxReserve is how many rows of a table memory is set aside for before they are read:
// those of an hour and more. What a row says may join it to the one before it.
const maxReserve = 256 << 10

// fileBounds is what is known about the file's length; total is -1 when unknown.
// samples counts down the samples that all tracks may still have.
type fileBounds struct {
	total   int64
	samples atomic.Int64
}

// entries returns the table of a full box: count rows of size bytes after at bytes.
func entries(name string, b []byte, at, size int) ([]byte, error) {
	if len(b) < at {
		return nil, refuse(Malformed, "the %s box is cut or missing", name)
	}
	count := int64(be.Uint32(b[at-4:]))
	if int64(len(b)-at) < count*int64(size) {
		return nil, refuse(Malformed, "the %s box has room for less than its %d entries", name, count)
	}
	return b[at : at+int(count)*size], nil
}

// samples reads the sample tables of a track into tr.
func (t *trak) samples(tr *track, file *fileBounds) error {
	for _, read := range []func(*track, *fileBounds) error{
		t.readSizes, t.readDurations, t.readOffsets, t.readSync, t.readChunks,
	} {
		if err := read(tr, file); err != nil {
			return err
		}
	}
	return nil
}

func (t *trak) readSizes(tr *track, file *fileBounds) error {
	b, compact := t.stsz, t.stsz == nil
	if compact {
		b = t.stz2
	}
	if len(b) < 12 {
		return refuse(Malformed, "track %d has no sample sizes", t.id)
	}
	fixed, count := int64(be.Uint32(b[4:])), int64(be.Uint32(b[8:]))
	field := int64(32)
	if compact {
		field, fixed = fixed&0xff, 0
	}
	if file.samples.Add(-count) < 0 {
		return refuse(TooLarge, "track %d has %d samples, the limit for all tracks is %d", t.id, count, maxSamples)
	}
	if fixed != 0 && file.total >= 0 && count > file.total/fixed {
		return refuse(Truncated, "%d samples of %d bytes do not fit a file of %d", count, fixed, file.total)
	}
	if fixed == 0 && int64(len(b)-12) < (count*field+7)/8 {
		return refuse(Malformed, "the sample size table of track %d is cut", t.id)
	}
	tr.sizes = make([]uint32, count)
	table := b[12:]
	if fixed == 0 && field == 32 && copySizes(tr.sizes, table) {
		return nil
	}
	for i := range tr.sizes {
		size := uint32(fixed)
		switch {
		case fixed != 0:
		case field == 32:
			size = be.Uint32(table[i*4:])
		case field == 16:
			size = uint32(be.Uint16(table[i*2:]))
		case field == 8:
			size = uint32(table[i])
		case field == 4:
			size = uint32(table[i/2]>>(4-4*(i%2))) & 15
		default:
			return refuse(Malformed, "sample sizes of %d bits", field)
		}
		if size == 0 || size > maxSegment {
			return refuse(Malformed, "sample %d of track %d has %d bytes", i, t.id, size)
		}
		tr.sizes[i] = size
	}
	return nil
}

// copySizes reads sizes of 32 bits, as nearly all files have them. It reports whether
// all are within their limits.
func copySizes(sizes []uint32, table []byte) bool {
	ok := true
	table = table[:len(sizes)*4]
	for i := range sizes {
		size := be.Uint32(table[i*4:])
		sizes[i], ok = size, ok && size-1 < maxSegment
	}
	return ok
}

func (t *trak) readDurations(tr *track, _ *fileBounds) error {
	rows, err := entries("stts", t.stts, 8, 8)
	if err != nil {
		return err
	}
	left := uint32(len(tr.sizes))
	for ; len(rows) > 0; rows = rows[8:] {
		n, dur := be.Uint32(rows), be.Uint32(rows[4:])
		if n == 0 {
			continue
		}
		if n > left {
			return refuse(Malformed, "track %d has more durations than samples", t.id)
		}
		left -= n
		if dur == 0 && n == 1 && left == 0 && len(tr.durs) > 0 {
			dur = uint32(tr.durs[len(tr.durs)-1].v) // some writers leave the last one open
		}
		if dur == 0 || dur > math.MaxInt32 {
			return refuse(Timestamps, "%d samples of track %d last %d ticks", n, t.id, int32(dur))
		}
		tr.durs = appendRun(tr.durs, n, int32(dur))
	}
	if left > 0 {
		return refuse(Malformed, "%d samples of track %d have no duration", left, t.id)
	}
	return nil
}

func (t *trak) readOffsets(tr *track, _ *fileBounds) error {
	if t.ctts == nil {
		return nil
	}
	rows, err := entries("ctts", t.ctts, 8, 8)
	if err != nil {
		return err
	}
	left := uint32(len(tr.sizes))
	tr.ctos = make([]run, 0, min(len(rows)/8, len(tr.sizes), maxReserve))
	for ; len(rows) > 0 && left > 0; rows = rows[8:] {
		// Version 0 is unsigned by the standard, but QuickTime writes negative
		// offsets with it; no real offset needs the top bit.
		n, cto := min(be.Uint32(rows), left), int32(be.Uint32(rows[4:]))
		if n == 0 {
			continue
		}
		left -= n
		tr.ctos = appendRun(tr.ctos, n, cto)
	}
	if left > 0 {
		tr.ctos = appendRun(tr.ctos, left, 0)
	}
	return nil
}

func (t *trak) readSync(tr *track, _ *fileBounds) error {
	if t.stss == nil || tr.kind == audio {
		return nil
	}
	rows, err := entries("stss", t.stss, 8, 4)
	if err != nil {
		return err
	}
	tr.sync = make([]uint32, 0, len(rows)/4)
	last := uint32(0)
	for ; len(rows) > 0; rows = rows[4:] {
		n := be.Uint32(rows)
		if n <= last || n > uint32(len(tr.sizes)) {
			return refuse(Malformed, "sync sample %d of track %d comes after %d", n, t.id, last)
		}
		tr.sync, last = append(tr.sync, n-1), n
	}
	return nil
}

func (t *trak) readChunks(tr *track, file *fileBounds) error {
	table, width := t.stco, 4
	if t.co64 != nil {
		table, width = t.co64, 8
	}
	offsets, err := entries("stco", table, 8, width)
	if err != nil {
		return err
	}
	rows, err := entries("stsc", t.stsc, 8, 12)
	if err != nil {
		return err
	}
	chunks, done := uint32(len(offsets)/width), 0
	tr.chunks = make([]chunk, 0, min(int(chunks), len(tr.sizes), maxReserve))
	for next := uint32(1); len(rows) > 0 && done < len(tr.sizes); rows = rows[12:] {
		first, per, entry := be.Uint32(rows), be.Uint32(rows[4:]), be.Uint32(rows[8:])
		stop := chunks + 1
		if len(rows) > 12 {
			stop = min(be.Uint32(rows[12:]), stop)
		}
		if first != next || stop < first || per == 0 {
			return refuse(Malformed, "the sample-to-chunk table of track %d is out of order", t.id)
		}
		if entry != 1 {
			return refuse(SampleEntries, "track %d uses sample entry %d", t.id, entry)
		}
		for next = first; next < stop && done < len(tr.sizes); next++ {
			row := offsets[int(next-1)*width:]
			offset := uint64(be.Uint32(row))
			if width == 8 {
				offset = be.Uint64(row)
			}
			n := min(int(per), len(tr.sizes)-done)
			if err := tr.addChunk(offset, tr.sizes[done:done+n], file.total); err != nil {
				return err
			}
			done += n
		}
		next = stop
	}
	if done < len(tr.sizes) {
		return refuse(Malformed, "%d samples of track %d have no place", len(tr.sizes)-done, t.id)
	}
	return nil
}

// addChunk appends samples that lie back to back, joining them to the last chunk
// where they follow it.
func (t *track) addChunk(offset uint64, sizes []uint32, total int64) error {
	length := sum(sizes)
	if offset > 1<<60 || total >= 0 && int64(offset)+length > total {
		return refuse(Truncated, "media data reaches byte %d", offset+uint64(length))
	}
	t.bytes += length
	if last := len(t.chunks) - 1; last >= 0 && t.chunkEnd == int64(offset) {
		t.chunks[last].n += uint32(len(sizes))
	} else {
		t.chunks = append(t.chunks, chunk{n: uint32(len(sizes)), offset: int64(offset)})
	}
	t.chunkEnd = int64(offset) + length
	return nil
}
