package library

import (
	"context"
	"errors"

	"github.com/vitascope/vitascope/ingest"
	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
)

type renameInput struct {
	ID   string `path:"id" doc:"The media's id." example:"k3v9x0a1bz"`
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"255" doc:"Control characters are left out."`
	}
}

// renameMedia gives a media a new name and answers with it.
func (s *Service) renameMedia(ctx context.Context, in *renameInput) (*mediaOutput, error) {
	m, err := auth.Media(ctx, s.db, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.db.RenameMedia(ctx, m.AccountID, m.ID, ingest.CleanName(in.Body.Name)); err != nil {
		return nil, err
	}
	if err := s.refreshPointer(ctx, in.ID); err != nil {
		// The name is changed; only pages that read the pointer still show the old one.
		s.log.WarnContext(ctx, "new name not published", "media_id", m.ID, "err", err)
	}
	return s.answer(ctx, in.ID)
}

// refreshPointer brings the name to the published pointer. While the ladder still
// grows it leaves the pointer alone, since a newer publication must never be
// overwritten by an older one; the next publication takes the name with it.
func (s *Service) refreshPointer(ctx context.Context, id string) error {
	m, err := auth.Media(ctx, s.db, id)
	if err != nil {
		return err
	}
	if m.State != catalog.StateReady && m.State != catalog.StateFailed {
		return nil
	}
	p, err := s.blobs.ReadPointer(ctx, id)
	if errors.Is(err, blob.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if p.Account != m.AccountID || p.Name == m.Name {
		return nil
	}
	p.Name = m.Name
	return s.blobs.WritePointer(ctx, p)
}
