package transcode_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/transcode"
	"github.com/vitascope/vitascope/transcode/child"
)

func TestLadderNeverExceedsItsSource(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		width, height int
		want          string
	}{
		{"a full HD source has four rungs", 1920, 1080, "v360 640x360, v540 960x540, v720 1280x720, v1080 1920x1080"},
		{"portrait goes by its short side", 1080, 1920, "v360 360x640, v540 540x960, v720 720x1280, v1080 1080x1920"},
		{"a size between rungs is added", 854, 480, "v360 640x360, v480 854x480"},
		{"a size just above a rung is not", 640, 400, "v360 576x360"},
		{"a small source is its only rung", 320, 200, "v200 320x200"},
		{"macroblock padding adds none", 1920, 1088, "v360 636x360, v540 952x540, v720 1270x720, v1080 1906x1080"},
		{"4K has six", 3840, 2160, "v360 640x360, v540 960x540, v720 1280x720, v1080 1920x1080, v1440 2560x1440, v2160 3840x2160"},
		{"odd sizes become even", 321, 241, "v241 322x242"},
		{"a strip stays within the encoder's limits", 8192, 8, "v8 8192x16"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			rate := 0
			for _, r := range transcode.Ladder(c.width, c.height) {
				got = append(got, fmt.Sprintf("%s %dx%d", r.Name, r.Width, r.Height))
				require.Greater(t, r.MaxBitrateBPS, rate, "rates must rise")
				rate = r.MaxBitrateBPS
			}
			require.Equal(t, c.want, strings.Join(got, ", "))
		})
	}
}

func TestFrameRateIsNaturalAndAtMostSixty(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		average child.Rational
		want    child.Rational
	}{
		{"a standard rate stays", child.Rational{Num: 25, Den: 1}, child.Rational{Num: 25, Den: 1}},
		{"an NTSC rate stays", child.Rational{Num: 30000, Den: 1001}, child.Rational{Num: 30000, Den: 1001}},
		{"a phone's 29.87 is 29.97", child.Rational{Num: 2987, Den: 100}, child.Rational{Num: 30000, Den: 1001}},
		{"23.98 is film, not 24", child.Rational{Num: 2398, Den: 100}, child.Rational{Num: 24000, Den: 1001}},
		{"a variable 27.4 loses no frame", child.Rational{Num: 274, Den: 10}, child.Rational{Num: 30000, Den: 1001}},
		{"120 is halved", child.Rational{Num: 120, Den: 1}, child.Rational{Num: 60, Den: 1}},
		{"100 is halved", child.Rational{Num: 100, Den: 1}, child.Rational{Num: 50, Den: 1}},
		{"a slide show gets 10", child.Rational{Num: 1, Den: 5}, child.Rational{Num: 10, Den: 1}},
		{"unknown gets 30", child.Rational{}, child.Rational{Num: 30, Den: 1}},
		{"nonsense gets 30", child.Rational{Num: 90000, Den: 1}, child.Rational{Num: 30, Den: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := transcode.FrameRate(c.average)
			require.Equal(t, c.want, got)
		})
	}
}

func TestPlanMakesPlayableFirst(t *testing.T) {
	t.Parallel()
	video := &child.VideoStream{DisplayWidth: 1280, DisplayHeight: 720, FrameRate: child.Rational{Num: 30000, Den: 1001}}
	plan := transcode.Plan(child.ProbeResult{DurationMS: 600_000, Video: video, Audio: []child.AudioStream{{}}}, false)
	require.Len(t, plan, 2)
	first, second := plan[0], plan[1]
	require.Equal(t, "v360", first.Rungs[0].Name)
	require.Len(t, first.Rungs, 1)
	require.Len(t, first.Audio, 1)
	require.True(t, first.Poster)
	require.Equal(t, 100, first.Storyboard.MaxTiles)
	require.Equal(t, []string{"v720", "v540"}, []string{second.Rungs[0].Name, second.Rungs[1].Name}, "largest first")
	require.Empty(t, second.Audio)
	require.Equal(t, 60, first.GOPFrames)
	require.Equal(t, first.GOPFrames, second.GOPFrames)

	video.DisplayWidth, video.DisplayHeight = 3840, 2160
	large := transcode.Plan(child.ProbeResult{DurationMS: 1000, Video: video}, false)
	require.Len(t, large, 4, "each rung above 1080p is alone")
	require.Len(t, large[1].Rungs, 3)
	require.Equal(t, "v2160", large[3].Rungs[0].Name)

	require.Len(t, transcode.Plan(child.ProbeResult{DurationMS: 1000, Audio: []child.AudioStream{{}}}, false), 1)
}

func TestPlanOfWhatPlaysAlreadyDecodesOnce(t *testing.T) {
	t.Parallel()
	video := &child.VideoStream{DisplayWidth: 1920, DisplayHeight: 1080, FrameRate: child.Rational{Num: 25, Den: 1}}
	probe := child.ProbeResult{DurationMS: 60_000, Video: video, Audio: []child.AudioStream{{}}}
	names := func(spec child.EncodeSpec) string {
		var all []string
		for _, r := range spec.Rungs {
			all = append(all, r.Name)
		}
		return strings.Join(all, " ")
	}
	plan := transcode.Plan(probe, true)
	require.Len(t, plan, 1)
	require.Equal(t, "v1080 v720 v540 v360", names(plan[0]))
	require.Len(t, plan[0].Audio, 1)
	require.NotNil(t, plan[0].Storyboard)
	require.True(t, plan[0].Poster)

	video.DisplayWidth, video.DisplayHeight = 3840, 2160
	plan = transcode.Plan(probe, true)
	require.Len(t, plan, 3, "each rung above 1080p is alone")
	require.Equal(t, []string{"v1080 v720 v540 v360", "v1440", "v2160"}, []string{names(plan[0]), names(plan[1]), names(plan[2])})
	require.Empty(t, plan[1].Audio)
	require.Equal(t, plan[0].GOPFrames, plan[2].GOPFrames)
}
