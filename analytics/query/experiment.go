package query

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vitascope/vitascope/internal/catalog"
)

// ArmStats are the figures of one arm of an experiment.
type ArmStats struct {
	Key               string  `json:"key"`
	Name              string  `json:"name"`
	Visitors          uint64  `json:"visitors" doc:"Distinct visitors who were shown this arm."`
	Players           uint64  `json:"players" doc:"Those of them who played."`
	Actors            uint64  `json:"actors" doc:"Those of them who clicked a call to action or a link, or answered a gate; of kind cta, the one that is compared."`
	Reached           uint64  `json:"reached" doc:"Those of them who reached the goal."`
	Rate              float64 `json:"rate" minimum:"0" maximum:"1" doc:"Reached divided by visitors."`
	Plays             uint64  `json:"plays"`
	AverageEngagement float64 `json:"average_engagement" minimum:"0" maximum:"1"`
}

// ExperimentReport is what came of an experiment.
type ExperimentReport struct {
	ID              string     `json:"id"`
	Goal            string     `json:"goal" enum:"plays,conversions"`
	PlannedVisitors int        `json:"planned_visitors"`
	Arms            []ArmStats `json:"arms" nullable:"false" doc:"The first one is the media as it was."`
	Verdicts        []Verdict  `json:"verdicts" nullable:"false" doc:"The other arms against the first."`
	Winner          string     `json:"winner" doc:"Key of the arm that is better; empty while none is shown to be."`
	Sentence        string     `json:"sentence" doc:"What it means, in words."`
	Method          string     `json:"method" doc:"How it was found."`
}

const experimentMethod = "A visitor is counted once and in one arm. The interval of a difference is Newcombe's (method 10, of Wilson's score intervals), widened " +
	"by the normal mixture boundary so that it holds at every look: checking daily and stopping early does not make luck a winner. With several variations each has its share of the 5 %."

// Experiments knows the account's experiments.
type Experiments interface {
	Experiment(ctx context.Context, account, id string) (catalog.Experiment, error)
}

const experimentSQL = names + `SELECT variant, uniqExact(who) AS t_visitors, uniqExactIf(who, played) AS t_players,
	uniqExactIf(who, arrayExists(a -> (splitByChar('\x1f', a)[1] IN ('cta', 'gate', 'annotation')) AND (? = '' OR splitByChar('\x1f', a)[2] = ?)
		AND (endsWith(a, '\x1fclick') OR endsWith(a, '\x1fconvert')), actions)) AS t_actors,
	toInt64(countIf(played)) AS t_plays, toInt64(sumIf(share_ppb, played)) AS t_share
	FROM views FINAL WHERE %s GROUP BY variant`

// Experiment returns what came of an experiment so far. Bots are left out.
func (s *Service) Experiment(ctx context.Context, account, id string) (*ExperimentReport, error) {
	if s.experiments == nil {
		return nil, fmt.Errorf("experiment %s: %w", id, catalog.ErrNotFound)
	}
	e, err := s.experiments.Experiment(ctx, account, id)
	if err != nil {
		return nil, err
	}
	arms, err := e.ArmList()
	if err != nil {
		return nil, err
	}
	out := &ExperimentReport{ID: e.ID, Goal: e.Goal, PlannedVisitors: e.PlannedVisitors, Arms: []ArmStats{}, Verdicts: []Verdict{}, Method: experimentMethod}
	places, action := map[string]int{}, ""
	c := &clause{}
	c.and("account_id = ?", account)
	c.and("opened_at >= fromUnixTimestamp64Milli(?, 'UTC')", time.UnixMilli(e.CreatedMS).Add(-time.Minute).UnixMilli())
	c.and("bot = 0")
	var variants []string
	for i, a := range arms {
		places[e.Variant(a.Key)] = i
		variants = append(variants, e.Variant(a.Key))
		out.Arms = append(out.Arms, ArmStats{Key: a.Key, Name: a.Name})
		if a.ActionID != "" {
			action = a.ActionID
		}
	}
	c.and("has(splitByChar(' ', ?), variant)", strings.Join(variants, " "))
	err = s.each(ctx, "experiment", sprintf(experimentSQL, c), append([]any{action, action}, c.args...), func(read func(...any) error) error {
		var variant string
		var a ArmStats
		var plays, share int64
		if err := read(&variant, &a.Visitors, &a.Players, &a.Actors, &plays, &share); err != nil {
			return err
		}
		at := places[variant]
		a.Key, a.Name, a.Plays = out.Arms[at].Key, out.Arms[at].Name, uint64(plays)
		a.AverageEngagement = ratio(float64(share)/1e9, a.Plays)
		if a.Reached = a.Players; e.Goal == catalog.GoalConversions {
			a.Reached = a.Actors
		}
		a.Rate = per(a.Reached, a.Visitors)
		out.Arms[at] = a
		return nil
	})
	if err != nil {
		return nil, err
	}
	if verdicts, winner, sentence := judge(out.Arms, e.PlannedVisitors, e.Goal); verdicts != nil {
		out.Verdicts, out.Winner, out.Sentence = verdicts, winner, sentence
	}
	return out, nil
}
