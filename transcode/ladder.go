package transcode

import (
	"fmt"
	"math"

	"github.com/vitascope/vitascope/transcode/child"
)

// standardRungs are the short sides of the ladder and their bit rate caps, from
// Apple's sample ladder and, at 360p, Wistia's. The rates cap CRF 23: most videos
// stay well below.
var standardRungs = []struct{ side, maxBPS int }{
	{360, 800_000}, {540, 2_000_000}, {720, 3_500_000}, {1080, 6_500_000}, {1440, 11_000_000}, {2160, 18_000_000},
}

const (
	// crf is x264's default, visually good at these sizes.
	crf = 23
	// ownRungFrom is how much larger than the highest standard rung a source must
	// be for a rung of its own size to be worth its cost.
	ownRungFrom = 1.2
	// minSide is the least that x264 makes of a macroblock.
	minSide = 16
)

// Ladder chooses the rungs for a picture of the given displayed size, smallest
// first: the standard sizes by short side up to the source's own, never more. A
// source that lies well between two sizes, or below all, adds its own.
func Ladder(width, height int) []child.Rung {
	short := min(width, height)
	var rungs []child.Rung
	top := 0
	for _, s := range standardRungs {
		if s.side <= short {
			rungs = append(rungs, rung(width, height, s.side, s.maxBPS))
			top = s.side
		}
	}
	if top == 0 || float64(short) > ownRungFrom*float64(top) {
		rungs = append(rungs, rung(width, height, short, maxRate(short)))
	}
	return rungs
}

// rung scales a picture so that its short side is side, with even sides.
func rung(width, height, side, maxBPS int) child.Rung {
	scale := float64(side) / float64(min(width, height))
	fit := func(n int) int { return max(minSide, int(math.Round(float64(n)*scale/2))*2) }
	return child.Rung{
		Name: fmt.Sprintf("v%d", side), Width: min(fit(width), child.MaxSide), Height: min(fit(height), child.MaxSide),
		CRF: crf, MaxBitrateBPS: maxBPS,
	}
}

// maxRate interpolates the cap for a side between standard ones, by area.
func maxRate(side int) int {
	below := standardRungs[0]
	if side <= below.side {
		return max(150_000, below.maxBPS*side*side/(below.side*below.side))
	}
	for _, above := range standardRungs[1:] {
		if side <= above.side {
			share := float64(side*side-below.side*below.side) / float64(above.side*above.side-below.side*below.side)
			return below.maxBPS + int(share*float64(above.maxBPS-below.maxBPS))
		}
		below = above
	}
	return below.maxBPS
}

// standardRates are the frame rates of the output, ascending. Each has a whole
// number of frames in 2 s, or, for the NTSC rates, in 2.002 s.
var standardRates = []child.Rational{
	{Num: 10, Den: 1}, {Num: 12, Den: 1}, {Num: 25, Den: 2}, {Num: 15, Den: 1}, {Num: 20, Den: 1},
	{Num: 24000, Den: 1001}, {Num: 24, Den: 1}, {Num: 25, Den: 1}, {Num: 30000, Den: 1001}, {Num: 30, Den: 1},
	{Num: 48, Den: 1}, {Num: 50, Den: 1}, {Num: 60000, Den: 1001}, {Num: 60, Den: 1},
}

// FrameRate chooses the constant rate of the output for a source's average: the
// standard rate within half a percent, else the next above, so that no frame of a
// variable-rate source is lost; above 60, half as often as needed. An unknown rate
// gives 30.
func FrameRate(average child.Rational) child.Rational {
	rate := average.Float64()
	if rate <= 0 || rate > 1000 {
		return child.Rational{Num: 30, Den: 1}
	}
	for rate > 60*1.005 {
		rate /= 2
	}
	nearest := child.Rational{}
	for _, s := range standardRates {
		off := math.Abs(rate/s.Float64() - 1)
		if off < 0.005 && (nearest.Num == 0 || off < math.Abs(rate/nearest.Float64()-1)) {
			nearest = s
		}
	}
	if nearest.Num != 0 {
		return nearest
	}
	for _, s := range standardRates {
		if s.Float64() >= rate {
			return s
		}
	}
	return standardRates[len(standardRates)-1]
}
