package transcode

import (
	"time"

	"github.com/vitascope/vitascope/transcode/child"
)

// targetLUFS is the loudness of the output: every video as loud as the next, at the
// level that players of podcasts and phones expect (AES TD1008).
const targetLUFS = -16

// How much of a track is measured: all of it up to the first, as a whole or in
// windows of a longer one. When nothing plays yet viewers wait for it, while the first
// pictures need the processors.
const (
	measureMost  = 5 * time.Minute
	measureHurry = 20 * time.Second
)

// normalise has a child bring the sound of a chunk to the same loudness as that of
// every other media.
func (s *Service) normalise(job *child.Job, part *Part) {
	if !s.loudness || len(job.Encode.Audio) == 0 {
		return
	}
	most := measureMost
	if part.Early {
		most = measureHurry
	}
	job.Encode.Loudness = &child.LoudnessSpec{TargetLUFS: targetLUFS, Most: most} // of the job's own copy of the plan's spec
}
