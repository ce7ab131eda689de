package query

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// glanceSQL reads everything of a report that is sums in one pass: of all time or
// whole months (%s) the values with most plays of each dimension, and each day of
// the trend. Every view has a device, be it none, and there are fewer devices than
// are listed (see package collect), so the rows by device add up to everything.
const glanceSQL = `
	SELECT dimension, if(dimension = '', toInt64(intDiv(toUnixTimestamp(bucket), 86400) * 86400), 0) AS start, value, ` + glanceColumns + ` FROM figures
	WHERE account_id = ? AND media_id = ? AND (dimension != '' %s OR dimension = '' AND bucket >= fromUnixTimestamp(?) AND bucket < fromUnixTimestamp(?))
	GROUP BY dimension, start, value HAVING t_loads != 0
	ORDER BY dimension, start, t_plays DESC, t_loads DESC, value LIMIT 10 BY dimension, start`

const glanceColumns = "sum(loads) AS t_loads, sum(plays) AS t_plays, sum(views) AS t_views, sum(finished) AS t_finished, sum(engagement_ppb) AS t_share, sum(watched_ms) AS t_watched"

// glanceVisitorsSQL merges the states of the same: of everything (start 0) and of
// each day.
const glanceVisitorsSQL = `
	SELECT if(grain = 'month', toInt64(0), toInt64(toUnixTimestamp(toDateTime(bucket, 'UTC')))) AS start, uniqCombined64Merge(14)(visitors), uniqCombined64IfMerge(14)(players)
	FROM uniques WHERE account_id = ? AND media_id = ? AND (grain = 'month' %s OR grain = 'day' AND bucket >= toDate(?) AND bucket < toDate(?)) GROUP BY start`

// glance fills totals, trend and top values of a report of all time or of whole
// months; days has the range of the trend. A media that is not busy has its
// visitors counted view by view, as everywhere.
func (s *Service) glance(ctx context.Context, account, id, months string, monthArgs []any, f, days Filter, out *Report) error {
	edges, err := byDay.edges(&days, s.now())
	if err != nil {
		return err
	}
	b := bucketsFrom(edges)
	last := edges[len(edges)-1].AddDate(0, 0, 1)
	out.Top = noTop()
	var all totalsRow
	var inTrend int64
	people := map[int64][2]uint64{} // by the start of a day; 0 for everything
	reads, readCtx := errgroup.WithContext(ctx)
	reads.Go(func() error {
		args := append([]any{account, id}, monthArgs...)
		args = append(args, b.starts[0], last.Unix())
		return s.each(readCtx, "report", fmt.Sprintf(glanceSQL, months), args, func(read func(...any) error) error {
			var dimension, value string
			var start int64
			var row totalsRow
			if err := read(append([]any{&dimension, &start, &value}, row.sums()...)...); err != nil {
				return err
			}
			row.estimated = true
			switch dimension {
			case "":
				inTrend += row.loads
				b.rows[b.at[start]] = row
				return nil
			case "device":
				all.add(&row)
			}
			out.Top[dimension] = append(out.Top[dimension], row.topItem(value))
			return nil
		})
	})
	reads.Go(func() error {
		args := append([]any{account, id}, monthArgs...)
		args = append(args, edges[0].Format(time.DateOnly), last.Format(time.DateOnly))
		return s.each(readCtx, "visitors", fmt.Sprintf(glanceVisitorsSQL, months), args, func(read func(...any) error) error {
			var start int64
			var visitors, players uint64
			if err := read(&start, &visitors, &players); err != nil {
				return err
			}
			people[start] = [2]uint64{visitors, players}
			return nil
		})
	})
	if err := reads.Wait(); err != nil {
		return err
	}
	all.visitors, all.players, all.estimated = people[0][0], people[0][1], true
	for i, start := range b.starts {
		b.rows[i].visitors, b.rows[i].players = people[start][0], people[start][1]
	}
	parts, ctx := errgroup.WithContext(ctx)
	if all.loads <= exactLoads {
		parts.Go(func() (err error) {
			all, err = s.counted(ctx, account, id, f)
			return err
		})
	}
	if inTrend <= exactLoads {
		clear(b.rows)
		parts.Go(func() error { return s.drawBuckets(ctx, account, id, days, b) })
	}
	if err := parts.Wait(); err != nil {
		return err
	}
	out.Totals, out.Trend = all.totals(), b.points(edges)
	return nil
}
