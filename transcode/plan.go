package transcode

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/vitascope/vitascope/transcode/child"
)

// The shape of the output, from Apple's HLS authoring specification.
const (
	gopSeconds     = 2 // 1.13
	segmentGOPs    = 3 // 7.5: 6 s
	firstGOPs      = 1 // a short first segment, for a fast start
	targetDuration = gopSeconds * segmentGOPs
)

// The storyboard's sheet: at most 100 thumbnails, at least 2 s apart.
const (
	storyTiles    = 100
	storyColumns  = 10
	storyWidth    = 160
	storyInterval = 2 * time.Second
)

// Plan is how a generation is encoded: parts, each a pass over the media that is
// divided into chunks, each a job. It follows from the probe, is kept in the catalog
// before the first job, and never changes, so that all jobs make the same.
type Plan struct {
	Probe child.ProbeResult `json:"probe"`
	// Instant says that the source itself is publication 1, so that there is no
	// hurry with the lowest rung.
	Instant bool `json:"instant,omitempty"`
	// SourceTop says that the source stays, as the highest rung.
	SourceTop bool `json:"source_top,omitempty"`
	// TargetSeconds is the target duration of all media playlists.
	TargetSeconds int `json:"target_seconds"`
	// Cuts are the frames at which segments start when they follow the source's.
	Cuts  []int64 `json:"cuts,omitempty"`
	Parts []Part  `json:"parts"`
}

// Part is what is made together, in one decoding of each chunk.
type Part struct {
	Name string           `json:"name"`
	Spec child.EncodeSpec `json:"spec"` // of the whole media, without cuts
	// Chunks are the segments with which the chunks start, the first one 0.
	Chunks []int `json:"chunks"`
	// OwnCuts says that segments are not cut as the source's are: in plans of an earlier
	// release only.
	OwnCuts bool `json:"own_cuts,omitempty"`
	// Early parts are shown while they grow.
	Early bool `json:"early,omitempty"`
}

// The parts of a plan: sound, texts and images of the whole media, the images by
// themselves where a viewer waits for the sound; the lowest rung of what cannot be
// played yet; the rungs that are made together; rungs of their own have their name.
const (
	partExtra  = "extra"
	partImages = "images"
	partFirst  = "first"
	partRungs  = "rungs"
)

// top is a source that can be the highest rung.
type top struct {
	cuts   []int64 // see Plan
	target int     // seconds
	// timescale is the unit of its picture's times, per second.
	timescale int
}

// NewPlan divides the work on a source. What makes it playable comes first, unless
// it plays already, being instant. A source that is a rung itself gives the others
// its segment boundaries and the unit of its times: hls.js, seeing another, places the
// segments anew, later by the reordering of frames.
func NewPlan(probe child.ProbeResult, instant bool, source *top) *Plan {
	p := &Plan{Probe: probe, Instant: instant, TargetSeconds: targetDuration}
	if source != nil {
		p.SourceTop, p.Cuts, p.TargetSeconds = true, source.cuts, source.target
	}
	base := child.EncodeSpec{SegmentGOPs: segmentGOPs, FirstGOPs: firstGOPs}
	extra := base
	extra.Audio, extra.Texts = audioSpecs(probe), textSpecs(probe)
	if probe.Video == nil {
		extra.Poster = true
		p.add(partExtra, extra, !instant)
		return p
	}
	rate := FrameRate(probe.Video.FrameRate)
	base.FrameRate, base.GOPFrames = rate, int(math.Round(gopSeconds*rate.Float64()))
	if source != nil {
		base.Timescale = source.timescale
	}
	extra.FrameRate, extra.GOPFrames = base.FrameRate, base.GOPFrames
	if instant || len(extra.Audio) == 0 {
		extra.Poster, extra.Storyboard = true, storyboard(p.duration())
		p.add(partExtra, extra, false)
	} else {
		images := base
		images.Poster, images.Storyboard = true, storyboard(p.duration())
		p.add(partExtra, extra, true)
		p.add(partImages, images, false)
	}
	rungs := Ladder(probe.Video.DisplayWidth, probe.Video.DisplayHeight)
	if p.SourceTop {
		rungs = rungs[:len(rungs)-1]
	}
	if !instant {
		first := base
		first.Rungs = rungs[:1]
		p.add(partFirst, first, true)
		rungs = rungs[1:]
	}
	for _, share := range groups(rungs) {
		name := partRungs
		if len(share) == 1 && !together(share[0]) {
			name = share[0].Name
		}
		slices.Reverse(share) // largest first, for the cascade of scales
		spec := base
		spec.Rungs = share
		p.add(name, spec, false)
	}
	return p
}

func (p *Plan) add(name string, spec child.EncodeSpec, early bool) {
	p.Parts = append(p.Parts, Part{Name: name, Spec: spec, Early: early, Chunks: p.divide(spec, early)})
}

func (p *Plan) duration() time.Duration { return time.Duration(p.Probe.DurationMS) * time.Millisecond }

// part returns the part of a name, nil when there is none.
func (p *Plan) part(name string) *Part {
	for i := range p.Parts {
		if p.Parts[i].Name == name {
			return &p.Parts[i]
		}
	}
	return nil
}

// hasAudio and hasVideo tell what renditions there will be.
func (p *Plan) hasAudio() bool { return len(p.part(partExtra).Spec.Audio) > 0 }
func (p *Plan) hasVideo() bool { return p.Probe.Video != nil }

