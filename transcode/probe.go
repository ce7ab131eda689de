package transcode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/transcode/child"
)

// probeTimeout bounds a probe job: the child's minute, and storage that is slow.
const probeTimeout = 3 * time.Minute

// probeWorker looks at a new source and starts its encoding.
type probeWorker struct {
	river.WorkerDefaults[jobs.ProbeArgs]
	service *Service
}

// Timeout is River's limit for the job.
func (w *probeWorker) Timeout(*river.Job[jobs.ProbeArgs]) time.Duration { return probeTimeout }

// Work makes the source playable if it can be as it is, probes it, records the
// facts and inserts the encode jobs.
func (w *probeWorker) Work(ctx context.Context, job *river.Job[jobs.ProbeArgs]) error {
	s := w.service
	return s.settle(ctx, job.JobRow, job.Args.MediaID, job.Args.Generation, s.probe(ctx, job))
}

// unsettled are the states from which a media can still be probed.
var unsettled = []catalog.MediaState{catalog.StateUploading, catalog.StateProbing, catalog.StateFailed}

func (s *Service) probe(ctx context.Context, job *river.Job[jobs.ProbeArgs]) error {
	m, err := s.wanted(ctx, job.Args.MediaID, job.Args.Generation)
	if err != nil || m == nil {
		return err
	}
	switch m.State {
	case catalog.StateReady:
		return nil // a repeat: this has been done
	case catalog.StatePlayable:
		// Perhaps an earlier try showed the source and came no further.
		if row, err := s.sourceRow(ctx, *m); row == nil || err != nil {
			return err
		}
	default:
		if err := s.db.Transition(ctx, s.db, m.ID, m.Generation, unsettled, catalog.StateProbing); err != nil {
			return ignoreConflict(err)
		}
	}
	number := attempt(job.ID, job.Attempt)
	index, err := s.instant(ctx, *m, number)
	if err != nil {
		return ignoreConflict(err)
	}
	plan, err := s.plan(ctx, *m)
	if errors.Is(err, catalog.ErrNotFound) {
		var found *child.ProbeResult
		if found, err = s.look(ctx, m); err == nil {
			plan = NewPlan(*found, index != nil, s.top(ctx, m, index, *found))
			plan.addCodecs(s.codecs)
			s.log.InfoContext(ctx, "ladder planned", "media_id", m.ID, "chunks", plan.String(), "source_top", plan.SourceTop,
				"unseekable", found.Unseekable)
		}
	}
	if err != nil {
		return err
	}
	return s.probed(ctx, m, plan, index != nil, number)
}

// look has a child probe the source.
func (s *Service) look(ctx context.Context, m *catalog.Media) (*child.ProbeResult, error) {
	started := time.Now()
	in, err := openSource(ctx, s.store, m.SourceKey)
	if err != nil {
		return nil, err
	}
	defer in.close()
	var found *child.ProbeResult
	err = s.runner.Run(ctx, child.Job{Op: child.OpProbe}, in, child.HandlerFunc(func(_ context.Context, e child.Event, _ *os.File) error {
		found = e.Probe
		return nil
	}))
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("%w: probe found nothing", child.ErrProtocol)
	}
	s.log.InfoContext(ctx, "source probed", "media_id", m.ID, "took_ms", time.Since(started).Milliseconds(),
		"container", found.Container, "duration_ms", found.DurationMS)
	return found, nil
}

// probed records the facts of a source with its plan, and inserts the encode jobs.
func (s *Service) probed(ctx context.Context, m *catalog.Media, plan *Plan, instant bool, number string) error {
	state := catalog.StateProbing
	if instant {
		state = catalog.StatePlayable
	}
	found := plan.Probe
	set := []catalog.Set{
		{Column: "duration_ms", Value: found.DurationMS},
		{Column: "has_video", Value: found.Video != nil},
		{Column: "has_audio", Value: len(found.Audio) > 0},
	}
	if v := found.Video; v != nil {
		set = append(set,
			catalog.Set{Column: "width", Value: v.DisplayWidth},
			catalog.Set{Column: "height", Value: v.DisplayHeight},
			catalog.Set{Column: "frame_rate", Value: FrameRate(v.FrameRate).Float64()})
	}
	set = append(set, chapterColumns(*m, found)...)
	raw, err := json.Marshal(plan)
	if err != nil {
		return fmt.Errorf("plan of media %s: %w", m.ID, err)
	}
	done, err := s.db.ChunksDone(ctx, m.ID, m.Generation)
	if err != nil {
		return err
	}
	all := instant || m.Extent != catalog.ExtentNone || len(done) > 0
	err = s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		err := s.db.Transition(ctx, tx, m.ID, m.Generation, []catalog.MediaState{state}, state, set...)
		if err != nil {
			return err
		}
		if err := s.db.PutPlan(ctx, tx, m.ID, m.Generation, raw); err != nil {
			return err
		}
		return s.insertEncodes(ctx, tx, *m, plan, done, all)
	})
	if err != nil {
		return ignoreConflict(err)
	}
	return s.advance(ctx, *m, plan, number) // perhaps all had been made before
}

// wanted is the media a job is about, or nil when it is gone or has been replaced.
func (s *Service) wanted(ctx context.Context, id string, generation int) (*catalog.Media, error) {
	m, err := s.db.MediaByID(ctx, id)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case m.Generation != generation:
		return nil, nil
	}
	return &m, nil
}

func ignoreConflict(err error) error {
	if errors.Is(err, catalog.ErrConflict) {
		return nil
	}
	return err
}

// failureGrace is how long recording a failure may take after a job's context has
// ended.
const failureGrace = 10 * time.Second

// maxCrashes is how often a media may bring its child down before it is refused.
const maxCrashes = 2

// infrastructureCode is the failure code of what is not the media's fault.
const infrastructureCode = "internal_error"

const infrastructureReason = "Something went wrong on the server while processing this file. Try again later."

// settle turns the error of a job into its end: the media's own faults fail the
// media at once, all others are tried again until River gives up.
func (s *Service) settle(ctx context.Context, job *rivertype.JobRow, media string, generation int, err error) error {
	if err == nil {
		return nil
	}
	code, reason, retryable := infrastructureCode, infrastructureReason, true
	refusal, isMedia := errors.AsType[*child.MediaError](err)
	switch {
	case isMedia && refusal.Code == child.DecoderCrashed && job.Attempt < maxCrashes && job.Attempt < job.MaxAttempts:
		return err
	case isMedia:
		code, reason, retryable = string(refusal.Code), refusal.Code.Sentence(), refusal.Code.Retryable()
	case job.Attempt < job.MaxAttempts:
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failureGrace)
	defer cancel()
	if ours, ownErr := s.jobs.Owns(ctx, job.ID, job.Attempt); ownErr != nil || !ours {
		return errors.Join(err, ownErr) // who has the job now will see
	}
	s.log.InfoContext(ctx, "media failed", "media_id", media, "job_id", job.ID, "code", code, "err", err)
	if failErr := s.db.FailMedia(ctx, media, generation, code, reason, retryable); ignoreConflict(failErr) != nil {
		return errors.Join(err, failErr) // tried again, if River has a try left
	}
	if isMedia {
		if withdrawErr := s.withdraw(ctx, media, generation); withdrawErr != nil {
			return errors.Join(err, withdrawErr)
		}
		return river.JobCancel(err)
	}
	return err
}
