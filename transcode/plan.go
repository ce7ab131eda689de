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
	audioBPS       = 128_000
	audioName      = "a0"
)

// The storyboard's sheet: at most 100 thumbnails, at least 2 s apart.
const (
	storyTiles    = 100
	storyColumns  = 10
	storyWidth    = 160
	storyInterval = 2 * time.Second
)

// Plan divides the work on a source into passes, each one decoding: what makes it
// playable comes first.
func Plan(probe child.ProbeResult) []child.EncodeSpec {
	first := child.EncodeSpec{SegmentGOPs: segmentGOPs, Poster: true}
	if len(probe.Audio) > 0 {
		first.Audio = &child.AudioSpec{Name: audioName, BitrateBPS: audioBPS}
	}
	if probe.Video == nil {
		return []child.EncodeSpec{first}
	}
	first.FrameRate = FrameRate(probe.Video.FrameRate)
	first.GOPFrames = int(math.Round(gopSeconds * first.FrameRate.Float64()))
	rungs := Ladder(probe.Video.DisplayWidth, probe.Video.DisplayHeight)
	first.Rungs = rungs[:1]
	first.Storyboard = storyboard(time.Duration(probe.DurationMS) * time.Millisecond)
	if len(rungs) == 1 {
		return []child.EncodeSpec{first}
	}
	second := child.EncodeSpec{
		Rungs: slices.Clone(rungs[1:]), FrameRate: first.FrameRate, GOPFrames: first.GOPFrames, SegmentGOPs: segmentGOPs,
	}
	slices.Reverse(second.Rungs) // largest first, for the cascade of scales
	return []child.EncodeSpec{first, second}
}

func storyboard(duration time.Duration) *child.StoryboardSpec {
	interval := max(storyInterval, duration/storyTiles).Round(time.Millisecond)
	return &child.StoryboardSpec{
		TileWidth: storyWidth, Interval: interval, Columns: storyColumns,
		MaxTiles: max(1, min(storyTiles, int((duration+interval-1)/interval))),
	}
}

// priority puts short clips before films, and what makes a media playable before
// what completes it. River's highest priority is 1, its lowest 4.
func priority(pass int, duration time.Duration) int {
	p := 1
	if duration > 10*time.Minute {
		p++
	}
	if pass > 0 {
		p++
		if duration > 2*time.Minute {
			p++
		}
	}
	return min(p, 4)
}
