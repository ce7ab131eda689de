package jit

import (
	"time"
)

// Index is everything that serving needs to know about a source. It is made by
// [Build], [Early] or [Decode] and never changes.
type Index struct {
	size   int64 // of the source, -1 when it was not known
	leadIn int64 // video ticks by which the presentation is shifted
	tracks []*track
}

// Track describes one track; its place in [Index.Tracks] is its number in every
// method that takes one.
type Track struct {
	Video               bool
	Codecs              string // RFC 6381
	Language            string // ISO 639-2, "und" when unknown
	Channels            int    // audio
	SampleRate          int    // audio, in Hz
	Width, Height       int    // video, as displayed
	FrameRate           float64
	BandwidthBPS        int // peak, as RFC 8216 section 4.3.4.2 defines it
	AverageBandwidthBPS int
	Timescale           int // unit of the times in segments, per second
	Segments            int
	Samples             int // access units
	Duration            time.Duration
}

// Variant holds the facts of the variant stream for the multivariant playlist.
type Variant struct {
	Codecs              string // all formats, comma separated
	Width, Height       int    // as displayed; 0 without video
	FrameRate           float64
	BandwidthBPS        int // video plus the largest audio rendition
	AverageBandwidthBPS int
}

// SourceSize is the size of the source in bytes, -1 when it was indexed before
// that was known.
func (x *Index) SourceSize() int64 { return x.size }

// Duration is the length of the presentation.
func (x *Index) Duration() time.Duration {
	var d time.Duration
	for _, t := range x.tracks {
		d = max(d, t.time(t.segments[len(t.segments)-1].to))
	}
	return d
}

// LeadIn is by how much the presentation is later than the source's: frames that
// the source's edit list hides, but that are needed to decode the first one shown.
// It is 0 for nearly every source. Above 0 the source must not be one variant
// among encoded ones, since their times would differ.
func (x *Index) LeadIn() time.Duration {
	if v := x.videoTrack(); v != nil {
		return v.time(x.leadIn)
	}
	return 0
}

// HasVideo tells whether track 0 is video; the others are audio.
func (x *Index) HasVideo() bool { return x.videoTrack() != nil }

func (x *Index) videoTrack() *track {
	if len(x.tracks) > 0 && x.tracks[0].kind == video {
		return x.tracks[0]
	}
	return nil
}

// Tracks returns the facts of each track: the video if there is one, then the
// audio tracks in the order of the source.
func (x *Index) Tracks() []Track {
	out := make([]Track, len(x.tracks))
	target := x.targetDuration()
	for i, t := range x.tracks {
		f := Track{Language: t.language, Timescale: int(t.timescale), Segments: len(t.segments), Samples: len(t.sizes)}
		f.Duration = t.time(t.segments[len(t.segments)-1].to)
		f.BandwidthBPS, f.AverageBandwidthBPS = t.bandwidth(target)
		if t.kind == video {
			f.Video, f.Codecs, f.FrameRate = true, t.video.codecs(), t.frameRate()
			f.Width, f.Height = t.video.displayed()
		} else {
			f.Codecs, f.Channels, f.SampleRate = t.audio.codecs(), int(t.audio.channels), int(t.audio.rate)
		}
		out[i] = f
	}
	return out
}

// Variant returns the facts of the one variant stream.
func (x *Index) Variant() Variant {
	var v Variant
	peak, mean, seen := 0, 0, map[string]bool{}
	for _, t := range x.Tracks() {
		if !seen[t.Codecs] {
			if seen[t.Codecs] = true; v.Codecs != "" {
				v.Codecs += ","
			}
			v.Codecs += t.Codecs
		}
		if t.Video {
			v.Width, v.Height, v.FrameRate = t.Width, t.Height, t.FrameRate
			v.BandwidthBPS, v.AverageBandwidthBPS = t.BandwidthBPS, t.AverageBandwidthBPS
			continue
		}
		peak, mean = max(peak, t.BandwidthBPS), max(mean, t.AverageBandwidthBPS)
	}
	v.BandwidthBPS += peak
	v.AverageBandwidthBPS += mean
	return v
}

// Arrived is how many segments of a track, from the first one on, lie whole in the
// first size bytes of the source. It panics if there is no such track.
func (x *Index) Arrived(trackNumber int, size int64) int {
	for n, s := range x.tracks[trackNumber].segments {
		if s.until > size {
			return n
		}
	}
	return len(x.tracks[trackNumber].segments)
}

// startSegments is how many segments of each track a viewer should have to start
// with: the first one is short.
const startSegments = 2

// Starts tells whether playback can begin when the first size bytes of the source
// have arrived.
func (x *Index) Starts(size int64) bool {
	for n, t := range x.tracks {
		if x.Arrived(n, size) < min(startSegments, len(t.segments)) {
			return false
		}
	}
	return true
}

// time converts ticks, which are within the 12 h limit.
func (t *track) time(ticks int64) time.Duration {
	whole, scale := ticks/int64(t.timescale), int64(t.timescale)
	return time.Duration(whole)*time.Second + time.Duration(ticks%scale*int64(time.Second)/scale)
}

func (t *track) frameRate() float64 {
	ticks := int64(0)
	for _, r := range t.durs {
		ticks += int64(r.n) * int64(r.v)
	}
	rate := float64(len(t.sizes)) * float64(t.timescale) / float64(ticks)
	return float64(int64(rate*1000+0.5)) / 1000
}

// bandwidth returns the largest rate of any run of segments that lasts between
// half and one and a half target durations, and the rate of all of them. The
// headers made here are counted with 16 bytes for each access unit.
func (t *track) bandwidth(target int) (peak, average int) {
	rate := func(segs []segment) (seconds, bps float64) {
		bytes := int64(0)
		for i := range segs {
			bytes += segs[i].bytes + 200 + 16*int64(segs[i].count)
		}
		seconds = float64(segs[len(segs)-1].to-segs[0].from) / float64(t.timescale)
		return seconds, float64(bytes*8) / seconds
	}
	_, all := rate(t.segments)
	most := all
	for i := range t.segments {
		for j := i + 1; j <= len(t.segments); j++ {
			seconds, bps := rate(t.segments[i:j])
			if seconds > 1.5*float64(target) {
				break
			}
			if seconds >= 0.5*float64(target) {
				most = max(most, bps)
			}
		}
	}
	return int(most + 1), int(all + 1)
}
