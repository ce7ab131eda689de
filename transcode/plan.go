package transcode

import (
	"math"
	"slices"
	"time"

	"github.com/vitascope/vitascope/transcode/child"
)

// The shape of the output, from Apple's HLS authoring specification.
const (
	gopSeconds     = 2 // 1.13
	segmentGOPs    = 3 // 7.5: 6 s
	targetDuration = gopSeconds * segmentGOPs
)

// The storyboard's sheet: at most 100 thumbnails, at least 2 s apart.
const (
	storyTiles    = 100
	storyColumns  = 10
	storyWidth    = 160
	storyInterval = 2 * time.Second
)

// Plan divides the work on a source into passes, each one decoding: what makes it
// playable comes first. When the source plays already, being instant, as many rungs
// as fit share the first pass, which saves a decoding.
func Plan(probe child.ProbeResult, instant bool) []child.EncodeSpec {
	first := child.EncodeSpec{SegmentGOPs: segmentGOPs, Poster: true}
	first.Audio, first.Texts = audioSpecs(probe), textSpecs(probe)
	if probe.Video == nil {
		return []child.EncodeSpec{first}
	}
	first.FrameRate = FrameRate(probe.Video.FrameRate)
	first.GOPFrames = int(math.Round(gopSeconds * first.FrameRate.Float64()))
	rungs := Ladder(probe.Video.DisplayWidth, probe.Video.DisplayHeight)
	first.Storyboard = storyboard(time.Duration(probe.DurationMS) * time.Millisecond)
	shares := groups(rungs)
	if !instant {
		shares = append([][]child.Rung{rungs[:1]}, groups(rungs[1:])...)
	}
	var plan []child.EncodeSpec
	for i, share := range shares {
		slices.Reverse(share) // largest first, for the cascade of scales
		spec := child.EncodeSpec{FrameRate: first.FrameRate, GOPFrames: first.GOPFrames, SegmentGOPs: segmentGOPs}
		if i == 0 {
			spec = first
		}
		spec.Rungs = share
		plan = append(plan, spec)
	}
	return plan
}

// togetherUpTo is the short side up to which rungs share a pass. An encoder of a
// larger picture needs the child's memory for itself.
const togetherUpTo = 1080

// groups divides rungs, smallest first, into what fits into one child each.
func groups(rungs []child.Rung) [][]child.Rung {
	var out [][]child.Rung
	shared := 0
	for shared < len(rungs) && min(rungs[shared].Width, rungs[shared].Height) <= togetherUpTo {
		shared++
	}
	if shared > 0 {
		out = append(out, slices.Clone(rungs[:shared]))
	}
	for _, r := range rungs[shared:] {
		out = append(out, []child.Rung{r})
	}
	return out
}

func storyboard(duration time.Duration) *child.StoryboardSpec {
	interval := max(storyInterval, duration/storyTiles).Round(time.Millisecond)
	return &child.StoryboardSpec{
		TileWidth: storyWidth, Interval: interval, Columns: storyColumns,
		MaxTiles: max(1, min(storyTiles, int((duration+interval-1)/interval))),
	}
}

// priority puts short clips before films, and what makes a media playable,
// publication 1, before what completes it. River's highest priority is 1, its
// lowest 4.
func priority(publication int, duration time.Duration) int {
	p := 1
	if duration > 10*time.Minute {
		p++
	}
	if publication > 1 {
		p++
		if duration > 2*time.Minute {
			p++
		}
	}
	return min(p, 4)
}
