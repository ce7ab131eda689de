package marketing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/riverqueue/river"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/jobs"
)

// Jobs enqueues work in the transaction of the rows it belongs to.
type Jobs interface {
	InsertTx(ctx context.Context, tx catalog.Tx, args river.JobArgs, opts *river.InsertOpts) error
}

func (s *Service) registerExperiments(api huma.API) {
	tags := []string{"Experiments"}
	httpx.Register(api, huma.Operation{OperationID: "list-experiments", Method: http.MethodGet, Path: "/v1/experiments", Tags: tags,
		Summary: "The account's experiments, newest first"}, s.listExperiments)
	httpx.Register(api, huma.Operation{OperationID: "create-experiment", Method: http.MethodPost, Path: "/v1/experiments", Tags: tags,
		DefaultStatus: http.StatusCreated, Summary: "Show viewers of a media one of several arms, from now on"}, s.createExperiment)
	httpx.Register(api, huma.Operation{OperationID: "end-experiment", Method: http.MethodPost, Path: "/v1/experiments/{experiment}/endings", Tags: tags,
		Summary: "End an experiment, and apply an arm to the media"}, s.endExperiment)
	httpx.Register(api, huma.Operation{OperationID: "delete-experiment", Method: http.MethodDelete, Path: "/v1/experiments/{experiment}", Tags: tags,
		DefaultStatus: http.StatusNoContent, Summary: "Forget an experiment; a running one ends"}, s.deleteExperiment)
}

// Arm is what some of the viewers are shown.
type Arm struct {
	Key           string        `json:"key" doc:"a is the media as it is."`
	Name          string        `json:"name"`
	MediaID       string        `json:"media_id,omitempty"`
	PosterSeconds float64       `json:"poster_seconds,omitempty"`
	Action        *PlayerAction `json:"action,omitempty"`
}

// Experiment shows viewers of a media one of several arms.
type Experiment struct {
	ID              string     `json:"id"`
	MediaID         string     `json:"media_id"`
	Name            string     `json:"name"`
	Kind            string     `json:"kind" enum:"media,poster,cta"`
	Goal            string     `json:"goal" enum:"plays,conversions"`
	Arms            []Arm      `json:"arms" nullable:"false"`
	PlannedVisitors int        `json:"planned_visitors"`
	State           string     `json:"state" enum:"running,ended"`
	Winner          string     `json:"winner" doc:"Key of the arm that was applied; empty for none."`
	StartedAt       time.Time  `json:"started_at"`
	EndedAt         *time.Time `json:"ended_at"`
}

func experimentOf(e catalog.Experiment) (Experiment, error) {
	out := Experiment{ID: e.ID, MediaID: e.MediaID, Name: e.Name, Kind: e.Kind, Goal: e.Goal, PlannedVisitors: e.PlannedVisitors, State: e.State, Winner: e.Winner,
		StartedAt: time.UnixMilli(e.CreatedMS).UTC(), Arms: []Arm{}}
	if e.EndedMS > 0 {
		at := time.UnixMilli(e.EndedMS).UTC()
		out.EndedAt = &at
	}
	arms, err := e.ArmList()
	for _, a := range arms {
		arm := Arm{Key: a.Key, Name: a.Name, MediaID: a.MediaID, PosterSeconds: a.PosterSeconds}
		if len(a.Action) > 0 {
			err = errors.Join(err, json.Unmarshal(a.Action, &arm.Action))
		}
		out.Arms = append(out.Arms, arm)
	}
	return out, err
}

type experimentOutput struct{ Body Experiment }
type experimentsOutput struct {
	Body struct {
		Items []Experiment `json:"items" nullable:"false"`
	}
}

type listExperimentsInput struct {
	Media string `query:"media" maxLength:"64" doc:"Those on one media."`
}

func (s *Service) listExperiments(ctx context.Context, in *listExperimentsInput) (*experimentsOutput, error) {
	list, err := s.db.Experiments(ctx, s.db, auth.AccountID(ctx), clean(in.Media))
	if err != nil {
		return nil, err
	}
	out := &experimentsOutput{}
	out.Body.Items = []Experiment{}
	for _, e := range list {
		view, err := experimentOf(e)
		if err != nil {
			return nil, err
		}
		out.Body.Items = append(out.Body.Items, view)
	}
	return out, nil
}

// Variation is what an arm has instead.
type Variation struct {
	Name          string        `json:"name,omitempty" maxLength:"80"`
	MediaID       string        `json:"media_id,omitempty" maxLength:"10" doc:"Kind media: the other video, of this account, open to all."`
	PosterSeconds float64       `json:"poster_seconds,omitempty" minimum:"0" maximum:"43200" doc:"Kind poster: the moment whose frame is shown."`
	Action        *PlayerAction `json:"action,omitempty" doc:"Kind cta: the call to action instead of the one with its id."`
}