// grows tells whether a rendition is one of those that are shown while they grow.
func (p *Plan) grows(rendition string) bool {
	for _, part := range p.Parts {
		for _, r := range part.Spec.Rungs {
			if r.Name == rendition {
				return part.Early
			}
		}
		for _, a := range part.Spec.Audio {
			if a.Name == rendition {
				return part.Early
			}
		}
	}
	return false
}

// job is the child's work on one chunk of a part.
func (p *Plan) job(part *Part, chunk, threads int) child.Job {
	spec := part.Spec
	if !part.OwnCuts {
		spec.Cuts = p.Cuts
	}
	spec.FromSegment = part.Chunks[chunk]
	if chunk+1 < len(part.Chunks) {
		spec.ToSegment = part.Chunks[chunk+1]
	}
	job := child.Job{Op: child.OpEncode, Duration: p.duration(), Encode: &spec, Threads: threads}
	if len(part.Chunks) > 1 {
		from, to := spec.SegmentStart(spec.FromSegment), int64(p.duration().Seconds()*spec.FrameRate.Float64())
		if spec.ToSegment > 0 {
			to = spec.SegmentStart(spec.ToSegment)
		}
		job.Span = max(time.Second, time.Duration(float64(to-from)/spec.FrameRate.Float64()*float64(time.Second)))
	}
	return job
}

// opens tells whether a viewer waits for a chunk before anything plays.
func (part *Part) opens(chunk int) bool { return part.Early && chunk == 0 }

// weight is what a part costs, for the media's progress: work grows with the pixels
// that are encoded, and decoding costs about what a small rung does.
func (part *Part) weight() float64 {
	w := 300_000.0
	for _, r := range part.Spec.Rungs {
		w += float64(r.Width * r.Height)
	}
	return w
}

// share is one chunk of a part's share in the media's progress, progress the sum of
// those that are done.
func (p *Plan) share(part *Part) float64 {
	total := 0.0
	for i := range p.Parts {
		total += p.Parts[i].weight()
	}
	return part.weight() / total / float64(len(part.Chunks))
}

func (p *Plan) progress(done map[string]map[int]bool) float64 {
	sum := 0.0
	for i := range p.Parts {
		sum += p.share(&p.Parts[i]) * float64(len(done[p.Parts[i].Name]))
	}
	return min(1, sum)
}

// Chunks are sized by the work in them. Starting a child and decoding from the
// keyframe before cost some 0.3 s of a processor, which should be little against the
// chunk; what a dead worker loses, and what a short clip waits for, should be little
// too. 1.7 gigapixels are some 30 s of a processor; short media are divided further, so
// that several workers share them. Towards the end chunks become shorter, each a third
// of what is left, so that workers end together: who has none left to take stands idle
// while the last chunk is being made.
const (
	chunkPixels   = 1_700e6
	chunkShortest = 6.0 // seconds
	chunkLongest  = 60.0
	chunkTail     = 1.0 // no chunk has less: its end may be a part of a segment
	chunksAtLeast = 5
	chunksLeft    = 3
)

// divide returns the segments with which chunks start. What is early is watched while
// it grows, and is never the last.
func (p *Plan) divide(spec child.EncodeSpec, early bool) []int {
	if len(spec.Rungs) == 0 || p.Probe.Unseekable != "" {
		return []int{0}
	}
	spec.Cuts = p.Cuts
	pixels := 0.0
	for _, r := range spec.Rungs {
		pixels += float64(r.Width * r.Height)
	}
	rate, whole := spec.FrameRate.Float64(), p.duration().Seconds()
	length := min(chunkPixels/(pixels*rate), whole/chunksAtLeast)
	length = min(max(length, chunkShortest), chunkLongest)
	chunks, start := []int{0}, 0.0
	seconds := func(segment int) float64 { return min(whole, float64(spec.SegmentStart(segment))/rate) }
	for n := 1; seconds(n)+chunkTail < whole; n++ {
		want := length
		if !early {
			want = max(chunkShortest, min(length, (whole-start)/chunksLeft))
		}
		// Whole segments, as many as come nearest to what is wanted.
		if seconds(n)-start+seconds(n+1)-start >= 2*want {
			chunks, start = append(chunks, n), seconds(n)
		}
	}
	return chunks
}

// togetherUpTo is the short side up to which rungs share a part. An encoder of a
// larger picture needs the child's memory for itself.
const togetherUpTo = 1080

func together(r child.Rung) bool { return min(r.Width, r.Height) <= togetherUpTo }

// groups divides rungs, smallest first, into what fits into one child each.
func groups(rungs []child.Rung) [][]child.Rung {
	var out [][]child.Rung
	shared := 0
	for shared < len(rungs) && together(rungs[shared]) {
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

// priority puts what makes a media playable before all else, then short clips
// before films. River's highest priority is 1, its lowest 4. Jobs of one priority run
// in the order in which they were inserted.
func (p *Plan) priority(part *Part, chunk int) int {
	switch {
	case part.opens(chunk):
		return 1
	case part.Early, p.duration() <= 2*time.Minute:
		return 2
	case p.duration() <= 10*time.Minute:
		return 3
	}
	return 4
}

// String names the parts and their chunks, for the log.
func (p *Plan) String() string {
	text := ""
	for _, part := range p.Parts {
		text += fmt.Sprintf(" %s:%d", part.Name, len(part.Chunks))
	}
	return text[1:]
}
