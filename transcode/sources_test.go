package transcode_test

import (
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/transcode/internal/hlstest"
	"github.com/vitascope/vitascope/transcode/internal/sources"
)

// TestVariedSourcesBecomeGoodHLS puts every kind of media through the product and
// judges what a viewer gets of it.
func TestVariedSourcesBecomeGoodHLS(t *testing.T) {
	t.Parallel()
	all, err := sources.All()
	require.NoError(t, err)
	all = slices.DeleteFunc(all, func(s sources.Source) bool { return s.Long && !*long })
	require.GreaterOrEqual(t, len(all), 30)
	w := newWorld(t)
	for _, s := range all {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			file, err := s.Make(t.Context(), t.TempDir())
			require.NoError(t, err)
			m := w.upload(t, file)
			m = w.await(t, m.ID, catalog.StateReady, 5*time.Minute)
			p, err := hlstest.Read(t.Context(), w.viewers(t, m))
			require.NoError(t, err)
			require.NoError(t, p.Check(), "%s", p.Body)
			requireSilentDecode(t, p.URL)
			requireShape(t, s, m, p)
			requireTracks(t, s, p)
			requireLikeness(t, s, p, file)
		})
	}
}

// requireShape holds size, turn, rate and length to the source's.
func requireShape(t *testing.T, s sources.Source, m catalog.Media, p *hlstest.Presentation) {
	t.Helper()
	require.InDelta(t, s.Lasts, float64(m.DurationMS)/1000, 0.12, "duration of the media")
	require.Equal(t, !s.AudioOnly, m.HasVideo)
	require.Equal(t, !s.Silent, m.HasAudio)
	frame := 1024.0 / 48_000
	if s.AudioOnly {
		require.Empty(t, p.Video())
	} else {
		require.Equal(t, []int{s.Width, s.Height}, []int{m.Width, m.Height}, "displayed size")
		for _, v := range p.Variants {
			if s.FrameRate > 0 {
				require.InDelta(t, s.FrameRate, float64(v.Track.Frames())/v.Track.Seconds(), 0.02)
			}
			frame = v.Track.Seconds() / float64(v.Track.Frames())
			if sps := v.Track.SPS; sps != nil {
				require.InEpsilon(t, float64(s.Width)/float64(s.Height), float64(sps.Width)/float64(sps.Height), 0.02, "aspect of %s", v.Track.URL)
			}
		}
	}
	// What a player shows as duration is the longest of the playlists.
	longest := 0.0
	for _, track := range slices.Concat(p.Video(), p.Sound()) {
		longest = max(longest, extinf(track))
	}
	require.InDelta(t, float64(m.DurationMS)/1000, longest, frame+0.001, "sum of EXTINF")
}

func extinf(t *hlstest.Track) float64 {
	sum := 0.0
	for _, s := range t.Segments {
		sum += s.EXTINF
	}
	return sum
}

func requireTracks(t *testing.T, s sources.Source, p *hlstest.Presentation) {
	t.Helper()
	require.Equal(t, s.Silent, len(p.Sound()) == 0)
	if len(s.Languages) > 0 {
		require.ElementsMatch(t, s.Languages, languages(p.Audio))
	}
	require.ElementsMatch(t, s.Subtitles, languages(p.Subtitle))
}

// languages are those of renditions in the three letters of ISO 639-2.
func languages(renditions []hlstest.Rendition) []string {
	long := map[string]string{"en": "eng", "de": "deu", "fr": "fra"}
	var all []string
	for _, r := range renditions {
		tag := r.Attributes["LANGUAGE"]
		if l := long[tag]; l != "" {
			tag = l
		}
		all = append(all, tag)
	}
	return all
}

// requireSilentDecode has FFmpeg decode every rendition without a warning.
func requireSilentDecode(t *testing.T, url string) {
	t.Helper()
	words := ffmpegWords(t, "-v", "warning", "-i", url, "-map", "0", "-f", "null", "-")
	words = regexp.MustCompile(`(?m)^.*Can't support the subtitle.*\n?`).ReplaceAllString(words, "") // FFmpeg's, not ours
	require.Empty(t, words)
}

// likeness is the least structural similarity to the source's reference decode.
const likeness = 0.90

// together is how far sound and picture may be apart, in seconds; in place is how far
// both may be from where the source has them: time zero is the earliest start of its
// tracks, which is a little before zero where an encoder's priming counts.
const (
	together   = 0.0401
	aboutThere = 0.09
)

// requireLikeness compares picture and sound with the source's: how alike each rung
// is, and where the white flashes and the beeps are.
func requireLikeness(t *testing.T, s sources.Source, p *hlstest.Presentation, file string) {
	t.Helper()
	var beeps []float64
	for _, track := range p.Sound() {
		beeps = beepsOf(t, track)
		requireTimes(t, s.Flashes, beeps, aboutThere, "beeps")
	}
	for _, track := range p.Video() {
		similarity, luma := compareTo(t, s, track, file)
		t.Logf("%s: SSIM %.4f", filepath.Base(filepath.Dir(track.URL)), similarity)
		require.GreaterOrEqual(t, similarity, likeness, "SSIM of %s", track.URL)
		flashes := flashesOf(luma, float64(track.Frames())/track.Seconds())
		requireTimes(t, s.Flashes, flashes, aboutThere, "flashes")
		if beeps != nil {
			requireTimes(t, flashes, beeps, together, "beeps after flashes")
		}
	}
}

func requireTimes(t *testing.T, want, got []float64, within float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), "%s: want %.3f, got %.3f", what, want, got)
	for i := range want {
		require.LessOrEqual(t, math.Abs(want[i]-got[i]), within, "%s: want %.3f, got %.3f", what, want, got)
	}
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ",")
}