type createExperimentInput struct {
	Body struct {
		MediaID         string      `json:"media_id" maxLength:"10" doc:"The video that pages embed."`
		Name            string      `json:"name" minLength:"1" maxLength:"100"`
		Kind            string      `json:"kind" enum:"media,poster,cta"`
		Goal            string      `json:"goal" enum:"plays,conversions" doc:"What the better arm has more of, per visitor."`
		PlannedVisitors int         `json:"planned_visitors" minimum:"100" maximum:"1000000" doc:"How many visitors each arm is to have. Decided before looking."`
		Variations      []Variation `json:"variations" minItems:"1" maxItems:"3" nullable:"false"`
	}
}

// createExperiment starts an experiment.
func (s *Service) createExperiment(ctx context.Context, in *createExperimentInput) (*experimentOutput, error) {
	m, err := auth.Media(ctx, s.db, in.Body.MediaID)
	if err != nil {
		return nil, err
	}
	e := catalog.Experiment{ID: catalog.NewID(), AccountID: m.AccountID, MediaID: m.ID, Name: line(in.Body.Name), Kind: in.Body.Kind, Goal: in.Body.Goal,
		PlannedVisitors: in.Body.PlannedVisitors}
	if e.Name == "" {
		return nil, fault.New(fault.Invalid, "experiment-name", "An experiment needs a name.")
	}
	if m.PlayableAt.IsZero() || m.State == catalog.StateFailed {
		return nil, fault.New(fault.Conflict, "not-playable", "This video does not play yet. Try again when it does.")
	}
	arms := []catalog.ExperimentArm{{Key: "a", Name: "As it is"}}
	for i, v := range in.Body.Variations {
		arm, err := s.arm(ctx, m, e.Kind, v)
		if err != nil {
			return nil, err
		}
		arm.Key = string(rune('b' + i))
		if arm.Name = line(v.Name); arm.Name == "" {
			arm.Name = "Variation " + arm.Key
		}
		arms = append(arms, arm)
	}
	raw, err := json.Marshal(arms)
	if err != nil {
		return nil, fmt.Errorf("arms of experiment %s: %w", e.ID, err)
	}
	e.Arms = string(raw)
	err = s.publisher.Change(ctx, m, func(ctx context.Context, tx catalog.Tx) error {
		others, err := s.db.Experiments(ctx, tx, m.AccountID, m.ID)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(others, func(o catalog.Experiment) bool { return o.State == catalog.ExperimentRunning }) {
			return fault.New(fault.Conflict, "experiment-running", "An experiment runs on this video already. End it first.")
		}
		for _, arm := range arms {
			if arm.PosterID == "" {
				continue
			}
			args := jobs.PosterArgs{MediaID: m.ID, Generation: m.Generation, PosterID: arm.PosterID, AtMS: int64(arm.PosterSeconds * 1000), Aside: true}
			if err := s.jobs.InsertTx(ctx, tx, args, nil); err != nil {
				return err
			}
		}
		return s.db.CreateExperiment(ctx, tx, &e)
	})
	if err != nil {
		return nil, err
	}
	s.log.InfoContext(ctx, "experiment started", "media_id", m.ID, "experiment_id", e.ID, "kind", e.Kind)
	view, err := experimentOf(e)
	return &experimentOutput{view}, err
}

// arm checks what an arm has instead.
func (s *Service) arm(ctx context.Context, m catalog.Media, kind string, v Variation) (catalog.ExperimentArm, error) {
	bad := func(code, format string, args ...any) (catalog.ExperimentArm, error) {
		return catalog.ExperimentArm{}, fault.New(fault.Invalid, code, format, args...)
	}
	switch kind {
	case catalog.ExperimentMedia:
		other, err := auth.Media(ctx, s.db, v.MediaID)
		if errors.Is(err, catalog.ErrNotFound) || err == nil && other.ID == m.ID {
			return bad("experiment-media", "Choose another video of this account.")
		}
		if err != nil {
			return catalog.ExperimentArm{}, err
		}
		settings, err := s.db.SettingsOf(ctx, s.db, []string{m.ID, other.ID})
		if err != nil {
			return catalog.ExperimentArm{}, err
		}
		if settings[m.ID].Protected() || settings[other.ID].Protected() {
			return bad("experiment-protected", "Both videos must be open to all: a password or a list of sites is not shared between them.")
		}
		if other.PlayableAt.IsZero() || other.State == catalog.StateFailed {
			return bad("experiment-media", "The other video does not play yet.")
		}
		return catalog.ExperimentArm{MediaID: other.ID}, nil
	case catalog.ExperimentPoster:
		if !m.HasVideo || int64(v.PosterSeconds*1000) >= m.DurationMS {
			return bad("experiment-poster", "The poster is the frame at a moment of the video.")
		}
		return catalog.ExperimentArm{PosterID: catalog.NewID(), PosterSeconds: v.PosterSeconds}, nil
	}
	if v.Action == nil {
		return bad("experiment-action", "Say the call to action of the variation.")
	}
	row, err := s.db.Settings(ctx, s.db, m.ID)
	if err != nil {
		return catalog.ExperimentArm{}, err
	}
	actions, err := actionsOf(row)
	if err != nil {
		return catalog.ExperimentArm{}, err
	}
	if !slices.ContainsFunc(actions.Body.Items, func(a PlayerAction) bool { return a.Type == kindCTA && a.ID == v.Action.ID && v.Action.Type == kindCTA }) {
		return bad("experiment-action", "The variation has the id of a call to action of this video.")
	}
	action, err := checkAction(*v.Action, m.DurationMS)
	if err != nil {
		return catalog.ExperimentArm{}, err
	}
	raw, err := json.Marshal(action)
	return catalog.ExperimentArm{ActionID: action.ID, Action: raw}, err
}

