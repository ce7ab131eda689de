package jit

import (
	"fmt"
	"time"
)

// soundFrame is more than a frame of encoded sound lasts: 1,024 samples of 44,100.
const soundFrame = 24 * time.Millisecond

// Grid returns the frames at which the segments of the video start, counted on a
// constant grid of num/den frames a second from time zero, or the reason why the
// video does not lie on it: it must start at zero, each frame must last exactly one of
// the grid, and no segment may be longer than target seconds, rounded to the nearest
// second, not even one of sound, which is cut a frame later, or goes on after the last
// picture. Renditions that are cut at these frames are aligned to the source's.
func (x *Index) Grid(num, den, target int) (cuts []int64, reason string) {
	v := x.videoTrack()
	if v == nil {
		return nil, "there is no video"
	}
	if x.leadIn != 0 {
		return nil, "frames that the edit list hides are shown"
	}
	first := v.begin()
	if s := v.next(&first); s.pts != 0 {
		return nil, fmt.Sprintf("the first frame is shown at %v", v.time(s.pts))
	}
	frame := int64(v.durs[0].v)
	if frame*int64(num) != int64(v.timescale)*int64(den) {
		return nil, fmt.Sprintf("a frame lasts %d/%d s, not %d/%d", frame, v.timescale, den, num)
	}
	left := len(v.sizes)
	for _, r := range v.durs {
		if left -= int(r.n); int64(r.v) != frame && (left > 0 || r.n > 1) { // the last may be cut or held
			return nil, "the frame rate varies"
		}
	}
	for n := range v.segments {
		s := &v.segments[n]
		length := v.time(s.to) - v.time(s.from)
		if n == len(v.segments)-1 {
			length = x.Duration() - v.time(s.from)
		}
		if length+soundFrame >= time.Duration(target)*time.Second+500*time.Millisecond {
			return nil, fmt.Sprintf("segment %d lasts %d ms", n, length.Milliseconds())
		}
		if s.from%frame != 0 {
			return nil, fmt.Sprintf("segment %d starts between two frames", n)
		}
		cuts = append(cuts, s.from/frame)
	}
	return cuts, ""
}

// TargetDuration is what the playlists of all tracks say, in seconds.
func (x *Index) TargetDuration() int { return x.targetDuration() }
