package library

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
)

// sweepAgainAfter is when a deleted media is swept once more: by then no worker
// or request that began before the deletion can still be writing.
const sweepAgainAfter = 3 * time.Hour

// forgetAgainAfter is when its figures are erased once more: by then the view tokens
// of its players have expired, and what they sent before has been stored.
const forgetAgainAfter = beacon.TokenLife + time.Hour

// deleteMedia hides a media at once and has its objects and figures removed.
func (s *Service) deleteMedia(ctx context.Context, in *auth.ByID) (*struct{}, error) {
	m, err := auth.Media(ctx, s.db, in.ID)
	if err != nil {
		return nil, err
	}
	args := jobs.SweepArgs{AccountID: m.AccountID, MediaID: m.ID, SourceKey: m.SourceKey}
	err = s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		if err := s.db.DeleteMedia(ctx, tx, m.AccountID, m.ID); err != nil {
			return err
		}
		if err := s.jobs.InsertTx(ctx, tx, args, nil); err != nil {
			return err
		}
		args.Final = true
		forget := jobs.ForgetArgs{AccountID: m.AccountID, MediaID: m.ID}
		return errors.Join(
			s.jobs.InsertTx(ctx, tx, args, &river.InsertOpts{ScheduledAt: time.Now().Add(sweepAgainAfter)}),
			s.jobs.InsertTx(ctx, tx, forget, nil),
			s.jobs.InsertTx(ctx, tx, forget, &river.InsertOpts{ScheduledAt: time.Now().Add(forgetAgainAfter)}))
	})
	if err != nil {
		return nil, err
	}
	s.log.InfoContext(ctx, "media deleted", "media_id", m.ID, "account_id", m.AccountID)
	return nil, nil
}

// AddWorkers registers the worker that removes the objects of deleted media.
func AddWorkers(c *jobs.Client, blobs *blob.Store) {
	jobs.AddWorker(c, &sweeper{blobs: blobs})
}

// sweeper removes what a deleted media leaves. It may run any number of times.
type sweeper struct {
	river.WorkerDefaults[jobs.SweepArgs]
	blobs *blob.Store
}

// Timeout bounds one sweep: a long video has tens of thousands of segments.
func (w *sweeper) Timeout(*river.Job[jobs.SweepArgs]) time.Duration { return time.Hour }

// Work removes the pointer first, so that nothing points at missing segments.
func (w *sweeper) Work(ctx context.Context, job *river.Job[jobs.SweepArgs]) error {
	a := job.Args
	if err := w.blobs.Remove(ctx, blob.PointerKey(a.MediaID)); err != nil {
		return err
	}
	prefix := blob.MediaPrefix(a.AccountID, a.MediaID)
	for _, p := range []string{prefix, a.SourceKey} { // MinIO lists unfinished uploads by whole keys alone
		if p == "" {
			continue
		}
		if err := w.blobs.AbortParts(ctx, p); err != nil {
			return err
		}
	}
	if err := w.blobs.RemovePrefix(ctx, prefix); err != nil {
		return err
	}
	if a.SourceKey != "" {
		if err := w.blobs.Remove(ctx, a.SourceKey); err != nil {
			return err
		}
	}
	if !a.Final {
		return nil
	}
	return w.blobs.Remove(ctx, blob.SettingsKey(a.MediaID))
}
