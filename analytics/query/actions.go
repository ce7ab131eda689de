package query

import (
	"context"
)

// Action is what became of one thing offered on a player.
type Action struct {
	Type        string  `json:"type" doc:"cta, gate, annotation, chapter, captions and so on."`
	ID          string  `json:"id" doc:"Which one, as configured on the player."`
	Impressions uint64  `json:"impressions" doc:"Views in which it was shown."`
	Clicks      uint64  `json:"clicks" doc:"Views in which it was clicked or switched."`
	Conversions uint64  `json:"conversions" doc:"Views in which it was completed, such as a form sent."`
	Skips       uint64  `json:"skips" doc:"Views in which it was passed over."`
	Actors      uint64  `json:"actors" doc:"Views in which it was clicked, switched or completed."`
	Rate        float64 `json:"rate" minimum:"0" maximum:"1" doc:"Actors divided by impressions."`
}

// Actions is the funnel from views to conversions.
type Actions struct {
	Loads       uint64            `json:"loads"`
	Plays       uint64            `json:"plays"`
	Items       []Action          `json:"items" doc:"Most impressions first, at most 200."`
	Definitions map[string]string `json:"definitions" doc:"The formula of each figure."`
}

const actionsSQL = `
	SELECT type, id, countIf(shown), countIf(clicked), countIf(converted), countIf(skipped), countIf(clicked OR converted),
		countIf((clicked OR converted) AND shown) FROM (
		SELECT splitByChar('\x1f', a)[1] AS type, splitByChar('\x1f', a)[2] AS id,
			max(endsWith(a, '\x1fimpression')) AS shown, max(endsWith(a, '\x1fclick') OR endsWith(a, '\x1fon') OR endsWith(a, '\x1foff')) AS clicked,
			max(endsWith(a, '\x1fconvert')) AS converted, max(endsWith(a, '\x1fskip')) AS skipped
		FROM (SELECT media_id, view_id, bot, arrayJoin(actions) AS a FROM views FINAL WHERE %s)
		GROUP BY media_id, view_id, bot, type, id)
	GROUP BY type, id ORDER BY countIf(shown) DESC, type, id LIMIT 200`

// Actions returns the funnel; media is "" for the whole account.
func (s *Service) Actions(ctx context.Context, account, media string, f Filter) (*Actions, error) {
	if err := s.mediaIfAny(ctx, account, media, &f); err != nil {
		return nil, err
	}
	totals, err := s.totals(ctx, account, media, f)
	if err != nil {
		return nil, err
	}
	out := &Actions{Loads: totals.Loads, Plays: totals.Plays, Items: []Action{}, Definitions: definitions("loads", "plays", "impressions", "clicks", "conversions", "skips", "actors", "rate")}
	where := f.where(account, media)
	where.and("notEmpty(actions)")
	err = s.each(ctx, "actions", sprintf(actionsSQL, where), where.args, func(read func(...any) error) error {
		var a Action
		var both uint64
		if err := read(&a.Type, &a.ID, &a.Impressions, &a.Clicks, &a.Conversions, &a.Skips, &a.Actors, &both); err != nil {
			return err
		}
		a.Rate = per(both, a.Impressions)
		out.Items = append(out.Items, a)
		return nil
	})
	return out, err
}
