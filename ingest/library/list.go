package library

import (
	"context"
	"errors"
	"strings"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
)

type listInput struct {
	Cursor string `query:"cursor" maxLength:"64" doc:"The next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Items per page."`
	Q      string `query:"q" maxLength:"255" doc:"Only media whose name contains this, in any case."`
}

type listOutput struct {
	Body struct {
		Items      []Media `json:"items" nullable:"false"`
		NextCursor string  `json:"next_cursor" doc:"Empty on the last page."`
	}
}

// listMedia answers with a page of the account's media.
func (s *Service) listMedia(ctx context.Context, in *listInput) (*listOutput, error) {
	errCursor := fault.New(fault.Invalid, "invalid-cursor", "This cursor is not one of this list. Start again without it.")
	if in.Cursor != "" && !catalog.IsID(in.Cursor) {
		return nil, errCursor
	}
	// No name holds a NUL, and SQL texts cannot.
	q := strings.ReplaceAll(in.Q, "\x00", "")
	list, next, err := s.db.ListMedia(ctx, auth.AccountID(ctx), in.Cursor, in.Limit, q)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, errCursor
	}
	if err != nil {
		return nil, err
	}
	out := &listOutput{}
	out.Body.NextCursor = next
	out.Body.Items, err = s.views(ctx, list)
	return out, err
}

// getMedia answers with one media.
func (s *Service) getMedia(ctx context.Context, in *auth.ByID) (*mediaOutput, error) {
	return s.answer(ctx, in.ID)
}
