package transcode_test

import (
	"math"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"github.com/vitascope/vitascope/transcode/internal/hlstest"
)

// listRules are those on sound, rates, multivariant playlists, captions and delivery.
var listRules = []rule{
	{"1.26", "the average rate is within 10 % of AVERAGE-BANDWIDTH", eachVariant(func(p *hlstest.Presentation, v hlstest.Variant, c *complaints) {
		told, is := number(v.Attributes["AVERAGE-BANDWIDTH"]), averageOf(v.Track)+largest(p, averageOf)
		c.unless(math.Abs(is/told-1) <= 0.1, "%s: %.0f, AVERAGE-BANDWIDTH %.0f", v.Track.URL, is, told)
	})},
	{"1.27", "the measured peak is within 10 % of BANDWIDTH", eachVariant(func(p *hlstest.Presentation, v hlstest.Variant, c *complaints) {
		told, is := number(v.Attributes["BANDWIDTH"]), peakTogether(p, v)
		c.unless(math.Abs(is/told-1) <= 0.1, "%s: %.0f, BANDWIDTH %.0f", v.Track.URL, is, told)
	})},
	{"1.30", "the peak is at most twice the average", eachVariant(func(_ *hlstest.Presentation, v hlstest.Variant, c *complaints) {
		peak, average := number(v.Attributes["BANDWIDTH"]), number(v.Attributes["AVERAGE-BANDWIDTH"])
		c.unless(peak <= 2*average, "%s: %.0f and %.0f", v.Track.URL, peak, average)
	})},
	{"1.32", "the first variant is the one nearest below 2,000 kb/s", func(p *hlstest.Presentation) []string {
		var c complaints
		first, best := number(p.Variants[0].Attributes["AVERAGE-BANDWIDTH"]), 0.0
		for _, v := range p.Variants {
			if rate := number(v.Attributes["AVERAGE-BANDWIDTH"]); rate <= 2_000_000 && v.Track.Kind == hlstest.Video && small(v) {
				best = max(best, rate)
			}
		}
		c.unless(best == 0 || first == best, "the first has %.0f, another %.0f", first, best)
		return c
	}},
	{"2.1", "sound is AAC in fragmented MP4", eachSound(func(t *hlstest.Track, c *complaints) {
		c.unless(t.SampleEntry == "mp4a" && strings.HasPrefix(t.Codec, "mp4a.40."), "%s is %s", t.URL, t.Codec)
	})},
	{"2.3", "there is stereo AAC, of 32 to 160 kb/s", func(p *hlstest.Presentation) []string {
		var c complaints
		for _, t := range p.Sound() {
			if stsd := t.Trak.Mdia.Minf.Stbl.Stsd; stsd.Mp4a != nil && stsd.Mp4a.ChannelCount == 2 {
				return nil
			}
			c.unless(averageOf(t) < 160_000, "%s has %.0f b/s", t.URL, averageOf(t))
		}
		c.unless(len(p.Sound()) == 0, "no stereo")
		return c
	}},
	{"6.1", "there are I-frame playlists", func(p *hlstest.Presentation) []string {
		var c complaints
		c.unless(len(p.Video()) == 0 || len(p.IFrames) > 0, "none in %s", p.URL)
		for _, i := range p.IFrames {
			c.unless(strings.Contains(string(i.Track.Body), "#EXT-X-I-FRAMES-ONLY"), "%s without I-FRAMES-ONLY", i.Track.URL)
			c.unless(i.Attributes["CODECS"] != "" && i.Attributes["RESOLUTION"] != "" && i.Attributes["BANDWIDTH"] != "", "%s lacks attributes", i.Track.URL)
			for n, s := range i.Track.Segments {
				c.unless(len(s.Samples) == 1 && i.Track.StartsAtIDR(s), "frame %d of %s is no lone IDR", n, i.Track.URL)
			}
		}
		return c
	}},
	{"6.2", "I-frame playlists have a frame a second", func(p *hlstest.Presentation) []string {
		var c complaints
		c.unless(len(p.Video()) == 0 || len(p.IFrames) > 0, "none in %s", p.URL)
		for _, i := range p.IFrames {
			for n, s := range i.Track.Segments {
				c.unless(s.EXTINF <= 1.01, "frame %d of %s stands for %.2f s", n, i.Track.URL, s.EXTINF)
			}
		}
		return c
	}},
	{"9.1", "CODECS on every variant", has("CODECS")},
	{"9.2", "RESOLUTION on every variant", has("RESOLUTION")},
	{"9.5", "sound is apart from the picture", func(p *hlstest.Presentation) []string {
		var c complaints
		for _, v := range p.Variants {
			c.unless(v.Track.Kind != hlstest.Video || len(p.Sound()) == 0 || v.Attributes["AUDIO"] != "", "%s without AUDIO", v.Track.URL)
		}
		return c
	}},
	{"9.10", "two variants of the top size for HD", func(p *hlstest.Presentation) []string {
		var c complaints
		variants, top := map[uint]int{}, uint(0)
		for _, t := range p.Video() {
			if t.SPS != nil {
				side := min(t.SPS.Width, t.SPS.Height)
				variants[side]++
				top = max(top, side)
			}
		}
		c.unless(top < 720 || variants[top] >= 2, "%d of %d", variants[top], top)
		return c
	}},
	{"9.11", "EXT-X-INDEPENDENT-SEGMENTS", func(p *hlstest.Presentation) []string {
		var c complaints
		c.unless(p.List.IndependentSegments, "%s", p.URL)
		return c
	}},
	{"9.13", "BANDWIDTH is the largest sum of peaks over playable combinations", eachVariant(func(p *hlstest.Presentation, v hlstest.Variant, c *complaints) {
		told, is := number(v.Attributes["BANDWIDTH"]), peakOf(v.Track)+largest(p, peakOf)
		c.unless(math.Abs(is/told-1) < 0.02, "%s: %.0f, BANDWIDTH %.0f", v.Track.URL, is, told)
	})},
	{"9.14", "FRAME-RATE on every variant", has("FRAME-RATE")},
	{"9.15", "AVERAGE-BANDWIDTH on every variant", has("AVERAGE-BANDWIDTH")},
	{"5.2", "captions have LANGUAGE, CHARACTERISTICS and AUTOSELECT", func(p *hlstest.Presentation) []string {
		var c complaints
		for _, s := range p.Subtitle {
			a := s.Attributes
			c.unless(a["LANGUAGE"] != "" && a["AUTOSELECT"] == "YES", "%s: %v", s.Track.URL, a)
			if strings.Contains(a["NAME"], "SDH") || strings.Contains(a["NAME"], "CC") {
				c.unless(strings.Contains(a["CHARACTERISTICS"], "public.accessibility"), "%s: %v", s.Track.URL, a)
			}
		}
		return c
	}},
	{"5.3", "captions are WebVTT with X-TIMESTAMP-MAP", func(p *hlstest.Presentation) []string {
		var c complaints
		for _, s := range p.Subtitle {
			for i, segment := range s.Track.Segments {
				text := string(segment.Body)
				c.unless(strings.HasPrefix(text, "WEBVTT") && strings.Contains(text, "X-TIMESTAMP-MAP="), "segment %d of %s", i, s.Track.URL)
			}
		}
		return c
	}},
	{"12.4", "segment addresses are not the same for all and for ever", func(p *hlstest.Presentation) []string {
		var c complaints
		for _, t := range p.Video()[:min(1, len(p.Video()))] {
			c.unless(strings.Contains(t.Segments[0].URL, "?"), "%s", t.Segments[0].URL)
		}
		return c
	}},
	{"2.18", "sound is of the same loudness in all", eachSound(func(t *hlstest.Track, c *complaints) {
		lufs := loudnessOf(t)
		c.unless(math.Abs(lufs+16) <= 1, "%s has %.1f LUFS, not -16", t.URL, lufs)
	})},
	{"8.18", "media is not redirected", func(p *hlstest.Presentation) []string { return nil }}, // hlstest follows none
	{"10.1", "playlists are delivered with gzip", func(p *hlstest.Presentation) []string {
		var c complaints
		for _, r := range playlists(p) {
			c.unless(r.Header.Get("Content-Encoding") == "gzip", "%s", r.URL)
		}
		return c
	}},
	{"10.4", "content types are HLS's and MP4's", func(p *hlstest.Presentation) []string {
		var c complaints
		for _, r := range playlists(p) {
			c.unless(isPlaylist(r.Header.Get("Content-Type")), "%s: %s", r.URL, r.Header.Get("Content-Type"))
		}
		for _, t := range slices.Concat(p.Video(), p.Sound()) {
			for _, s := range t.Segments {
				c.unless(slices.Contains([]string{"video/mp4", "audio/mp4", "video/iso.segment"}, s.Header.Get("Content-Type")), "%s: %s", s.URL, s.Header.Get("Content-Type"))
			}
		}
		return c
	}},
}

