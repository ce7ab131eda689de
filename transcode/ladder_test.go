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

// parts are the parts of a plan and what they make.
func parts(p *transcode.Plan) []string {
	var all []string
	for _, part := range p.Parts {
		text := part.Name
		for _, r := range part.Spec.Rungs {
			text += " " + r.Name
		}
		if len(part.Spec.Audio) > 0 {
			text += " sound"
		}
		if part.Spec.Poster {
			text += " poster"
		}
		all = append(all, text)
	}
	return all
}

func TestPlanMakesPlayableFirst(t *testing.T) {
	t.Parallel()
	video := &child.VideoStream{DisplayWidth: 1280, DisplayHeight: 720, FrameRate: child.Rational{Num: 30000, Den: 1001}}
	probe := child.ProbeResult{DurationMS: 600_000, Video: video, Audio: []child.AudioStream{{}}}
	plan := transcode.NewPlan(probe, false, nil)
	require.Equal(t, []string{"extra sound", "images poster", "first v360", "rungs v720 v540"}, parts(plan))
	require.Equal(t, 100, plan.Parts[1].Spec.Storyboard.MaxTiles)
	require.True(t, plan.Parts[0].Early && !plan.Parts[1].Early && plan.Parts[2].Early && !plan.Parts[3].Early)
	for _, part := range plan.Parts {
		require.Equal(t, 60, part.Spec.GOPFrames)
		require.Equal(t, 0, part.Chunks[0])
		require.IsIncreasing(t, append(part.Chunks, 1<<30))
	}
	require.Len(t, plan.Parts[0].Chunks, 1, "sound is of one piece")
	require.Len(t, plan.Parts[2].Chunks, 10, "a minute each")
	require.Greater(t, len(plan.Parts[3].Chunks), 10, "more work, more chunks")

	video.DisplayWidth, video.DisplayHeight = 3840, 2160
	large := transcode.NewPlan(child.ProbeResult{DurationMS: 1000, Video: video}, false, nil)
	require.Equal(t, []string{"extra poster", "first v360", "rungs v1080 v720 v540", "v1440 v1440", "v2160 v2160"}, parts(large), "each rung above 1080p is alone")
	require.Len(t, large.Parts[2].Chunks, 1)

	require.Equal(t, []string{"extra sound poster"}, parts(transcode.NewPlan(child.ProbeResult{DurationMS: 1000, Audio: []child.AudioStream{{}}}, false, nil)))
	probe.Unseekable = "it is a stream"
	for _, part := range transcode.NewPlan(probe, false, nil).Parts {
		require.Equal(t, []int{0}, part.Chunks, "what cannot be sought in is one chunk")
	}
}

func TestPlanOfWhatPlaysAlreadyDecodesOnce(t *testing.T) {
	t.Parallel()
	video := &child.VideoStream{DisplayWidth: 1920, DisplayHeight: 1080, FrameRate: child.Rational{Num: 25, Den: 1}}
	probe := child.ProbeResult{DurationMS: 60_000, Video: video, Audio: []child.AudioStream{{}}}
	plan := transcode.NewPlan(probe, true, nil)
	require.Equal(t, []string{"extra sound poster", "rungs v1080 v720 v540 v360"}, parts(plan))

	video.DisplayWidth, video.DisplayHeight = 3840, 2160
	plan = transcode.NewPlan(probe, true, nil)
	require.Equal(t, []string{"extra sound poster", "rungs v1080 v720 v540 v360", "v1440 v1440", "v2160 v2160"}, parts(plan))
}
