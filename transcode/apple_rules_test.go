package transcode_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vitascope/vitascope/transcode/internal/hlstest"
)

// rule is one of Apple's HLS authoring specification for Apple devices, by its
// number there. Its check returns what breaks it in a presentation.
type rule struct {
	id, text string
	check    func(*hlstest.Presentation) []string
}

// complaints collects what breaks a rule.
type complaints []string

func (c *complaints) unless(ok bool, format string, args ...any) {
	if !ok {
		*c = append(*c, fmt.Sprintf(format, args...))
	}
}

// eachVideo checks every video track.
func eachVideo(check func(t *hlstest.Track, c *complaints)) func(*hlstest.Presentation) []string {
	return func(p *hlstest.Presentation) []string {
		var c complaints
		for _, t := range p.Video() {
			check(t, &c)
		}
		return c
	}
}

// eachTrack checks every track of picture or sound.
func eachTrack(check func(t *hlstest.Track, c *complaints)) func(*hlstest.Presentation) []string {
	return func(p *hlstest.Presentation) []string {
		var c complaints
		for _, t := range slices.Concat(p.Video(), p.Sound()) {
			check(t, &c)
		}
		return c
	}
}

// eachVariant checks every variant with a picture.
func eachVariant(check func(p *hlstest.Presentation, v hlstest.Variant, c *complaints)) func(*hlstest.Presentation) []string {
	return func(p *hlstest.Presentation) []string {
		var c complaints
		for _, v := range p.Variants {
			if v.Track.Kind == hlstest.Video {
				check(p, v, &c)
			}
		}
		return c
	}
}

// has requires an attribute on every variant with a picture.
func has(attribute string) func(*hlstest.Presentation) []string {
	return eachVariant(func(_ *hlstest.Presentation, v hlstest.Variant, c *complaints) {
		c.unless(v.Attributes[attribute] != "", "%s without %s", v.Track.URL, attribute)
	})
}

// videoRules are sections 1 and 7 to 8 of the specification.
var videoRules = []rule{
	{"1.4", "H.264 is of High profile", eachVideo(func(t *hlstest.Track, c *complaints) {
		c.unless(t.SPS == nil || t.SPS.Profile == 100, "%s is of profile %d", t.URL, profile(t))
	})},
	{"1.5", "HEVC and AV1 are in fragmented MP4, as all is", eachTrack(func(t *hlstest.Track, c *complaints) {
		c.unless(t.List.Map != nil, "%s has no init segment", t.URL)
	})},
	{"1.10", "sample entries are avc1, hvc1 or av01", eachVideo(func(t *hlstest.Track, c *complaints) {
		c.unless(slices.Contains([]string{"avc1", "hvc1", "av01"}, t.SampleEntry), "%s is %s", t.URL, t.SampleEntry)
	})},
	{"1.11", "the level is no higher than needed", eachVideo(func(t *hlstest.Track, c *complaints) {
		if t.SPS != nil {
			need := levelFor(t)
			c.unless(int(t.SPS.Level) <= need, "%s is of level %d, %d would do", t.URL, t.SPS.Level, need)
		}
	})},
	{"1.13", "an IDR each 2 s", eachVideo(func(t *hlstest.Track, c *complaints) {
		for i, s := range t.Segments {
			last, at := uint64(0), uint64(0)
			for j, sample := range s.Samples {
				if sample.IsSync() {
					last = at
				}
				at += uint64(sample.Dur)
				if gap := float64(at-last) / float64(t.Timescale); gap > 2.005 {
					c.unless(false, "segment %d of %s: sample %d is %.2f s after an IDR", i, t.URL, j, gap)
					return
				}
			}
		}
	})},
	{"1.14", "interlaced pictures are deinterlaced", eachVideo(func(t *hlstest.Track, c *complaints) {
		c.unless(t.SPS == nil || t.SPS.FrameMbsOnlyFlag, "%s may have fields", t.URL)
	})},
	{"1.19", "at most 60 frames a second", eachVideo(func(t *hlstest.Track, c *complaints) {
		rate := float64(t.Frames()) / t.Seconds()
		c.unless(rate <= 60.01, "%s has %.2f", t.URL, rate)
	})},
	{"1.33", "one aspect ratio in all variants", func(p *hlstest.Presentation) []string {
		var c complaints
		videos := p.Video()
		for _, t := range videos {
			if t.SPS != nil && videos[0].SPS != nil {
				a, b := shape(t), shape(videos[0])
				c.unless(math.Abs(a/b-1) < 0.01, "%s is %.4f wide, %s %.4f", t.URL, a, videos[0].URL, b)
			}
		}
		return c
	}},
	{"7.3", "decode times (tfdt) go on without a break", eachTrack(func(t *hlstest.Track, c *complaints) {
		next := t.Segments[0].Start
		for i, s := range t.Segments {
			c.unless(s.Start == next, "segment %d of %s starts at %d, not %d", i, t.URL, s.Start, next)
			next = s.Start + s.Duration
		}
	})},
	{"7.4", "segments start with an IDR", eachVideo(func(t *hlstest.Track, c *complaints) {
		for i, s := range t.Segments {
			c.unless(t.StartsAtIDR(s), "segment %d of %s", i, t.URL)
		}
	})},
	{"7.5", "a target duration of 6 s", eachTrack(func(t *hlstest.Track, c *complaints) {
		c.unless(t.List.TargetDuration == 6, "%s has %d", t.URL, t.List.TargetDuration)
	})},
	{"7.7", "no segment longer than the target by more than 0.5 s", eachTrack(func(t *hlstest.Track, c *complaints) {
		for i, s := range t.Segments {
			c.unless(s.EXTINF <= float64(t.List.TargetDuration)+0.5, "segment %d of %s lasts %.2f s", i, t.URL, s.EXTINF)
		}
	})},
	{"8.1", "EXTINF sums to the samples' duration within a frame", eachTrack(func(t *hlstest.Track, c *complaints) {
		off := math.Abs(extinf(t) - t.Seconds())
		c.unless(off <= float64(t.Segments[0].Samples[0].Dur)/float64(t.Timescale), "%s is off by %.4f s", t.URL, off)
	})},
	{"8.2", "one target duration for sound and picture", func(p *hlstest.Presentation) []string {
		var c complaints
		for _, t := range slices.Concat(p.Video(), p.Sound()) {
			c.unless(t.List.TargetDuration == p.Variants[0].Track.List.TargetDuration, "%s has %d", t.URL, t.List.TargetDuration)
		}
		return c
	}},
	{"8.6", "PLAYLIST-TYPE is VOD", eachTrack(func(t *hlstest.Track, c *complaints) {
		c.unless(t.List.PlaylistType != nil && *t.List.PlaylistType == "VOD", "%s", t.URL)
	})},
	{"8.20", "fragmented MP4 has an EXT-X-MAP", eachTrack(func(t *hlstest.Track, c *complaints) {
		c.unless(t.List.Map != nil, "%s", t.URL)
	})},
	{"8.22", "segments are aligned across variants", func(p *hlstest.Presentation) []string {
		var c complaints
		videos := p.Video()
		for _, t := range videos {
			c.unless(slices.EqualFunc(t.Boundaries(), videos[0].Boundaries(), func(a, b float64) bool { return math.Abs(a-b) < 0.001 }),
				"%s and %s", t.URL, videos[0].URL)
		}
		return c
	}},
}

