package transcode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/riverqueue/river"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/transcode/child"
)

// The preview: a few silent seconds, small enough to be shown in a list.
const (
	previewName   = "w320"
	previewWidth  = 320
	previewLength = 4 * time.Second
	previewBPS    = 300_000
	previewCRF    = 28
	// previewFrom is the share of a media after which it starts: past most openings.
	previewFrom = 0.2
)

// PreviewArgs asks for the preview of a generation.
type PreviewArgs struct {
	MediaID    string            `json:"media_id" river:"unique"`
	Generation int               `json:"generation" river:"unique"`
	Probe      child.ProbeResult `json:"probe"`
}

// Kind names the job.
func (PreviewArgs) Kind() string { return "preview" }

// InsertOpts sends the job to the encoders, after their other work.
func (PreviewArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: jobs.QueueTranscode, MaxAttempts: 3, Priority: 4, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

// insertPreview asks for a preview of what has a picture and is worth one.
func (s *Service) insertPreview(ctx context.Context, tx catalog.Tx, m catalog.Media, probe child.ProbeResult) error {
	if probe.Video == nil || probe.DurationMS < 3*previewLength.Milliseconds()/2 {
		return nil
	}
	probe.Chapters = nil // not needed, and may be many
	return s.jobs.InsertTx(ctx, tx, PreviewArgs{MediaID: m.ID, Generation: m.Generation, Probe: probe}, nil)
}

// previewWorker makes previews.
type previewWorker struct {
	river.WorkerDefaults[PreviewArgs]
	service *Service
}

// Timeout is River's limit for the job.
func (w *previewWorker) Timeout(*river.Job[PreviewArgs]) time.Duration { return stillTimeout }

// Work makes the preview. A media whose preview cannot be made has none.
func (w *previewWorker) Work(ctx context.Context, job *river.Job[PreviewArgs]) error {
	err := w.service.preview(ctx, job.Args, attempt(job.ID, job.Attempt))
	if refusal, ok := errors.AsType[*child.MediaError](err); ok {
		w.service.log.InfoContext(ctx, "preview not made", "media_id", job.Args.MediaID, "code", string(refusal.Code), "err", err)
		return river.JobCancel(err)
	}
	return err
}

func (s *Service) preview(ctx context.Context, args PreviewArgs, attempt string) error {
	m, err := s.wanted(ctx, args.MediaID, args.Generation)
	if err != nil || m == nil || m.State == catalog.StateFailed {
		return err
	}
	job := previewJob(args.Probe)
	job.Threads = s.threads // nobody waits
	made, err := s.makePreview(ctx, *m, job)
	if err != nil {
		return err
	}
	key := blob.OutputPrefix(m.AccountID, m.ID, m.Generation, attempt) + "preview.mp4"
	if err := s.store.PutBytes(ctx, key, made, typeMP4); err != nil {
		return fmt.Errorf("store preview: %w", err)
	}
	return ignoreConflict(s.showStill(ctx, *m, catalog.Set{Column: "preview_key", Value: key}))
}

// makePreview makes one file of a preview, of the ladder where it is that far, else of
// the source.
func (s *Service) makePreview(ctx context.Context, m catalog.Media, job child.Job) ([]byte, error) {
	in, into, err := s.madeOf(ctx, m, job.Clip.From, job.Duration)
	if err != nil {
		return nil, err
	}
	if in != nil {
		ofLadder := job
		ofLadder.Clip = &child.ClipSpec{From: into}
		made, err := s.clip(ctx, ofLadder, in)
		if err == nil || ctx.Err() != nil {
			return made, err
		}
		s.log.WarnContext(ctx, "preview is made of the source", "media_id", m.ID, "err", err)
	}
	source, err := openSource(ctx, s.store, m.SourceKey)
	if err != nil {
		return nil, err
	}
	defer source.close()
	return s.clip(ctx, job, source)
}

// clip has a child make a clip, and returns it as one file: the init segment, then the
// only media segment.
func (s *Service) clip(ctx context.Context, job child.Job, in child.Input) ([]byte, error) {
	var made bytes.Buffer
	err := s.runner.Run(ctx, job, in, child.HandlerFunc(func(_ context.Context, e child.Event, file *os.File) error {
		if e.Init == nil && e.Segment == nil {
			return nil
		}
		_, err := io.Copy(&made, io.LimitReader(file, 8<<20))
		return err
	}))
	return made.Bytes(), err
}

// previewJob is a clip of half the usual frame rate at most.
func previewJob(probe child.ProbeResult) child.Job {
	total := time.Duration(probe.DurationMS) * time.Millisecond
	from := min(time.Duration(previewFrom*float64(total)), total-previewLength).Truncate(time.Millisecond)
	rate := FrameRate(probe.Video.FrameRate)
	for rate.Float64() > 15.1 {
		rate.Den *= 2
	}
	v := probe.Video
	fit := rung(v.DisplayWidth, v.DisplayHeight, max(minSide, min(v.DisplayWidth, v.DisplayHeight)*previewWidth/max(v.DisplayWidth, v.DisplayHeight)), previewBPS)
	fit.Name, fit.CRF = previewName, previewCRF
	frames := int(previewLength.Seconds() * rate.Float64())
	return clipJob(child.EncodeSpec{Rungs: []child.Rung{fit}, FrameRate: rate}, max(0, from), frames)
}
