package app

import (
	"context"
	"errors"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/player"
)

// publicStates tells players about media that nothing has been published of yet.
type publicStates struct{ db *catalog.DB }

// MediaState returns the name and state of a media, or player.ErrUnknownMedia.
func (s publicStates) MediaState(ctx context.Context, id string) (player.State, error) {
	m, err := s.db.MediaByID(ctx, id)
	if errors.Is(err, catalog.ErrNotFound) {
		return player.State{}, player.ErrUnknownMedia
	}
	return player.State{Account: m.AccountID, Name: m.Name, State: string(m.State)}, err
}
