package transcode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/transcode/child"
)

// EncodeArgs asks for one chunk of a part of a generation's plan.
type EncodeArgs struct {
	MediaID    string `json:"media_id" river:"unique"`
	Generation int    `json:"generation" river:"unique"`
	Part       string `json:"part" river:"unique"`
	Chunk      int    `json:"chunk" river:"unique"`
	// Seconds of media bound the time that the job may take.
	Seconds float64 `json:"seconds"`
}

// Kind names the job.
func (EncodeArgs) Kind() string { return "encode" }

// encodeAttempts bounds the tries: with River's growing pauses they span some
// three hours, which outlasts a store that is away for a while, and stops and
// kills of the process count too.
const encodeAttempts = 10

// insertEncodes enqueues the chunks of a plan that have not been made, unless they
// are already waiting or running: all, with the preview, or only those that a viewer
// waits for before anything plays, which then have the processors to themselves.
func (s *Service) insertEncodes(ctx context.Context, tx catalog.Tx, m catalog.Media, plan *Plan, done map[string]map[int]bool, all bool) error {
	if all {
		if err := s.insertPreview(ctx, tx, m, plan.Probe); err != nil {
			return err
		}
	}
	var params []river.InsertManyParams
	for i := range plan.Parts {
		part := &plan.Parts[i]
		for chunk := range part.Chunks {
			queue := jobs.QueueTranscode
			switch {
			case len(part.Spec.Rungs) == 0:
				queue = jobs.QueueSound
			case part.opens(chunk):
				queue = jobs.QueueFirst
			}
			if done[part.Name][chunk] || !all && !part.opens(chunk) {
				continue
			}
			job := plan.job(part, chunk, 0)
			span := job.Duration
			if job.Span > 0 {
				span = job.Span
			}
			params = append(params, river.InsertManyParams{
				Args: EncodeArgs{MediaID: m.ID, Generation: m.Generation, Part: part.Name, Chunk: chunk, Seconds: span.Seconds()},
				InsertOpts: &river.InsertOpts{
					Queue: queue, MaxAttempts: encodeAttempts, Priority: plan.priority(part, chunk),
					UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
						rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning,
						rivertype.JobStateRetryable, rivertype.JobStateScheduled,
					}},
				},
			})
		}
	}
	return s.jobs.InsertManyTx(ctx, tx, params)
}

// insertRest enqueues what waited until a media that had to be encoded first plays.
func (s *Service) insertRest(ctx context.Context, m catalog.Media, plan *Plan) error {
	done, err := s.db.ChunksDone(ctx, m.ID, m.Generation)
	if err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		return s.insertEncodes(ctx, tx, m, plan, done, true)
	})
}

// encodeWorker makes a chunk and publishes what has become complete by it.
type encodeWorker struct {
	river.WorkerDefaults[EncodeArgs]
	service *Service
}

// Timeout is River's limit for the job, above the child's own.
func (w *encodeWorker) Timeout(job *river.Job[EncodeArgs]) time.Duration {
	span := time.Duration(job.Args.Seconds * float64(time.Second))
	return child.LimitsFor(child.Job{Op: child.OpEncode, Span: span, Threads: 1}).Wall + 5*time.Minute
}

// Work encodes and publishes.
func (w *encodeWorker) Work(ctx context.Context, job *river.Job[EncodeArgs]) error {
	s := w.service
	return s.settle(ctx, job.JobRow, job.Args.MediaID, job.Args.Generation, s.encode(ctx, job))
}

// minDecoded is the share of its declared duration that a source must yield.
const minDecoded = 0.5

func (s *Service) encode(ctx context.Context, job *river.Job[EncodeArgs]) error {
	args := job.Args
	m, err := s.wanted(ctx, args.MediaID, args.Generation)
	if err != nil || m == nil || m.State == catalog.StateFailed {
		return err
	}
	plan, err := s.plan(ctx, *m)
	if errors.Is(err, catalog.ErrNotFound) || err == nil && plan.part(args.Part) == nil {
		// A job of an earlier release, which knew no plans.
		return s.jobs.Insert(ctx, jobs.ProbeArgs{MediaID: m.ID, Generation: m.Generation}, nil)
	}
	if err != nil {
		return err
	}
	part := plan.part(args.Part)
	if args.Chunk < 0 || args.Chunk >= len(part.Chunks) {
		return fmt.Errorf("part %s has no chunk %d of %d", part.Name, args.Chunk, len(part.Chunks))
	}
	made, err := s.db.ChunkDone(ctx, m.ID, m.Generation, part.Name, args.Chunk)
	if err != nil {
		return err
	}
	number := attempt(job.ID, job.Attempt)
	if !made {
		if err := s.chunk(ctx, *m, plan, part, args.Chunk, number); err != nil {
			return err
		}
	}
	return s.advance(ctx, *m, plan, number)
}

