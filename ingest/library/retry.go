package library

import (
	"context"
	"errors"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/jobs"
)

var errNotRetryable = fault.New(fault.Conflict, "not-retryable", "Only a media that failed for a reason that may pass can be tried again.")

// retryMedia sends a failed media back to probing.
func (s *Service) retryMedia(ctx context.Context, in *auth.ByID) (*mediaOutput, error) {
	m, err := auth.Media(ctx, s.db, in.ID)
	if err != nil {
		return nil, err
	}
	if m.State != catalog.StateFailed || !m.FailureRetryable || m.UploadedAt.IsZero() {
		return nil, errNotRetryable
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		err := s.db.Transition(ctx, tx, m.ID, m.Generation, []catalog.MediaState{catalog.StateFailed}, catalog.StateProbing,
			catalog.Set{Column: "progress", Value: 0.0})
		if err != nil {
			return err
		}
		return s.jobs.InsertTx(ctx, tx, jobs.ProbeArgs{MediaID: m.ID, Generation: m.Generation}, nil)
	})
	if errors.Is(err, catalog.ErrConflict) {
		return nil, errNotRetryable // someone else was first
	}
	if err != nil {
		return nil, err
	}
	return s.answer(ctx, in.ID)
}
