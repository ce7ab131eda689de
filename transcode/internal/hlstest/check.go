package hlstest

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
)

// Check returns what is wrong with a presentation of any source, joined: what
// must hold down to the byte for players to play it.
func (p *Presentation) Check() error {
	var wrong []error
	note := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if !p.List.IndependentSegments {
		note("multivariant playlist without INDEPENDENT-SEGMENTS")
	}
	seen := map[*Track]bool{}
	all := slices.Concat(p.Video(), p.Sound())
	for _, t := range all {
		if !seen[t] {
			wrong = append(wrong, t.check()...)
		}
		seen[t] = true
	}
	videos := p.Video()
	for _, t := range videos[min(1, len(videos)):] {
		if a, b := videos[0].Boundaries(), t.Boundaries(); !near(a, b, 0.001) {
			note("segments of %s begin at %.4f, of %s at %.4f", videos[0].URL, a, t.URL, b)
		}
		if a, b := videos[0].Timescale, t.Timescale; a != b {
			note("%s has %d ticks a second, %s %d: hls.js would shift one of them", videos[0].URL, a, t.URL, b)
		}
	}
	if len(videos) > 0 {
		for _, t := range p.Sound() {
			a, b := videos[0].Boundaries(), t.Boundaries()
			n := min(len(a), len(b)) - 1 // where one ends is its own
			if !near(a[:n], b[:n], 0.022) {
				note("audio segments of %s begin at %.4f, the picture's at %.4f", t.URL, b, a)
			}
		}
	}
	for _, v := range p.Variants {
		wrong = append(wrong, v.check(p)...)
	}
	return errors.Join(wrong...)
}

// check compares a variant's attributes with what its tracks are.
func (v *Variant) check(p *Presentation) []error {
	var wrong []error
	note := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("variant %s: "+format, append([]any{v.Track.URL}, args...)...))
	}
	t := v.Track
	if t.Kind != Video {
		return nil
	}
	if t.SPS != nil {
		if want := fmt.Sprintf("%dx%d", t.SPS.Width, t.SPS.Height); v.Attributes["RESOLUTION"] != want {
			note("RESOLUTION is %s, the stream %s", v.Attributes["RESOLUTION"], want)
		}
	}
	if !regexp.MustCompile(`^(avc1|hvc1|av01)\.`).MatchString(v.Attributes["CODECS"]) || t.Codec != "" && v.Attributes["CODECS"][:len(t.Codec)] != t.Codec {
		note("CODECS is %s, the stream's %s", v.Attributes["CODECS"], t.Codec)
	}
	group := v.Attributes["AUDIO"]
	if (group != "") != (len(p.Audio) > 0) {
		note("its AUDIO group is %q of %d renditions", group, len(p.Audio))
	}
	return wrong
}

func (t *Track) check() []error {
	var wrong []error
	note := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("%s: "+format, append([]any{t.URL}, args...)...))
	}
	switch {
	case t.List.PlaylistType == nil || *t.List.PlaylistType != "VOD":
		note("no VOD")
	case !t.List.Endlist:
		note("no ENDLIST")
	case !t.List.IndependentSegments:
		note("no INDEPENDENT-SEGMENTS")
	}
	sum, frame, at := 0.0, uint64(0), t.Boundaries()
	for i, s := range t.Segments {
		if i > 0 {
			if before := t.Segments[i-1]; before.Start+before.Duration != s.Start {
				note("segment %d starts at %d, the one before ends at %d", i, s.Start, before.Start+before.Duration)
			}
		}
		if seconds := at[i+1] - at[i]; math.Abs(seconds-s.EXTINF) > 0.001 {
			note("segment %d lasts %.4f s, its EXTINF says %.4f", i, seconds, s.EXTINF)
		}
		if math.Round(s.EXTINF) > float64(t.List.TargetDuration) {
			note("segment %d of %.3f s is above the target duration of %d s", i, s.EXTINF, t.List.TargetDuration)
		}
		if t.Kind == Video && !t.StartsAtIDR(s) {
			note("segment %d starts without an IDR", i)
		}
		if t.Kind == Video && !s.Samples[0].IsSync() {
			note("segment %d starts without a sync sample", i)
		}
		if i > 0 && s.EXTINF < 0.3 {
			note("segment %d of %.3f s is so short that players may never fetch it", i, s.EXTINF)
		}
		sum += s.EXTINF
		frame = max(frame, uint64(s.Samples[0].Dur))
	}
	if off := math.Abs(sum - t.Seconds()); off > float64(frame)/float64(t.Timescale)/2 {
		note("EXTINF sums to %.4f s, the samples to %.4f s", sum, t.Seconds())
	}
	if at[0] > 0.001 {
		note("starts at %.4f s", at[0])
	}
	return wrong
}

func near(a, b []float64, within float64) bool {
	return len(a) == len(b) && !slices.ContainsFunc(pairs(a, b), func(d float64) bool { return math.Abs(d) > within })
}

func pairs(a, b []float64) []float64 {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	return d
}