// plan reads how a generation is encoded.
func (s *Service) plan(ctx context.Context, m catalog.Media) (*Plan, error) {
	raw, err := s.db.Plan(ctx, m.ID, m.Generation)
	if err != nil {
		return nil, err
	}
	plan := &Plan{}
	if err := json.Unmarshal(raw, plan); err != nil {
		return nil, fmt.Errorf("read plan of media %s: %w", m.ID, err)
	}
	if plan.part(partExtra) == nil {
		return nil, fmt.Errorf("plan of media %s has no part %s", m.ID, partExtra)
	}
	return plan, nil
}

// chunk has a child make a chunk, and records it unless someone else has made it
// meanwhile.
func (s *Service) chunk(ctx context.Context, m catalog.Media, plan *Plan, part *Part, chunk int, number string) error {
	started := time.Now()
	threads := s.threads
	if part.opens(chunk) && len(part.Spec.Rungs) > 0 {
		threads = 0 // a viewer waits
	}
	job := plan.job(part, chunk, threads)
	job.Opening = part.opens(chunk)
	s.normalise(&job, part)
	u := newUploader(s, m, plan, part, chunk, number)
	if err := u.findProgress(ctx); err != nil {
		return err
	}
	err := s.run(ctx, job, u)
	if err == nil {
		describeTexts(u.texts, plan.Probe)
		err = u.finish(ctx)
	}
	if err != nil {
		s.discard(ctx, u)
		return err
	}
	err = s.report(ctx, u)
	switch {
	case errors.Is(err, catalog.ErrConflict):
		s.discard(ctx, u) // someone else's output counts
	case err != nil:
		return err // perhaps recorded after all: the next try will see
	}
	s.log.DebugContext(ctx, "chunk made", "media_id", m.ID, "part", part.Name, "chunk", chunk, "of", len(part.Chunks),
		"took_ms", time.Since(started).Milliseconds())
	return nil
}

// report records a chunk that has been made.
func (s *Service) report(ctx context.Context, u *uploader) error {
	done, err := s.db.ChunksDone(ctx, u.media.ID, u.media.Generation)
	if err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		if err := s.db.ReportChunk(ctx, tx, u.row(true)); err != nil {
			return err
		}
		if u.part.opens(u.chunk) { // the rest, if nothing has been shown by which it is enqueued
			if err := s.insertEncodes(ctx, tx, u.media, u.plan, done, true); err != nil {
				return err
			}
		}
		return s.recordTexts(ctx, tx, u)
	})
}

// run has a child work on a source, with its output stored.
func (s *Service) run(ctx context.Context, job child.Job, u *uploader) error {
	in, err := openSource(ctx, s.store, u.media.SourceKey)
	if err != nil {
		return err
	}
	defer in.close()
	if err := s.runner.Run(ctx, job, in, u); err != nil {
		return err
	}
	if u.made.Damaged > 0 {
		s.log.InfoContext(ctx, "source is damaged in places", "media_id", u.media.ID, "packets", u.made.Damaged)
	}
	return nil
}

// discard removes what an attempt left that came to nothing, unless viewers may
// have been shown some of it. What remains then, or after a crash, is removed with the
// media.
func (s *Service) discard(ctx context.Context, u *uploader) {
	if !u.shown {
		s.removeAll(ctx, u.media.ID, u.prefix)
	}
}

func (s *Service) removeAll(ctx context.Context, media, prefix string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failureGrace)
	defer cancel()
	if err := s.store.RemovePrefix(ctx, prefix); err != nil {
		s.log.WarnContext(ctx, "abandoned output stays behind", "media_id", media, "err", err)
	}
}

// attempt names what one run of one job writes. Job and attempt together are
// never used twice, so a late worker is fenced from every other; as a number, the
// later is the higher.
func attempt(jobID int64, number int) string { return fmt.Sprintf("%d%02d", jobID, number) }

// attemptNumber is the number that an attempt's name is.
func attemptNumber(name string) int64 {
	n, _ := strconv.ParseInt(name, 10, 64) // made by attempt
	return n
}

func outputPrefix(m catalog.Media, number string) string {
	return blob.OutputPrefix(m.AccountID, m.ID, m.Generation, number)
}
