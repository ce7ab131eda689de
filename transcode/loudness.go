package transcode

import (
	"context"
	"math"
	"os"
	"slices"
	"time"

	"github.com/vitascope/vitascope/transcode/child"
)

// Loudness of the output: every video as loud as the next, at the level that
// players of podcasts and phones expect (AES TD1008).
const (
	targetLUFS = -16
	// quietest is below what anyone would want to hear: noise is not made loud.
	quietest = -55
	// largestGain bounds what is added, gainWorth what is worth changing.
	largestGain = 20
	gainWorth   = 0.3
	// ceilingDB is the largest sample without a limiter, in dB of full scale.
	ceilingDB = -1.5
)

// How much of a track is measured: all of it up to the first, as a whole or in
// windows of a longer one. When nothing plays yet viewers wait for it, while the first
// pictures need the processors.
const (
	measureMost  = 5 * time.Minute
	measureHurry = 20 * time.Second
)

// normalise sets the gain of the audio renditions of an encode by what a child
// measures of their tracks. Sound that cannot be measured keeps its level: if there
// is something wrong with it, encoding will tell.
func (s *Service) normalise(ctx context.Context, u *uploader, encode *child.Job, in child.Input) error {
	if !s.loudness || len(encode.Encode.Audio) == 0 {
		return nil
	}
	most := measureMost
	if u.part.Early {
		most = measureHurry
	}
	measured := map[int]child.Loudness{}
	job := child.Job{
		Op: child.OpMeasure, Duration: encode.Duration, Threads: encode.Threads,
		Measure: &child.MeasureSpec{Tracks: min(len(u.plan.Probe.Audio), maxAudioTracks), Most: most},
	}
	err := s.runner.Run(ctx, job, in, child.HandlerFunc(func(_ context.Context, e child.Event, _ *os.File) error {
		if e.Loudness != nil {
			measured[e.Loudness.Track] = *e.Loudness
		}
		return nil
	}))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		s.log.InfoContext(ctx, "loudness is left as it is", "media_id", u.media.ID, "err", err)
		return nil
	}
	spec := *encode.Encode // the plan's own stays as it is
	spec.Audio = slices.Clone(spec.Audio)
	encode.Encode = &spec
	for i := range spec.Audio {
		a := &spec.Audio[i]
		if l, ok := measured[a.Track]; ok {
			a.GainDB, a.Limit = gain(l, encode.Duration <= most)
		}
	}
	return nil
}

// gain is what brings a track to the target, and whether its peaks then need
// limiting, as those may that were not measured.
func gain(l child.Loudness, whole bool) (db float64, limit bool) {
	if l.LUFS < quietest {
		return 0, false
	}
	db = math.Round(10*max(-largestGain, min(targetLUFS-l.LUFS, largestGain))) / 10
	if math.Abs(db) < gainWorth {
		db = 0
	}
	return db, db != 0 && (l.PeakDB+db > ceilingDB || db > 0 && !whole)
}