type experimentInput struct {
	Experiment string `path:"experiment" doc:"The experiment's id."`
}

type endExperimentInput struct {
	Experiment string `path:"experiment" doc:"The experiment's id."`
	Body       struct {
		Winner string `json:"winner,omitempty" maxLength:"1" doc:"Key of the arm that the media is to have from now on; left out: as it was."`
	}
}

func (s *Service) experiment(ctx context.Context, id string) (catalog.Experiment, catalog.Media, error) {
	if !catalog.IsID(id) {
		return catalog.Experiment{}, catalog.Media{}, fmt.Errorf("experiment: %w", catalog.ErrNotFound)
	}
	e, err := s.db.Experiment(ctx, auth.AccountID(ctx), id)
	if err != nil {
		return e, catalog.Media{}, err
	}
	m, err := auth.Media(ctx, s.db, e.MediaID)
	return e, m, err
}

// endExperiment ends an experiment and applies an arm.
func (s *Service) endExperiment(ctx context.Context, in *endExperimentInput) (*experimentOutput, error) {
	e, m, err := s.experiment(ctx, in.Experiment)
	if err != nil {
		return nil, err
	}
	arms, err := e.ArmList()
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(arms, func(a catalog.ExperimentArm) bool { return a.Key == in.Body.Winner })
	if in.Body.Winner != "" && at < 0 {
		return nil, fault.New(fault.Invalid, "unknown-arm", "This experiment has no such arm.")
	}
	err = s.publisher.Change(ctx, m, func(ctx context.Context, tx catalog.Tx) error {
		if err := s.db.EndExperiment(ctx, tx, e.ID, in.Body.Winner); err != nil {
			return err
		}
		if at <= 0 {
			return nil
		}
		return s.apply(ctx, tx, m, arms[at])
	})
	if err != nil {
		return nil, err
	}
	s.log.InfoContext(ctx, "experiment ended", "media_id", m.ID, "experiment_id", e.ID, "winner", in.Body.Winner)
	if e, err = s.db.Experiment(ctx, e.AccountID, e.ID); err != nil {
		return nil, err
	}
	view, err := experimentOf(e)
	return &experimentOutput{view}, err
}

// apply gives the media what the arm has. Another video stays in the place of this one
// by the ended experiment itself.
func (s *Service) apply(ctx context.Context, tx catalog.Tx, m catalog.Media, arm catalog.ExperimentArm) error {
	switch {
	case arm.PosterID != "":
		key := blob.PosterKey(m.AccountID, m.ID, arm.PosterID)
		err := s.db.SetMedia(ctx, tx, m.ID, m.Generation, catalog.Set{Column: "poster_key", Value: key}, catalog.Set{Column: "poster_chosen", Value: true})
		if err != nil {
			return err
		}
		return s.jobs.InsertTx(ctx, tx, jobs.PresentArgs{MediaID: m.ID, Generation: m.Generation}, nil)
	case len(arm.Action) > 0:
		row, err := s.db.Settings(ctx, tx, m.ID)
		if err != nil {
			return err
		}
		actions, err := catalog.ReplaceAction(row.Actions, arm.ActionID, arm.Action)
		if err != nil {
			return err
		}
		row.Actions = actions
		return s.db.PutSettings(ctx, tx, &row)
	}
	return nil
}

// deleteExperiment forgets an experiment.
func (s *Service) deleteExperiment(ctx context.Context, in *experimentInput) (*struct{}, error) {
	e, m, err := s.experiment(ctx, in.Experiment)
	if err != nil {
		return nil, err
	}
	return nil, s.publisher.Change(ctx, m, func(ctx context.Context, tx catalog.Tx) error {
		return s.db.DeleteExperiment(ctx, tx, e.AccountID, e.ID)
	})
}
