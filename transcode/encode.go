package transcode

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/transcode/child"
)

// EncodeArgs asks for one pass of a generation's plan. The plan follows from the
// probe, which travels along, so that every try makes the same.
type EncodeArgs struct {
	MediaID    string            `json:"media_id" river:"unique"`
	Generation int               `json:"generation" river:"unique"`
	Pass       int               `json:"pass" river:"unique"`
	Probe      child.ProbeResult `json:"probe"`
	// Instant says that the source itself is publication 1, so that there is no
	// hurry with the lowest rung.
	Instant bool `json:"instant,omitempty"`
}

// publication is the one that the pass makes.
func (a EncodeArgs) publication() int {
	if a.Instant {
		return sourcePublication + 1 + a.Pass
	}
	return 1 + a.Pass
}

// Kind names the job.
func (EncodeArgs) Kind() string { return "encode" }

// encodeAttempts bounds the tries: with River's growing pauses they span some
// three hours, which outlasts a store that is away for a while, and stops and
// kills of the process count too.
const encodeAttempts = 10

// insertEncode enqueues a pass, unless it is already waiting or running.
func (s *Service) insertEncode(ctx context.Context, tx catalog.Tx, args EncodeArgs) error {
	duration := time.Duration(args.Probe.DurationMS) * time.Millisecond
	return s.jobs.InsertTx(ctx, tx, args, &river.InsertOpts{
		Queue: jobs.QueueTranscode, MaxAttempts: encodeAttempts, Priority: priority(args.publication(), duration),
		UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning,
			rivertype.JobStateRetryable, rivertype.JobStateScheduled,
		}},
	})
}

// encodeWorker runs a pass and publishes what it makes.
type encodeWorker struct {
	river.WorkerDefaults[EncodeArgs]
	service *Service
}

// Timeout is River's limit for the job, above the child's own.
func (w *encodeWorker) Timeout(job *river.Job[EncodeArgs]) time.Duration {
	return child.LimitsFor(encodeJob(job.Args, nil)).Wall + 5*time.Minute
}

// Work encodes and publishes.
func (w *encodeWorker) Work(ctx context.Context, job *river.Job[EncodeArgs]) error {
	s := w.service
	return s.settle(ctx, job.JobRow, job.Args.MediaID, job.Args.Generation, s.encode(ctx, job))
}

func encodeJob(args EncodeArgs, spec *child.EncodeSpec) child.Job {
	return child.Job{Op: child.OpEncode, Duration: time.Duration(args.Probe.DurationMS) * time.Millisecond, Encode: spec}
}

// minDecoded is the share of its declared duration that a source must yield.
const minDecoded = 0.5

func (s *Service) encode(ctx context.Context, job *river.Job[EncodeArgs]) error {
	args := job.Args
	specs, base, share, err := passes(args)
	if err != nil {
		return err
	}
	m, err := s.wanted(ctx, args.MediaID, args.Generation)
	if err != nil || m == nil {
		return err
	}
	publication, final := args.publication(), args.Pass == len(specs)-1
	if m.Publication >= publication {
		return s.publish(ctx, args, publication, final) // an earlier try came so far
	}
	started := time.Now()
	u := newUploader(s, *m, attempt(job.ID, job.Attempt))
	u.base, u.share = base, share
	spec := specs[args.Pass]
	rows, err := s.run(ctx, args, &spec, u)
	if err != nil {
		s.discard(ctx, u)
		return err
	}
	err = s.record(ctx, u, publication, rows, args.Pass == 0)
	switch {
	case errors.Is(err, catalog.ErrConflict):
		s.discard(ctx, u) // someone else's output counts
	case err != nil:
		return err // perhaps recorded after all: the next try will see
	}
	if err := s.publish(ctx, args, publication, final); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "publication made", "media_id", m.ID, "job_id", job.ID, "publication", publication,
		"renditions", len(rows), "took_ms", time.Since(started).Milliseconds())
	return nil
}

// run has a child make spec, with its output stored, and returns its rows.
func (s *Service) run(ctx context.Context, args EncodeArgs, spec *child.EncodeSpec, u *uploader) ([]catalog.Rendition, error) {
	in, err := openSource(ctx, s.store, u.media.SourceKey)
	if err != nil {
		return nil, err
	}
	defer in.close()
	if err := s.runner.Run(ctx, encodeJob(args, spec), in, u); err != nil {
		return nil, err
	}
	if declared := float64(args.Probe.DurationMS); !args.Probe.DurationEstimated && float64(u.done.DurationMS) < minDecoded*declared {
		return nil, child.Refuse(child.TruncatedFile, "%d of %.0f ms decoded", u.done.DurationMS, declared)
	}
	if u.done.Damaged > 0 {
		s.log.InfoContext(ctx, "source is damaged in places", "media_id", u.media.ID, "packets", u.done.Damaged)
	}
	rows, err := u.finish(ctx, *spec)
	describeAudio(rows, args.Probe)
	describeTexts(u.texts, args.Probe)
	return rows, err
}

// discard removes what an attempt left that came to nothing. What remains after
// a crash is removed with the media.
func (s *Service) discard(ctx context.Context, u *uploader) { s.removeAll(ctx, u.media.ID, u.prefix) }

func (s *Service) removeAll(ctx context.Context, media, prefix string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failureGrace)
	defer cancel()
	if err := s.store.RemovePrefix(ctx, prefix); err != nil {
		s.log.WarnContext(ctx, "abandoned output stays behind", "media_id", media, "err", err)
	}
}
