package jit

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
)

// Range is a run of bytes of the source.
type Range struct{ Offset, Length int64 }

// Segment is one media segment, ready to be streamed: a header that was made for
// it, then byte ranges of the source.
type Segment struct {
	Header   []byte        // styp, moof and the header of mdat
	Ranges   []Range       // payload in decode order, adjacent ranges joined
	Size     int64         // of header and payload
	Duration time.Duration // as the playlist says
}

// Segments is how many segments a track has. It panics if there is no such track.
func (x *Index) Segments(trackNumber int) int { return len(x.tracks[trackNumber].segments) }

// Segment returns segment n of a track, counted from 0. It panics if there is no
// such track or segment.
func (x *Index) Segment(trackNumber, n int) (*Segment, error) {
	t := x.tracks[trackNumber]
	seg := t.segments[n]
	out := &Segment{Duration: time.Duration(t.microseconds(n)) * time.Microsecond}
	samples := make([]mp4.Sample, seg.count)
	c := seg.first
	for i := range samples {
		s := t.next(&c)
		flags := mp4.NonSyncSampleFlags | mp4.SampleDependsOn1
		if s.sync {
			flags = mp4.SyncSampleFlags
		}
		samples[i] = mp4.Sample{Flags: flags, Dur: s.dur, Size: s.size, CompositionTimeOffset: s.cto}
		if last := len(out.Ranges) - 1; last >= 0 && out.Ranges[last].Offset+out.Ranges[last].Length == s.offset {
			out.Ranges[last].Length += int64(s.size)
		} else {
			out.Ranges = append(out.Ranges, Range{Offset: s.offset, Length: int64(s.size)})
		}
	}
	header, err := fragmentHeader(uint32(n+1), uint64(seg.first.dts+t.hidden()), samples, seg.bytes)
	if err != nil {
		return nil, fmt.Errorf("segment %d of track %d: %w", n, trackNumber, err)
	}
	out.Header, out.Size = header, int64(len(header))+seg.bytes
	return out, nil
}

// fragmentHeader encodes everything before the payload. What all samples share
// stands once.
func fragmentHeader(sequence uint32, decodeTime uint64, samples []mp4.Sample, payload int64) ([]byte, error) {
	tfhd, trun := mp4.CreateTfhd(mp4.DefaultTrakID), mp4.CreateTrun(0)
	trun.Flags = mp4.TrunDataOffsetPresentFlag | mp4.TrunSampleSizePresentFlag
	trun.Samples = samples
	tfhd.Flags |= mp4.TfhdDefaultSampleFlagsPresentFlag | mp4.TfhdDefaultSampleDurationPresentFlag
	last := samples[len(samples)-1]
	tfhd.DefaultSampleDuration, tfhd.DefaultSampleFlags = last.Dur, last.Flags
	for i, s := range samples {
		if s.Dur != last.Dur {
			trun.Flags |= mp4.TrunSampleDurationPresentFlag
			tfhd.Flags &^= mp4.TfhdDefaultSampleDurationPresentFlag
		}
		if s.CompositionTimeOffset != 0 {
			trun.Flags |= mp4.TrunSampleCompositionTimeOffsetPresentFlag
		}
		if s.Flags != last.Flags && i == 0 {
			trun.SetFirstSampleFlags(s.Flags)
		} else if s.Flags != last.Flags {
			trun.Flags |= mp4.TrunSampleFlagsPresentFlag
		}
	}
	if trun.HasSampleFlags() {
		trun.RemoveFirstSampleFlags()
		tfhd.Flags &^= mp4.TfhdDefaultSampleFlagsPresentFlag
	}
	tfdt := mp4.CreateTfdt(decodeTime)
	tfdt.Version = 1
	traf, moof := &mp4.TrafBox{}, &mp4.MoofBox{}
	for _, box := range []mp4.Box{tfhd, tfdt, trun} {
		if err := traf.AddChild(box); err != nil {
			return nil, err
		}
	}
	for _, box := range []mp4.Box{mp4.CreateMfhd(sequence), traf} {
		if err := moof.AddChild(box); err != nil {
			return nil, err
		}
	}
	trun.DataOffset = int32(moof.Size()) + segmentTrailer
	styp := mp4.NewStyp("msdh", 0, []string{"msdh", "msix", "cmfs"})
	b := bytes.NewBuffer(make([]byte, 0, int(styp.Size()+moof.Size())+segmentTrailer))
	if err := styp.Encode(b); err != nil {
		return nil, err
	}
	if err := moof.Encode(b); err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint32(b.Bytes(), uint32(payload+segmentTrailer)), "mdat"...), nil
}

// End is how far the source must be there for the segment to be written.
func (s *Segment) End() int64 {
	end := int64(0)
	for _, r := range s.Ranges {
		end = max(end, r.Offset+r.Length)
	}
	return end
}

// Write streams the segment to w. Ranges that lie close together are fetched by
// one read and the bytes between them dropped: a request costs more than they do.
// A source that is a [RangeOpener] is streamed; of others up to 1 MiB is held.
func (s *Segment) Write(ctx context.Context, w io.Writer, src Source) error {
	if _, err := w.Write(s.Header); err != nil {
		return fmt.Errorf("write segment header: %w", err)
	}
	for from := 0; from < len(s.Ranges); {
		to := from + 1
		for ; to < len(s.Ranges); to++ {
			gap := s.Ranges[to].Offset - s.Ranges[to-1].Offset - s.Ranges[to-1].Length
			if gap < 0 || gap > mergeGap {
				break
			}
		}
		if err := copySpan(ctx, w, src, s.Ranges[from:to]); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// WriteSegment is Segment and Write in one.
func (x *Index) WriteSegment(ctx context.Context, w io.Writer, src Source, trackNumber, n int) error {
	s, err := x.Segment(trackNumber, n)
	if err != nil {
		return err
	}
	return s.Write(ctx, w, src)
}

// copySpan copies ascending ranges through one read of all that they span.
func copySpan(ctx context.Context, w io.Writer, src Source, ranges []Range) error {
	first, last := ranges[0], ranges[len(ranges)-1]
	length := last.Offset + last.Length - first.Offset
	var r io.Reader = &spanReader{ctx: ctx, src: src, off: first.Offset, left: length}
	if o, ok := src.(RangeOpener); ok {
		body, err := o.OpenRange(ctx, first.Offset, length)
		if err != nil {
			return fmt.Errorf("open %d bytes of the source at %d: %w", length, first.Offset, err)
		}
		defer body.Close()
		r = body
	}
	at := first.Offset
	for _, k := range ranges {
		if _, err := io.CopyN(io.Discard, r, k.Offset-at); err != nil {
			return fmt.Errorf("skip to %d in the source: %w", k.Offset, err)
		}
		if _, err := io.CopyN(w, r, k.Length); err != nil {
			return fmt.Errorf("copy %d bytes of the source at %d: %w", k.Length, k.Offset, err)
		}
		at = k.Offset + k.Length
	}
	return nil
}

// spanReader reads a span in pieces of up to 1 MiB.
type spanReader struct {
	ctx       context.Context
	src       Source
	off, left int64
	buf, rest []byte
}

const spanPiece = 1 << 20

// Read implements io.Reader.
func (r *spanReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		n := min(r.left, spanPiece)
		if r.buf == nil {
			r.buf = make([]byte, n)
		}
		if err := readFull(r.ctx, r.src, r.buf[:n], r.off); err != nil {
			return 0, err
		}
		r.rest, r.off, r.left = r.buf[:n], r.off+n, r.left-n
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
