package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
)

// finishGrace is how long the end of an upload may go on after its client left:
// some S3 servers copy the whole file when parts are put together.
const finishGrace = 15 * time.Minute

// Failures that ingest itself finds.
const (
	FailureEmptyFile       = "empty_file"
	FailureUploadAbandoned = "upload_abandoned"
)

// FinishUpload makes the source object of the parts and hands the media over to
// probing. It may be repeated at any point: the object is made once, and so is
// the job.
func (u *upload) FinishUpload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishGrace)
	defer cancel()
	if u.media.SizeBytes == 0 {
		return u.failEmpty(ctx)
	}
	if err := u.assemble(ctx); err != nil {
		return err
	}
	if err := u.handOver(ctx); err != nil {
		return err
	}
	if err := u.blobs.RemovePrefix(ctx, uploadPrefix(u.media)); err != nil {
		u.log.WarnContext(ctx, "leftovers of an upload not removed", "media_id", u.media.ID, "err", err)
	}
	return nil
}

// assemble makes the source object unless it exists.
func (u *upload) assemble(ctx context.Context) error {
	if u.completed {
		return nil
	}
	stored, err := u.blobs.Parts(ctx, u.media.SourceKey, u.doc.PartsID)
	if errors.Is(err, blob.ErrNotFound) {
		return u.loadCompleted(ctx, u)
	}
	if err != nil {
		return err
	}
	parts := u.layout.whole(stored)
	if len(parts) != u.layout.count() {
		return fmt.Errorf("upload of media %s has %d of %d parts", u.media.ID, len(parts), u.layout.count())
	}
	err = u.blobs.CompleteParts(ctx, u.media.SourceKey, u.doc.PartsID, parts)
	if err != nil && !errors.Is(err, blob.ErrNotFound) {
		return err
	}
	return u.loadCompleted(ctx, u) // also checks the size
}

// handOver moves the media on and enqueues its probe, together and once.
func (u *upload) handOver(ctx context.Context) error {
	m := u.media
	err := u.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		err := u.db.Transition(ctx, tx, m.ID, m.Generation, []catalog.MediaState{catalog.StateUploading}, catalog.StateProbing,
			catalog.Set{Column: "uploaded_at", Value: time.Now().UTC()}, catalog.Set{Column: "uploaded_bytes", Value: m.SizeBytes})
		if err != nil {
			return err
		}
		return u.jobs.InsertTx(ctx, tx, jobs.ProbeArgs{MediaID: m.ID, Generation: m.Generation}, nil)
	})
	switch {
	case errors.Is(err, catalog.ErrConflict): // someone else was first, or it was deleted
		return nil
	case err != nil:
		return err
	}
	u.media.State = catalog.StateProbing
	u.log.InfoContext(ctx, "upload finished", "media_id", m.ID, "account_id", m.AccountID, "size_bytes", m.SizeBytes,
		"took_ms", time.Since(m.CreatedAt).Milliseconds())
	return nil
}

func (u *upload) failEmpty(ctx context.Context) error {
	m := u.media
	err := u.db.Transition(ctx, u.db, m.ID, m.Generation, []catalog.MediaState{catalog.StateUploading}, catalog.StateFailed,
		catalog.Set{Column: "failure_code", Value: FailureEmptyFile},
		catalog.Set{Column: "failure_reason", Value: "The file is empty: it has 0 bytes. Check the original and upload it again."},
		catalog.Set{Column: "failure_retryable", Value: false},
		catalog.Set{Column: "uploaded_at", Value: time.Now().UTC()})
	if errors.Is(err, catalog.ErrConflict) {
		return nil
	}
	return err
}

// Terminate forgets an unfinished upload and its media; tusd calls it on DELETE.
func (u *upload) Terminate(ctx context.Context) error {
	m := u.media
	err := u.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		if err := u.db.DeleteMedia(ctx, tx, m.AccountID, m.ID); err != nil {
			return err
		}
		return u.jobs.InsertTx(ctx, tx, jobs.SweepArgs{AccountID: m.AccountID, MediaID: m.ID, SourceKey: m.SourceKey}, nil)
	})
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	u.log.InfoContext(ctx, "upload aborted", "media_id", m.ID, "account_id", m.AccountID)
	return nil
}
