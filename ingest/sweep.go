package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
)

const (
	// sweepEvery is how often unfinished uploads are looked through.
	sweepEvery = time.Minute
	// restAfter is when an upload counts as resting: no request is likely on it.
	restAfter = time.Minute
	sweepPage = 200
)

// sweepLoop looks at every unfinished upload at the start, when this process may
// have been killed between an upload's last byte and its record, and from then on
// at the resting ones.
func (s *store) sweepLoop(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for rest := time.Duration(0); ; rest = restAfter {
		if err := s.sweep(ctx, time.Now().Add(-rest)); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "unfinished uploads not swept", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sweep looks at unfinished uploads that have not moved since before.
func (s *store) sweep(ctx context.Context, before time.Time) error {
	for last := ""; ; {
		// Workers have no account of their own: this reads across all of them.
		var page []catalog.Media
		err := s.db.NewSelect().Model(&page).
			Where("state = ? AND deleted_at IS NULL AND changed_ms <= ? AND id > ?", catalog.StateUploading, before.UnixMilli(), last).
			OrderExpr("id").Limit(sweepPage).Scan(ctx)
		if err != nil {
			return fmt.Errorf("list unfinished uploads: %w", err)
		}
		for _, m := range page {
			if err := s.sweepOne(ctx, m); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				s.log.WarnContext(ctx, "unfinished upload not swept", "media_id", m.ID, "err", err)
			}
		}
		if len(page) < sweepPage {
			return nil
		}
		last = page[len(page)-1].ID
	}
}

func (s *store) sweepOne(ctx context.Context, m catalog.Media) error {
	if time.Since(m.UpdatedAt) > s.cfg.AbandonAfter {
		return s.abandon(ctx, m)
	}
	u := &upload{store: s, media: m}
	_, err := u.GetInfo(ctx) // finishes it when all bytes are there
	if errors.Is(err, handler.ErrNotFound) {
		return nil // killed before it could be prepared: abandoned in its time
	}
	return err
}

// abandon gives up on an upload nobody resumed. The state changes first: a client
// that comes back in between is told that the upload is gone.
func (s *store) abandon(ctx context.Context, m catalog.Media) error {
	days := int(s.cfg.AbandonAfter.Hours() / 24)
	reason := fmt.Sprintf("The upload stopped and was not resumed within %d days. Upload the file again.", days)
	if days < 2 {
		reason = fmt.Sprintf("The upload stopped and was not resumed within %s. Upload the file again.", s.cfg.AbandonAfter)
	}
	err := s.db.Transition(ctx, s.db, m.ID, m.Generation, []catalog.MediaState{catalog.StateUploading}, catalog.StateFailed,
		catalog.Set{Column: "failure_code", Value: FailureUploadAbandoned},
		catalog.Set{Column: "failure_reason", Value: reason},
		catalog.Set{Column: "failure_retryable", Value: false})
	if errors.Is(err, catalog.ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	s.log.InfoContext(ctx, "upload abandoned", "media_id", m.ID, "account_id", m.AccountID)
	if err := s.withdraw(ctx, m); err != nil {
		return err
	}
	return s.discard(ctx, m)
}

// withdraw takes from viewers what they were shown of an upload that was given up.
// Whoever is just showing it looks at the state afterwards, and does the same.
func (s *store) withdraw(ctx context.Context, m catalog.Media) error {
	p, err := s.blobs.ReadPointer(ctx, m.ID)
	switch {
	case errors.Is(err, blob.ErrNotFound):
		return nil
	case err != nil:
		return err
	case p.Generation != m.Generation || !p.Arriving:
		return nil
	}
	return s.blobs.Remove(ctx, blob.PointerKey(m.ID))
}
