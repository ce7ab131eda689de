package jit

import "math"

// maxLeadIn is how much of the picture that an edit list hides may show all the
// same. Cuts made without encoding start between keyframes; the frames before the
// cut are needed to decode what follows, and media source extensions cannot hide
// them. More than this is what somebody cut off on purpose.
const maxLeadIn = 500 // milliseconds

// maxPriming is how much audio before its first audible sample is kept.
const maxPriming = 100 // milliseconds

// placed is a track with what its edit list asks for.
type placed struct {
	*track
	stop int64 // presentation time at which the edit ends
}

// place moves a track to the presentation timeline: an optional delay, then one
// edit that starts at some media time. tr.start holds the first decode time of
// the media timeline.
func (t *trak) place(tr *track, movieScale uint32) (placed, error) {
	p, delay, shown := placed{track: tr, stop: maxTicks}, int64(0), false
	for _, e := range t.edits {
		switch {
		case e.media == -1 && !shown:
			delay += rescale(e.duration, movieScale, tr.timescale)
		case e.media == -1:
		case shown:
			return p, refuse(EditList, "track %d is made of several edits", t.id)
		case e.rate != 1<<16:
			return p, refuse(EditList, "track %d plays at a changed rate", t.id)
		default:
			shown = true
			tr.start -= e.media
			if e.duration > 0 {
				// One movie tick of tolerance: edit lengths are rounded to them.
				p.stop = rescale(e.duration+1, movieScale, tr.timescale)
			}
		}
	}
	tr.start += delay
	p.stop = min(p.stop+delay, maxTicks)
	limit := 2 * maxSeconds * int64(tr.timescale)
	if tr.start > limit || tr.start < -limit {
		return p, refuse(EditList, "track %d starts at %d ticks", t.id, tr.start)
	}
	return p, nil
}

// level makes the least composition offset zero, by which decoding starts before
// the first frame is shown and never after. The edit list of the init segment
// hides the time in between. (Signed offsets would do without it, but FFmpeg shows
// such video later by the largest negative one.)
func (t *track) level() error {
	least := int64(math.MaxInt32)
	for _, r := range t.ctos {
		least = min(least, int64(r.v))
	}
	if len(t.ctos) == 0 {
		return nil
	}
	t.start += least
	for i := range t.ctos {
		v := int64(t.ctos[i].v) - least
		if v > math.MaxInt32 {
			return refuse(Timestamps, "a composition offset of %d ticks", v)
		}
		t.ctos[i].v = int32(v)
	}
	if len(t.ctos) == 1 {
		t.ctos = nil
	}
	return nil
}

// keyframe is a sync sample at which the stream can be cut: all samples before it
// are shown before, all after it later.
type keyframe struct {
	sample int
	pts    int64
}

// keyframes returns the closed keyframes and the time at which the track ends.
func (t *track) keyframes() ([]keyframe, int64) {
	type group struct {
		keyframe
		least, most int64
	}
	var groups []group
	end, c := t.start, t.begin()
	for stop := 0; c.i < len(t.sizes); {
		i, pts := c.i, t.shown(&c)
		if stop = i + 1; t.sync != nil {
			for c.sync < len(t.sync) && int(t.sync[c.sync]) <= i {
				c.sync++
			}
			if stop = len(t.sizes); c.sync < len(t.sync) {
				stop = int(t.sync[c.sync])
			}
		}
		least, most, shown := t.elapse(&c, stop)
		end = max(end, shown)
		groups = append(groups, group{keyframe{i, pts}, least, most})
	}
	after := make([]int64, len(groups)+1)
	after[len(groups)] = maxTicks
	for i := len(groups) - 1; i >= 0; i-- {
		after[i] = min(after[i+1], groups[i].least)
	}
	var keys []keyframe
	before := -maxTicks
	for i, g := range groups {
		synced := g.sample > 0 || t.sync == nil || len(t.sync) > 0 && t.sync[0] == 0
		if synced && before < g.pts && g.pts <= after[i] {
			keys = append(keys, g.keyframe)
		}
		before = max(before, g.most)
	}
	return keys, end
}

// trimVideo drops whole groups of pictures that the edit list hides and returns
// by how many ticks the presentation must shift for decode times not to be negative.
func (p placed) trimVideo() (shift int64, err error) {
	p.keys, p.ends = p.keyframes()
	if len(p.keys) == 0 || p.keys[0].sample != 0 {
		return 0, refuse(KeyframeGap, "the video does not start with a closed keyframe")
	}
	from, to := 0, len(p.sizes)
	for _, k := range p.keys {
		if k.pts <= 0 {
			from = k.sample
		}
	}
	if p.stop < p.ends {
		to = 0
		for c := p.begin(); c.i < len(p.sizes); {
			if s := p.next(&c); s.pts < p.stop {
				to = c.i
			}
		}
	}
	if to <= from {
		return 0, refuse(EditList, "the edit list hides all of the video")
	}
	if from > 0 || to < len(p.sizes) {
		p.cut(from, to)
		p.keys, p.ends = p.keyframes()
	}
	if err := p.level(); err != nil {
		return 0, err
	}
	if p.keys[0].pts >= 0 {
		return 0, nil
	}
	shift = -p.keys[0].pts
	if shift*1000 > maxLeadIn*int64(p.timescale) {
		return 0, refuse(EditHidden, "%d ms before the first shown frame are needed to decode it", shift*1000/int64(p.timescale))
	}
	p.start += shift
	p.ends += shift
	for i := range p.keys {
		p.keys[i].pts += shift
	}
	return shift, nil
}

// trimAudio drops frames that the edit list hides, but for the priming.
func (p placed) trimAudio() error {
	for _, r := range p.ctos {
		if r.v != 0 {
			return refuse(Timestamps, "audio with composition offsets")
		}
	}
	p.ctos = nil
	priming := -maxPriming * int64(p.timescale) / 1000
	from, _ := p.first(priming)
	to, _ := p.first(p.stop)
	if to <= from {
		return refuse(EditList, "the edit list hides all of an audio track")
	}
	p.cut(from, to)
	return nil
}
