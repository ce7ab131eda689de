package jit

// The segment plan: about targetSeconds a segment, never below leastSeconds but
// for the last; the first is short for a fast start.
const (
	targetSeconds  = 6
	leastSeconds   = 2
	mostMillis     = 6500 // Apple's HLS authoring rule 7.7: no more than half a second over
	mergeGap       = 256 << 10
	segmentTrailer = 8 // the header of the mdat box
	// tailMillis is how long the last segment is at least, else it is part of the one
	// before it. A player may see times shifted by the reordering of some frames, and
	// never fetch a segment that is no longer than that.
	tailMillis = 400
)

// makePlan cuts video at closed keyframes and audio at the frames nearest after.
func (x *Index) makePlan() error {
	var bounds []int64
	scale := uint32(1)
	if v := x.videoTrack(); v != nil {
		if err := v.checkGaps(v.keys, v.ends); err != nil {
			return err
		}
		scale = v.timescale
		for i, k := range planVideo(v.keys, v.ends, scale) {
			v.plan = append(v.plan, uint32(k.sample))
			if i > 0 {
				bounds = append(bounds, k.pts)
			}
		}
		v.keys = nil
	}
	for _, t := range x.tracks {
		if t.kind != audio {
			continue
		}
		cuts := make([]int64, 0, len(bounds))
		for _, b := range bounds {
			cuts = append(cuts, rescale(b, scale, t.timescale))
		}
		t.planAudio(cuts)
	}
	return nil
}

func (t *track) checkGaps(keys []keyframe, end int64) error {
	last := int64(0)
	if len(keys) > 0 {
		last = keys[0].pts
	}
	for i := range keys {
		next := end
		if i+1 < len(keys) {
			next = keys[i+1].pts
		}
		if next-last > maxKeyframeGap*int64(t.timescale) {
			return refuse(KeyframeGap, "%.1f s without a closed keyframe", float64(next-last)/float64(t.timescale))
		}
		last = next
	}
	if int64(len(t.sizes)) > maxFrameRate*((end-t.start)/int64(t.timescale)+1) {
		return refuse(FrameRate, "%d frames in %d s", len(t.sizes), (end-t.start)/int64(t.timescale))
	}
	return nil
}

// planVideo chooses the keyframes that start a segment: the last one within reach
// of the target, or else the first after it.
func planVideo(keys []keyframe, end int64, scale uint32) []keyframe {
	plan := []keyframe{keys[0]}
	for i := 1; i < len(keys); {
		start, least, most := plan[len(plan)-1].pts, leastSeconds*int64(scale), mostMillis*int64(scale)/1000
		if len(plan) == 1 {
			most = least + int64(scale)/10 // 2 s and a frame or two
		}
		pick := -1
		for ; i < len(keys) && (pick < 0 || keys[i].pts-start <= most); i++ {
			if keys[i].pts-start >= least && end-keys[i].pts >= tailMillis*int64(scale)/1000 {
				pick = i
			}
		}
		if pick < 0 {
			break
		}
		plan, i = append(plan, keys[pick]), pick+1
	}
	return plan
}

// planAudio starts a segment at the first frame at or after each cut; where no
// frame lies between two cuts, one segment covers both. Past the last cut, and
// without any, it cuts on its own.
func (t *track) planAudio(cuts []int64) {
	scale := int64(t.timescale)
	_, end := t.first(0)
	at := int64(0)
	if len(cuts) > 0 {
		at = cuts[len(cuts)-1]
	}
	step := int64(targetSeconds) * scale
	if len(cuts) == 0 {
		step = leastSeconds * scale
	}
	for ; end-at > mostMillis*scale/1000; step = targetSeconds * scale {
		at += step
		cuts = append(cuts, at)
	}
	for len(cuts) > 0 && end-cuts[len(cuts)-1] < tailMillis*scale/1000 {
		cuts = cuts[:len(cuts)-1]
	}
	t.plan = []uint32{0}
	start, i, next := t.start, int64(0), 0
	for _, r := range t.durs {
		n, dur := int64(r.n), int64(r.v)
		for ; next < len(cuts); next++ {
			k := (max(0, cuts[next]-start) + dur - 1) / dur
			if k >= n {
				break
			}
			if uint32(i+k) > t.plan[len(t.plan)-1] {
				t.plan = append(t.plan, uint32(i+k))
			}
		}
		i, start = i+n, start+n*dur
	}
}

// finish derives the segments of each track from the plans, in one pass.
func (x *Index) finish() error {
	if err := each(x.tracks, (*track).makeSegments); err != nil {
		return err
	}
	return x.checkLengths()
}

func (t *track) makeSegments() error {
	t.segments = make([]segment, len(t.plan))
	end, c := t.start, t.begin()
	for n := range t.segments {
		stop, s := len(t.sizes), &t.segments[n]
		if n+1 < len(t.plan) {
			stop = int(t.plan[n+1])
		}
		s.first, s.count = c, stop-c.i
		if n > 0 {
			s.from = t.shown(&c)
			t.segments[n-1].to = s.from
		}
		s.gather(t, &c, stop)
		_, _, shown := t.elapse(&c, stop)
		end = max(end, shown)
	}
	t.segments[len(t.segments)-1].to = end
	for i := range t.segments {
		switch s := &t.segments[i]; {
		case s.to <= s.from:
			return refuse(Timestamps, "segment %d ends before it starts", i)
		case s.bytes > maxSegment:
			return refuse(TooLarge, "a segment of %d bytes", s.bytes)
		case s.spans > maxSpans:
			return refuse(Scattered, "a segment that takes %d reads", s.spans)
		}
	}
	return nil
}

// gather moves the place of c to sample stop and notes where the bytes up to there lie.
func (s *segment) gather(t *track, c *cursor, stop int) {
	reach := int64(-1)
	for i := c.i; i < stop; {
		k := &t.chunks[c.chunk]
		n := min(int(k.n-c.inChunk), stop-i)
		from, length := k.offset+c.offset, sum(t.sizes[i:i+n])
		if reach < 0 || from < reach || from-reach > mergeGap {
			s.spans++
		}
		reach = from + length
		s.until = max(s.until, reach)
		s.bytes += length
		i, c.offset = i+n, c.offset+length
		if c.inChunk += uint32(n); c.inChunk == k.n {
			c.chunk, c.inChunk, c.offset = c.chunk+1, 0, 0
		}
	}
}

// checkLengths holds the tracks against each other: players stall where one of
// two buffers ends long before the other.
func (x *Index) checkLengths() error {
	seconds := func(t *track, v int64) float64 { return float64(v) / float64(t.timescale) }
	lead := x.tracks[0]
	for _, t := range x.tracks {
		end := seconds(t, t.segments[len(t.segments)-1].to)
		if end > maxSeconds {
			return refuse(Duration, "%.0f s", end)
		}
		leadEnd := seconds(lead, lead.segments[len(lead.segments)-1].to)
		for _, apart := range []float64{seconds(t, t.start), seconds(t, t.start) - seconds(lead, lead.start), end - leadEnd} {
			if apart > maxApart || apart < -maxApart {
				return refuse(TrackLengths, "tracks lie %.1f s apart", apart)
			}
		}
	}
	return nil
}
