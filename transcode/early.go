package transcode

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"github.com/vitascope/vitascope/internal/arriving"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jit"
	"github.com/vitascope/vitascope/internal/jobs"
)

const (
	earlyTimeout = time.Minute
	// earlyAgain is when a job looks again that came before the bytes it was told of.
	earlyAgain = time.Second
	// earlyPatience is how long it does: when the upload goes on, there is another job.
	earlyPatience = 2 * time.Minute
)

// earlyWorker shows sources that are still being uploaded.
type earlyWorker struct {
	river.WorkerDefaults[jobs.EarlyArgs]
	service *Service
}

// Timeout is River's limit for the job.
func (w *earlyWorker) Timeout(*river.Job[jobs.EarlyArgs]) time.Duration { return earlyTimeout }

// Work shows the source, or waits for the bytes that playback begins with.
func (w *earlyWorker) Work(ctx context.Context, job *river.Job[jobs.EarlyArgs]) error {
	done, err := w.service.early(ctx, job.Args, attempt(job.ID, job.Attempt))
	if err == nil && !done && time.Since(job.CreatedAt) < earlyPatience {
		return river.JobSnooze(earlyAgain)
	}
	return err
}

// early makes a source that is still arriving the media's first publication. A source
// that is whole is left to the probe, which may come first at any point: the
// publication number in the catalog decides.
func (s *Service) early(ctx context.Context, args jobs.EarlyArgs, number string) (done bool, err error) {
	m, err := s.wanted(ctx, args.MediaID, args.Generation)
	if err != nil || m == nil || !arrives(m) {
		return true, err
	}
	if m.Publication == 0 {
		src, err := arriving.Find(ctx, s.store, m.AccountID, m.ID, m.Generation)
		if err != nil {
			return false, err
		}
		index, err := jit.Early(ctx, src, m.SizeBytes)
		if more, grows := errors.AsType[*jit.NeedMore](err); grows && more.TablesLast {
			index, err = jit.Early(ctx, src.Ends(m.SizeBytes), m.SizeBytes)
		}
		no, refused := errors.AsType[*jit.Unservable](err)
		switch {
		case refused:
			s.log.InfoContext(ctx, "source is not shown early", "media_id", m.ID, "reason", string(no.Reason), "detail", no.Detail)
			return true, nil
		case errors.Is(err, jit.ErrNeedMore), errors.Is(err, blob.ErrNotFound), err == nil && !index.Starts(src.Size()):
			return false, nil
		case err != nil:
			return false, err
		}
		if err := s.recordSource(ctx, *m, index, number); err != nil {
			return false, err
		}
		s.log.InfoContext(ctx, "source is shown while it arrives", "media_id", m.ID, "arrived_bytes", src.Size(), "size_bytes", m.SizeBytes)
	}
	return true, s.show(ctx, m.ID, m.Generation)
}

// arrives tells whether the media's source is still being uploaded.
func arrives(m *catalog.Media) bool { return m.State == catalog.StateUploading }

// withdrawDeleted takes from viewers a media that was deleted while it was being
// shown: the sweep of what it leaves may have come before.
func (s *Service) withdrawDeleted(ctx context.Context, media string) error {
	if _, err := s.db.MediaByID(ctx, media); !errors.Is(err, catalog.ErrNotFound) {
		return err // replaced, not deleted
	}
	return s.store.Remove(ctx, blob.PointerKey(media))
}