func profile(t *hlstest.Track) int {
	if t.SPS == nil {
		return 0
	}
	return int(t.SPS.Profile)
}

func shape(t *hlstest.Track) float64 { return float64(t.SPS.Width) / float64(t.SPS.Height) }

// levelFor is the least level of H.264 (table A-1) for the size, rate, reference
// frames and peak of a track. Levels are ten times their number.
func levelFor(t *hlstest.Track) int {
	blocks := int((t.SPS.Width+15)/16) * int((t.SPS.Height+15)/16)
	rate := float64(t.Frames()) / t.Seconds()
	peak := peakOf(t)
	for _, l := range []struct {
		level, blocks, buffer int
		perSecond, kbps       float64
	}{
		{10, 99, 396, 1485, 64}, {11, 396, 900, 3000, 192}, {12, 396, 2376, 6000, 384}, {13, 396, 2376, 11_880, 768},
		{20, 396, 2376, 11_880, 2000}, {21, 792, 4752, 19_800, 4000}, {22, 1620, 8100, 20_250, 4000}, {30, 1620, 8100, 40_500, 10_000},
		{31, 3600, 18_000, 108_000, 14_000}, {32, 5120, 20_480, 216_000, 20_000}, {40, 8192, 32_768, 245_760, 20_000},
		{42, 8704, 34_816, 522_240, 50_000}, {50, 22_080, 110_400, 589_824, 135_000}, {51, 36_864, 184_320, 983_040, 240_000},
	} {
		if blocks <= l.blocks && float64(blocks)*rate <= l.perSecond*1.001 && peak/1000 <= l.kbps*1.25 && blocks*int(t.SPS.NumRefFrames) <= l.buffer {
			return l.level
		}
	}
	return 52
}

// peakOf is the peak segment bit rate as RFC 8216bis, 4.4.6.2, defines it: the
// largest of any run of segments that lasts between a half and one and a half of the
// target duration. What is shorter than that is measured as a whole.
func peakOf(t *hlstest.Track) float64 {
	peak := 0.0
	target := float64(t.List.TargetDuration)
	for i := range t.Segments {
		bits, seconds := 0.0, 0.0
		for _, s := range t.Segments[i:] {
			bits, seconds = bits+float64(len(s.Body))*8, seconds+s.EXTINF
			if seconds > 1.5*target {
				break
			}
			if seconds >= 0.5*target {
				peak = max(peak, bits/seconds)
			}
		}
	}
	if peak == 0 {
		return averageOf(t)
	}
	return peak
}

func rateOf(s hlstest.Segment) float64 { return float64(len(s.Body)) * 8 / s.EXTINF }

func averageOf(t *hlstest.Track) float64 {
	bytes := 0
	for _, s := range t.Segments {
		bytes += len(s.Body)
	}
	return float64(bytes) * 8 / extinf(t)
}

// number reads an attribute that is one.
func number(text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return math.NaN()
	}
	return n
}

// isPlaylist tells whether a content type is one of HLS playlists.
func isPlaylist(header string) bool {
	return strings.HasPrefix(header, "application/vnd.apple.mpegurl") || strings.HasPrefix(header, "audio/mpegurl")
}