func eachSound(check func(t *hlstest.Track, c *complaints)) func(*hlstest.Presentation) []string {
	return func(p *hlstest.Presentation) []string {
		var c complaints
		for _, t := range p.Sound() {
			check(t, &c)
		}
		return c
	}
}

// playlists are all of them, the multivariant one first.
func playlists(p *hlstest.Presentation) []*hlstest.Resource {
	all := []*hlstest.Resource{p.Resource}
	for _, t := range slices.Concat(p.Video(), p.Sound()) {
		all = append(all, t.Resource)
	}
	return all
}

// small tells whether a variant is one to start with: no HD.
func small(v hlstest.Variant) bool {
	return v.Track.SPS != nil && min(v.Track.SPS.Width, v.Track.SPS.Height) <= 720
}

// largest is the most that a measure gives among the audio renditions.
func largest(p *hlstest.Presentation, measure func(*hlstest.Track) float64) float64 {
	most := 0.0
	for _, a := range p.Audio {
		most = max(most, measure(a.Track))
	}
	return most
}

// peakTogether is the largest rate of picture and sound that are played at one time.
func peakTogether(p *hlstest.Presentation, v hlstest.Variant) float64 {
	peak := 0.0
	for i, s := range v.Track.Segments {
		rate := rateOf(s)
		for _, a := range p.Audio {
			if i < len(a.Track.Segments) {
				rate = max(rate, rateOf(s)+rateOf(a.Track.Segments[i]))
			}
		}
		if s.EXTINF >= float64(v.Track.List.TargetDuration)/2 || len(v.Track.Segments) == 1 {
			peak = max(peak, rate)
		}
	}
	return peak
}

// loudnessOf is a track's integrated loudness in LUFS (EBU R 128).
func loudnessOf(t *hlstest.Track) float64 {
	words, err := exec.Command("ffmpeg", "-hide_banner", "-nostdin", "-i", t.URL, "-af", "ebur128", "-f", "null", "-").CombinedOutput()
	found := regexp.MustCompile(`I:\s+(-?[0-9.]+) LUFS`).FindAllSubmatch(words, -1)
	if err != nil || len(found) == 0 {
		return math.NaN()
	}
	return number(string(found[len(found)-1][1]))
}
