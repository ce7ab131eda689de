package jit

import (
	"bytes"
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// Build indexes a source that is there as a whole. It returns [*Unservable] when
// the source cannot be served as it is; any other error comes from reading.
func Build(ctx context.Context, src Source) (*Index, error) {
	idx, err := build(ctx, src, src.Size())
	if short, ok := errors.AsType[errShort](err); ok {
		return nil, refuse(Truncated, "the file ends at %d, its boxes reach %d", src.Size(), short.need)
	}
	return idx, err
}

// Early indexes a source that is still growing and will have total bytes, or -1
// when that is not known. It returns [*NeedMore] while more must arrive; a file
// whose sample tables come first is indexed as soon as they are there.
// Samples beyond src.Size() are in the index: [Index.Arrived] tells how many
// segments can be served yet.
func Early(ctx context.Context, src Source, total int64) (*Index, error) {
	idx, err := build(ctx, src, total)
	if short, ok := errors.AsType[errShort](err); ok {
		if total >= 0 && short.need > total {
			return nil, refuse(Truncated, "the file ends at %d, its boxes reach %d", total, short.need)
		}
		return nil, &NeedMore{Size: short.need, TablesLast: short.media}
	}
	return idx, err
}

func build(ctx context.Context, src Source, total int64) (*Index, error) {
	s := &scanner{src: src, avail: src.Size(), total: total}
	body, after, err := s.moov(ctx)
	if err != nil {
		return nil, err
	}
	m, err := parseMovie(body)
	if err != nil {
		return nil, err
	}
	chosen, err := m.choose()
	if err != nil {
		return nil, err
	}
	file := &fileBounds{total: total}
	file.samples.Store(maxSamples)
	if m.fragmented {
		err = m.readFragments(ctx, s, after, chosen, file)
	} else {
		err = each(chosen, func(c selected) error { return c.trak.samples(c.track, file) })
	}
	if err != nil {
		return nil, err
	}
	return assemble(ctx, m, s, chosen)
}

// each works on all tracks at once, and returns the error of the first that has one.
func each[T any](tracks []T, work func(T) error) error {
	errs := make([]error, len(tracks))
	var g errgroup.Group
	g.SetLimit(4)
	for i, t := range tracks {
		g.Go(func() error {
			errs[i] = work(t)
			return nil
		})
	}
	_ = g.Wait() // each error has its place
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// selected is a track that is served.
type selected struct {
	trak  *trak
	track *track
}

// choose takes the first enabled video track and every audio track that can be
// served. An audio track in another format is passed over only when a servable
// track of the same language is there, as in files with AAC and AC-3.
func (m *movie) choose() ([]selected, error) {
	var out []selected
	var first *trak
	for _, t := range m.tracks {
		if t.handler == "vide" && (first == nil || t.enabled && !first.enabled) {
			first = t
		}
	}
	if first != nil {
		format, err := first.videoFormat()
		if err != nil {
			return nil, err
		}
		out = append(out, selected{first, &track{kind: video, video: format}})
	}
	refused := map[string]error{}
	var order []string
	served := map[string]bool{}
	for _, t := range m.tracks {
		if t.handler != "soun" || !m.fragmented && t.empty() {
			continue
		}
		format, err := t.audioFormat()
		if err != nil {
			refused[t.language], order = err, append(order, t.language)
			continue
		}
		served[t.language] = true
		out = append(out, selected{t, &track{kind: audio, audio: format}})
	}
	for _, l := range order {
		if !served[l] {
			return nil, refused[l]
		}
	}
	for _, c := range out {
		if c.trak.timescale == 0 || c.trak.timescale > maxTimescale {
			return nil, refuse(Malformed, "the timescale of track %d is %d", c.trak.id, c.trak.timescale)
		}
		c.track.timescale, c.track.language = c.trak.timescale, c.trak.language
	}
	if len(out) == 0 {
		return nil, refuse(NoMedia, "there is neither video nor audio")
	}
	return out, nil
}

func (t *trak) empty() bool { return len(t.stsz) >= 12 && be.Uint32(t.stsz[8:]) == 0 }

// assemble puts the tracks on the presentation timeline and plans the segments.
func assemble(ctx context.Context, m *movie, s *scanner, chosen []selected) (*Index, error) {
	idx := &Index{size: s.total}
	payload, shift := int64(0), int64(0)
	for _, c := range chosen {
		if len(c.track.sizes) == 0 {
			return nil, refuse(Malformed, "track %d has no samples", c.trak.id)
		}
		if payload += c.track.bytes; s.total >= 0 && payload > s.total {
			return nil, refuse(Overlapping, "samples of %d bytes in a file of %d", payload, s.total)
		}
		p, err := c.trak.place(c.track, m.timescale)
		if err != nil {
			return nil, err
		}
		if c.track.kind == video {
			if err := c.track.checkSync(ctx, s); err != nil {
				return nil, err
			}
			if shift, err = p.trimVideo(); err != nil {
				return nil, err
			}
			idx.leadIn = shift
		} else {
			if shift > 0 { // the video is always first
				by := rescale(shift, chosen[0].track.timescale, c.track.timescale)
				c.track.start += by
				p.stop += by
			}
			if err := p.trimAudio(); err != nil {
				return nil, err
			}
		}
		// An index may be kept for long: it must not hold on to the moov box.
		c.track.video.colour = bytes.Clone(c.track.video.colour)
		c.track.audio.config = bytes.Clone(c.track.audio.config)
		idx.tracks = append(idx.tracks, c.track)
	}
	if err := idx.makePlan(); err != nil {
		return nil, err
	}
	return idx, idx.finish()
}

// checkSync looks into a few frames when the tables claim that every frame is a
// keyframe: some writers leave the sync table out though it is not so.
func (t *track) checkSync(ctx context.Context, s *scanner) error {
	if t.sync != nil || len(t.sizes) < 2 {
		return nil
	}
	const looks = 4
	c := t.begin()
	for look := 1; look <= looks; look++ {
		var last sample
		for c.i <= (len(t.sizes)-1)*look/looks {
			last = t.next(&c)
		}
		if last.size == 0 {
			continue
		}
		b, err := s.bytes(ctx, last.offset, min(int64(last.size), 64<<10), 0)
		if err != nil {
			return err
		}
		if !hasIDR(b, int(t.video.config[4]&3)+1) {
			return refuse(KeyframesUnknown, "there is no sync sample table, and frame %d is no keyframe", c.i-1)
		}
	}
	return nil
}

// hasIDR walks the NAL units of an access unit that may be cut at its end.
func hasIDR(b []byte, width int) bool {
	for len(b) > width {
		n := 0
		for _, c := range b[:width] {
			n = n<<8 | int(c)
		}
		if b[width]&31 == 5 {
			return true
		}
		if n >= len(b)-width {
			return false
		}
		b = b[width+n:]
	}
	return false
}
