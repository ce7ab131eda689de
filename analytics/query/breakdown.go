package query

import (
	"context"
)

// BreakdownItem are the figures of the views that share a value.
type BreakdownItem struct {
	Value string `json:"value" doc:"Empty for views that have none; as a filter that is (none)."`
	Totals
}

// Breakdown are figures by the values of a dimension.
type Breakdown struct {
	Dimension   string            `json:"dimension"`
	Items       []BreakdownItem   `json:"items" doc:"Most plays first."`
	Values      uint64            `json:"values" doc:"How many values there are, listed or not."`
	Definitions map[string]string `json:"definitions" doc:"The formula of each figure."`
}

// dimensions are what figures can be broken down by, as columns of views.
var dimensions = map[string]string{
	"media": "media_id", "page": "page", "referrer": "referrer_host", "utm_source": "utm_source", "utm_medium": "utm_medium", "utm_campaign": "utm_campaign",
	"country": "country", "device": "device", "browser": "browser", "os": "os", "language": "language", "variant": "variant", "identity": "identity",
	"rung": "if(top_height = 0, '', toString(top_height))", "autoplay": "if(autoplays > 0, 'yes', 'no')", "bots": "if(bot > 0, 'yes', 'no')",
	"visitor": "visitor",
}

// Breakdown returns the figures of the limit values with most plays; media is ""
// for the whole account.
func (s *Service) Breakdown(ctx context.Context, account, media, dimension string, limit int, f Filter) (*Breakdown, error) {
	if err := s.mediaIfAny(ctx, account, media, &f); err != nil {
		return nil, err
	}
	out := &Breakdown{Dimension: dimension, Items: []BreakdownItem{}, Definitions: definitions(totalsNames...)}
	where := f.where(account, media)
	statement := names + "SELECT toString(" + dimensions[dimension] + ") AS value, count() OVER () AS values," + totalsColumns +
		" FROM views FINAL WHERE " + where.sql.String() + " GROUP BY value ORDER BY t_plays DESC, t_loads DESC, value LIMIT ?"
	err := s.each(ctx, "breakdown", statement, append(where.args, limit), func(read func(...any) error) error {
		var item BreakdownItem
		var row totalsRow
		if err := read(append([]any{&item.Value, &out.Values}, row.targets()...)...); err != nil {
			return err
		}
		item.Totals = row.totals()
		out.Items = append(out.Items, item)
		return nil
	})
	return out, err
}
