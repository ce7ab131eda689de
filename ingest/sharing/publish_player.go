package sharing

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
)

// Change makes a change of a media while its row is locked, and publishes what origins
// read of the media's settings.
func (s *Service) Change(ctx context.Context, m catalog.Media, edit func(ctx context.Context, tx catalog.Tx) error) error {
	return s.change(ctx, m, edit)
}

// experiment is what origins need of the media's running experiment, or of the last one
// when it ended with another video in the place of this one.
func (p *publisher) experiment(ctx context.Context, tx catalog.Tx, m catalog.Media, row catalog.MediaSettings) (*blob.Experiment, error) {
	list, err := p.db.Experiments(ctx, tx, m.AccountID, m.ID)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	e := list[0] // the newest: no other runs
	running := e.State == catalog.ExperimentRunning
	if !running && (e.Kind != catalog.ExperimentMedia || e.Winner == "") {
		return nil, nil
	}
	arms, err := e.ArmList()
	if err != nil {
		return nil, err
	}
	out := &blob.Experiment{ID: e.ID}
	for _, a := range arms {
		if !running && a.Key != e.Winner {
			continue
		}
		arm := blob.Arm{Key: a.Key, Media: a.MediaID}
		if a.PosterID != "" {
			arm.Poster = strings.TrimPrefix(blob.PosterKey(m.AccountID, m.ID, a.PosterID), blob.MediaPrefix(m.AccountID, m.ID))
		}
		if len(a.Action) > 0 {
			changed := row
			if changed.Actions, err = catalog.ReplaceAction(row.Actions, a.ActionID, a.Action); err != nil {
				return nil, err
			}
			if arm.Player, err = playerSettings(changed); err != nil {
				return nil, err
			}
		}
		out.Arms = append(out.Arms, arm)
	}
	return out, nil
}

// playerSettings are a media's player settings as players read them: what the row has
// under player, with the actions in it.
func playerSettings(row catalog.MediaSettings) (json.RawMessage, error) {
	if row.Actions == "" {
		if row.Player == "" {
			return nil, nil
		}
		return json.RawMessage(row.Player), nil
	}
	doc := map[string]json.RawMessage{}
	if row.Player != "" {
		if err := json.Unmarshal([]byte(row.Player), &doc); err != nil {
			return nil, fmt.Errorf("player settings of media %s: %w", row.MediaID, err)
		}
	}
	actions, err := playerActions([]byte(row.Actions))
	if err != nil {
		return nil, fmt.Errorf("actions of media %s: %w", row.MediaID, err)
	}
	doc["actions"] = actions
	return json.Marshal(doc)
}

// playerActions turns stored actions into those that players read: the moment is one
// field there, a number or a word (docs/player.md).
func playerActions(stored []byte) (json.RawMessage, error) {
	var list []map[string]any
	decoder := json.NewDecoder(bytes.NewReader(stored))
	decoder.UseNumber()
	if err := decoder.Decode(&list); err != nil {
		return nil, err
	}
	for _, a := range list {
		switch at := a["at"]; at {
		case "start", "end":
			a["at_seconds"] = at
		default:
			if _, ok := a["at_seconds"]; !ok {
				a["at_seconds"] = 0
			}
		}
		delete(a, "at")
	}
	return json.Marshal(list)
}
