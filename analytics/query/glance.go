package query

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// glanceSQL reads everything of a report that is sums in one pass: of all time or
// whole months (%s) the values with most plays of each dimension, and each day of
// the trend. Every view has a device, be it none, and there are fewer devices than
// are listed (see package collect), so the rows by device add up to everything.
const glanceSQL = `
	SELECT dimension, if(dimension = '', toStartOfDay(bucket), toDateTime(0, 'UTC')) AS start, value, ` + glanceColumns + ` FROM figures
	WHERE account_id = ? AND media_id = ? AND (%s bucket >= fromUnixTimestamp(?) AND bucket < fromUnixTimestamp(?))
	GROUP BY dimension, start, value
	ORDER BY t_plays DESC, t_loads DESC, value LIMIT 10 BY dimension, start`

const glanceColumns = "sum(loads) AS t_loads, sum(plays) AS t_plays, sum(views) AS t_views, sum(finished) AS t_finished, sum(engagement_ppb) AS t_share, sum(watched_ms) AS t_watched"

// glance fills totals, trend and top values of a report of all time or of whole
// months; days has the range of the trend. A media that is not busy has its
// visitors counted view by view, as everywhere; that of a busy one is estimated in
// the trend as in the totals, however few loads a month of it has.
func (s *Service) glance(ctx context.Context, account, id, months string, monthArgs []any, f, days Filter, out *Report) error {
	edges, err := byDay.edges(&days, s.now())
	if err != nil {
		return err
	}
	b := bucketsFrom(edges)
	last := edges[len(edges)-1].AddDate(0, 0, 1)
	out.Top = noTop()
	var all totalsRow
	people := map[int64][2]uint64{} // visitors and players by the start of a day; 0 for everything
	reads, readCtx := errgroup.WithContext(ctx)
	reads.Go(func() error {
		args := append([]any{account, id}, monthArgs...)
		args = append(args, b.starts[0], last.Unix())
		which := "dimension != '' OR"
		if months != "" {
			which = "dimension != ''" + months + " OR dimension = '' AND"
		}
		return s.eachSum(readCtx, "report", fmt.Sprintf(glanceSQL, which), args, func(read func(...any) error) error {
			var dimension, value string
			var start time.Time
			var row totalsRow
			if err := read(append([]any{&dimension, &start, &value}, row.sums()...)...); err != nil || row.loads == 0 {
				return err
			}
			row.estimated = true
			switch dimension {
			case "":
				b.rows[b.at[start.Unix()]] = row
				return nil
			case "device":
				all.add(&row)
			}
			out.Top[dimension] = append(out.Top[dimension], row.topItem(value))
			return nil
		})
	})
	reads.Go(func() error {
		c, grain := &clause{}, f.statesGrain()
		c.and("account_id = ? AND media_id = ?", account, id)
		c.and("(grain = '"+grain+"'"+months+" OR grain = 'day' AND bucket >= toDate(?) AND bucket < toDate(?))",
			append(slices.Clone(monthArgs), edges[0].Format(time.DateOnly), last.Format(time.DateOnly))...)
		start := "bucket"
		if grain != "all" {
			start = "if(grain = 'day', bucket, toDate(0))"
		}
		return s.people(readCtx, start, nil, c, grain, people)
	})
	if err := reads.Wait(); err != nil {
		return err
	}
	all.visitors, all.players, all.estimated = people[0][0], people[0][1], true
	for i, start := range b.starts {
		b.rows[i].visitors, b.rows[i].players = people[start][0], people[start][1]
	}
	if all.loads <= exactLoads {
		parts, ctx := errgroup.WithContext(ctx)
		parts.Go(func() (err error) {
			all, err = s.counted(ctx, account, id, f)
			return err
		})
		clear(b.rows)
		parts.Go(func() error { return s.drawBuckets(ctx, account, id, days, b) })
		if err := parts.Wait(); err != nil {
			return err
		}
	}
	out.Totals, out.Trend = all.totals(), byDay.points(b, edges, s.now())
	return nil
}
