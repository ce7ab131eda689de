package query

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// glanceSQL reads everything of a report that is sums in one statement: of all
// time or whole months (%s), of each day of the trend, and of the values with most
// plays of each dimension. Every view has a device, be it none, so the rows by
// device add up to everything.
const glanceSQL = `
	SELECT part, start, value, t_loads, t_plays, t_views, t_finished, t_share, t_watched FROM (
		SELECT '' AS part, toInt64(0) AS start, '' AS value, ` + glanceColumns + ` FROM figures
		WHERE account_id = ? AND media_id = ? AND dimension = 'device' %[1]s
		UNION ALL
		SELECT 'day', toInt64(intDiv(toUnixTimestamp(bucket), 86400) * 86400) AS start, '', ` + glanceColumns + ` FROM figures
		WHERE account_id = ? AND media_id = ? AND dimension = '' AND bucket >= fromUnixTimestamp(?) AND bucket < fromUnixTimestamp(?) GROUP BY start
		UNION ALL
		SELECT dimension, toInt64(0), value, ` + glanceColumns + ` FROM figures
		WHERE account_id = ? AND media_id = ? AND dimension != '' %[1]s
		GROUP BY dimension, value HAVING t_loads != 0 ORDER BY dimension, t_plays DESC, t_loads DESC, value LIMIT 10 BY dimension)
	ORDER BY part, start, t_plays DESC, t_loads DESC, value`

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
	var all totalsRow
	var inTrend int64
	args := append([]any{account, id}, monthArgs...)
	args = append(args, account, id, b.starts[0], last.Unix())
	args = append(append(args, account, id), monthArgs...)
	out.Top = noTop()
	err = s.each(ctx, "report", fmt.Sprintf(glanceSQL, months), args, func(read func(...any) error) error {
		var part, value string
		var start int64
		var row totalsRow
		if err := read(append([]any{&part, &start, &value}, row.sums()...)...); err != nil {
			return err
		}
		row.estimated = true
		switch part {
		case "":
			all = row
		case "day":
			inTrend += row.loads
			b.rows[b.at[start]] = row
		default:
			out.Top[part] = append(out.Top[part], row.topItem(value))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if all.loads > exactLoads || inTrend > exactLoads {
		args := append([]any{account, id}, monthArgs...)
		args = append(args, edges[0].Format(time.DateOnly), last.Format(time.DateOnly))
		err := s.each(ctx, "visitors", fmt.Sprintf(glanceVisitorsSQL, months), args, func(read func(...any) error) error {
			var start int64
			var visitors, players uint64
			if err := read(&start, &visitors, &players); err != nil {
				return err
			}
			row := &all
			if start != 0 {
				row = &b.rows[b.at[start]]
			}
			row.visitors, row.players = visitors, players
			return nil
		})
		if err != nil {
			return err
		}
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
