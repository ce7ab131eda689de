package query

import (
	"context"
	"time"

	"github.com/vitascope/vitascope/internal/fault"
)

// Viewer is everything one visitor watched.
type Viewer struct {
	Viewer    string    `json:"viewer" doc:"The pseudonym or identity asked for."`
	Identity  string    `json:"identity" doc:"Who the viewer is, as the embedding site signed it; mostly empty."`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	Country   string    `json:"country"`
	Device    string    `json:"device"`
	Browser   string    `json:"browser"`
	OS        string    `json:"os"`
	Media     uint64    `json:"media" doc:"Different media among the loads."`
	Totals
	Items       []View            `json:"items" doc:"Played views, newest first, each with its heatmap."`
	NextCursor  string            `json:"next_cursor" doc:"For the next page; empty on the last."`
	Definitions map[string]string `json:"definitions" doc:"The formula of each figure."`
}

// Viewer returns the views of one visitor: of a pseudonym, which lasts a day, or
// of a signed identity.
func (s *Service) Viewer(ctx context.Context, account, viewer, cursor string, limit int) (*Viewer, error) {
	out := &Viewer{Viewer: viewer, Definitions: definitions(append([]string{"media"}, totalsNames...)...)}
	f := Filter{Bots: "all"}
	var row totalsRow
	for _, by := range []*string{&f.Visitor, &f.Identity} {
		f.Visitor, f.Identity = "", ""
		*by = viewer
		where := f.where(account, "")
		statement := names + `SELECT max(identity), min(opened_at), max(last_seen_at), max(country), max(device), max(browser), max(os), uniqExact(media_id),` +
			totalsColumns + " FROM views FINAL WHERE " + where.sql.String()
		err := s.row(ctx, "viewer", statement, where.args, append([]any{&out.Identity, &out.FirstSeen, &out.LastSeen, &out.Country, &out.Device, &out.Browser, &out.OS, &out.Media}, row.targets()...)...)
		if err != nil {
			return nil, err
		}
		if row.loads > 0 {
			break
		}
	}
	if row.loads == 0 || viewer == None {
		return nil, fault.New(fault.NotFound, "", "There is nothing here with that id.")
	}
	out.Totals = row.totals()
	page, err := s.viewsPage(ctx, account, "", cursor, limit, f)
	if err != nil {
		return nil, err
	}
	out.Items, out.NextCursor = page.Items, page.NextCursor
	return out, nil
}
