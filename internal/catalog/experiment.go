package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// The kinds of experiments: what its arms differ in.
const (
	ExperimentMedia  = "media"
	ExperimentPoster = "poster"
	ExperimentCTA    = "cta"
)

// The goals of experiments: what the better arm has more of.
const (
	GoalPlays       = "plays"
	GoalConversions = "conversions"
)

// The states of an experiment.
const (
	ExperimentRunning = "running"
	ExperimentEnded   = "ended"
)

// Experiment shows viewers of a media one of several arms.
type Experiment struct {
	bun.BaseModel `bun:"table:experiments,alias:e"`

	ID              string `bun:"id,pk"`
	AccountID       string `bun:"account_id"`
	MediaID         string `bun:"media_id"`
	Name            string `bun:"name"`
	Kind            string `bun:"kind"`
	Goal            string `bun:"goal"`
	Arms            string `bun:"arms"` // JSON list of ExperimentArm
	PlannedVisitors int    `bun:"planned_visitors"`
	State           string `bun:"state"`
	Winner          string `bun:"winner"` // key of the arm that was applied
	CreatedMS       int64  `bun:"created_ms"`
	EndedMS         int64  `bun:"ended_ms"`
}

// ExperimentArm is what some of the viewers are shown. The first one is the media as it
// is, and has only a key.
type ExperimentArm struct {
	Key           string          `json:"key"` // a, b, c, d
	Name          string          `json:"name"`
	MediaID       string          `json:"media_id,omitempty"`
	PosterID      string          `json:"poster_id,omitempty"`
	PosterSeconds float64         `json:"poster_seconds,omitempty"`
	ActionID      string          `json:"action_id,omitempty"`
	Action        json.RawMessage `json:"action,omitempty"` // instead of the one with its id
}

// Variant names an arm in beacons and figures.
func (e Experiment) Variant(arm string) string { return e.ID + ":" + arm }

// ArmList is the experiment's arms.
func (e Experiment) ArmList() ([]ExperimentArm, error) {
	var arms []ExperimentArm
	if err := json.Unmarshal([]byte(e.Arms), &arms); err != nil {
		return nil, fmt.Errorf("arms of experiment %s: %w", e.ID, err)
	}
	return arms, nil
}

// CreateExperiment stores an experiment that runs from now on.
func (db *DB) CreateExperiment(ctx context.Context, idb bun.IDB, e *Experiment) error {
	e.State, e.CreatedMS = ExperimentRunning, time.Now().UnixMilli()
	if _, err := idb.NewInsert().Model(e).Exec(ctx); err != nil {
		return fmt.Errorf("create experiment on media %s: %w", e.MediaID, err)
	}
	return nil
}

// Experiments returns the account's experiments, newest first, of one media unless that
// is empty.
func (db *DB) Experiments(ctx context.Context, idb bun.IDB, account, media string) ([]Experiment, error) {
	var list []Experiment
	sel := idb.NewSelect().Model(&list).Where("account_id = ?", account).OrderExpr("created_ms DESC, id DESC").Limit(200)
	if media != "" {
		sel = sel.Where("media_id = ?", media)
	}
	if err := sel.Scan(ctx); err != nil {
		return nil, fmt.Errorf("experiments of account %s: %w", account, err)
	}
	return list, nil
}

// Experiment returns the account's experiment, or ErrNotFound.
func (db *DB) Experiment(ctx context.Context, account, id string) (Experiment, error) {
	var e Experiment
	err := db.NewSelect().Model(&e).Where("id = ? AND account_id = ?", id, account).Scan(ctx)
	return e, notFound(err, "experiment", id)
}

// EndExperiment ends a running experiment with the arm that was applied, or returns
// ErrConflict.
func (db *DB) EndExperiment(ctx context.Context, idb bun.IDB, id, winner string) error {
	res, err := idb.NewUpdate().Model((*Experiment)(nil)).Set("state = ?", ExperimentEnded).Set("winner = ?", winner).
		Set("ended_ms = ?", time.Now().UnixMilli()).Where("id = ? AND state = ?", id, ExperimentRunning).Exec(ctx)
	return affectedOne(res, err)("end experiment " + id)
}

// DeleteExperiment forgets the account's experiment, or returns ErrNotFound.
func (db *DB) DeleteExperiment(ctx context.Context, idb bun.IDB, account, id string) error {
	res, err := idb.NewDelete().Model((*Experiment)(nil)).Where("id = ? AND account_id = ?", id, account).Exec(ctx)
	return asNotFound(affectedOne(res, err)("delete experiment " + id))
}

// ReplaceAction returns a media's actions with the one of that id replaced.
func ReplaceAction(actions, id string, with json.RawMessage) (string, error) {
	var list []json.RawMessage
	if actions != "" {
		if err := json.Unmarshal([]byte(actions), &list); err != nil {
			return "", fmt.Errorf("actions: %w", err)
		}
	}
	for i, raw := range list {
		var named struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(raw, &named); err != nil {
			return "", fmt.Errorf("actions: %w", err)
		}
		if named.ID == id {
			list[i] = with
		}
	}
	out, err := json.Marshal(list)
	return string(out), err
}
