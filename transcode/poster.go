package transcode

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/riverqueue/river"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/transcode/child"
)

// posterWorker makes the posters that people choose or upload.
type posterWorker struct {
	river.WorkerDefaults[jobs.PosterArgs]
	service *Service
}

// Timeout is River's limit for the job.
func (w *posterWorker) Timeout(*river.Job[jobs.PosterArgs]) time.Duration { return stillTimeout }

// stillTimeout bounds jobs that decode a few seconds of a media.
const stillTimeout = 5 * time.Minute

// Work makes the poster. One that cannot be made leaves the media as it is.
func (w *posterWorker) Work(ctx context.Context, job *river.Job[jobs.PosterArgs]) error {
	err := w.service.poster(ctx, job.Args)
	if refusal, ok := errors.AsType[*child.MediaError](err); ok {
		w.service.log.InfoContext(ctx, "poster not made", "media_id", job.Args.MediaID, "code", string(refusal.Code), "err", err)
		return river.JobCancel(err)
	}
	return err
}

func (s *Service) poster(ctx context.Context, args jobs.PosterArgs) error {
	m, err := s.wanted(ctx, args.MediaID, args.Generation)
	if err != nil || m == nil {
		return err
	}
	job, source := child.Job{Op: child.OpPicture}, blob.PosterUploadKey(m.AccountID, m.ID, args.PosterID)
	if !args.Uploaded {
		source = m.SourceKey
		rate := FrameRate(child.Rational{Num: int(m.FrameRate * 1000), Den: 1000})
		job = clipJob(child.EncodeSpec{Poster: true, FrameRate: rate}, time.Duration(args.AtMS)*time.Millisecond, 1)
	}
	key := blob.PosterKey(m.AccountID, m.ID, args.PosterID)
	if err := s.still(ctx, job, source, func(file *os.File, size int64) error {
		return s.store.Put(ctx, key, file, size, typeJPEG)
	}); err != nil {
		return err
	}
	if args.Aside {
		return nil
	}
	return ignoreConflict(s.showStill(ctx, *m,
		catalog.Set{Column: "poster_key", Value: key}, catalog.Set{Column: "poster_chosen", Value: true}))
}

// clipJob is a child's job on some frames of a media, which make one segment.
func clipJob(spec child.EncodeSpec, from time.Duration, frames int) child.Job {
	spec.GOPFrames, spec.SegmentGOPs, spec.ToSegment = frames, 1, 1
	length := time.Duration(float64(frames) / spec.FrameRate.Float64() * float64(time.Second))
	return child.Job{Op: child.OpClip, Duration: length, Encode: &spec, Clip: &child.ClipSpec{From: from}}
}

// still runs a job that makes one picture of an object and gives that to put.
func (s *Service) still(ctx context.Context, job child.Job, source string, put func(*os.File, int64) error) error {
	in, err := openSource(ctx, s.store, source)
	if err != nil {
		return err
	}
	defer in.close()
	made := false
	err = s.runner.Run(ctx, job, in, child.HandlerFunc(func(_ context.Context, e child.Event, file *os.File) error {
		if e.Image == nil || made {
			return nil
		}
		made = true
		info, err := file.Stat()
		if err != nil {
			return fmt.Errorf("store picture: %w", err)
		}
		return put(file, info.Size())
	}))
	if err == nil && !made {
		err = child.Refuse(child.DecodeFailed, "no picture at this time")
	}
	return err
}

// showStill records what was made of a media and has viewers shown it.
func (s *Service) showStill(ctx context.Context, m catalog.Media, set ...catalog.Set) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		if err := s.db.SetMedia(ctx, tx, m.ID, m.Generation, set...); err != nil {
			return err
		}
		return s.jobs.InsertTx(ctx, tx, jobs.PresentArgs{MediaID: m.ID, Generation: m.Generation}, nil)
	})
}

// posterSet records the poster that encoding chose, unless someone chose another.
func posterSet(key string) catalog.Set {
	return catalog.Set{Column: "poster_key", Value: catalog.Unless("poster_chosen", "poster_key", key)}
}
