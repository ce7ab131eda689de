package query

import (
	"context"
	"fmt"
	"time"

	"github.com/vitascope/vitascope/internal/warehouse"
)

// exactLoads is up to how many loads visitors are counted one by one even where
// sums answer the rest; beyond, the merged states of uniques estimate them.
const exactLoads = warehouse.BusyLoads

// inQuarters reports whether f asks for nothing but whole quarters of an hour, of
// which figures keeps sums.
func (f *Filter) inQuarters() bool {
	quarter := func(t time.Time) bool { return t.IsZero() || t.Unix()%900 == 0 && t.Nanosecond() == 0 }
	return !f.narrows() && quarter(f.From) && quarter(f.To)
}

// inDays reports whether f's range is whole days (UTC), of which uniques keeps
// states.
func (f *Filter) inDays() bool {
	day := func(t time.Time) bool { return t.IsZero() || t.Unix()%86400 == 0 && t.Nanosecond() == 0 }
	return day(f.From) && day(f.To)
}

const sumsColumns = "sum(loads), sum(plays), sum(views), sum(finished), sum(engagement_ppb), sum(watched_ms)"

func (r *totalsRow) sums() []any {
	return []any{&r.loads, &r.plays, &r.views, &r.finished, &r.sharePPB, &r.watchedMS}
}

// add takes in sums of other views; visitors do not add up.
func (r *totalsRow) add(of *totalsRow) {
	r.loads, r.plays, r.views = r.loads+of.loads, r.plays+of.plays, r.views+of.views
	r.finished, r.sharePPB, r.watchedMS = r.finished+of.finished, r.sharePPB+of.sharePPB, r.watchedMS+of.watchedMS
}

// quarters returns the condition on figures.
func (f *Filter) quarters(account, media string) *clause {
	c := &clause{}
	c.and("account_id = ? AND media_id = ? AND dimension = ''", account, media)
	if !f.From.IsZero() {
		c.and("bucket >= fromUnixTimestamp(?)", f.From.Unix())
	}
	if !f.To.IsZero() {
		c.and("bucket < fromUnixTimestamp(?)", f.To.Unix())
	}
	return c
}

// summed answers totals of a busy media from sums and states, at a cost that does
// not depend on the number of views. ok is false when views must be counted.
func (s *Service) summed(ctx context.Context, account, media string, f Filter) (row totalsRow, ok bool, err error) {
	if media == "" || !f.inQuarters() || !f.inDays() {
		return row, false, nil
	}
	where := f.quarters(account, media)
	if err := s.row(ctx, "sums", "SELECT "+sumsColumns+" FROM figures WHERE "+where.sql.String(), where.args, row.sums()...); err != nil {
		return row, false, err
	}
	if row.loads <= exactLoads {
		return row, false, nil
	}
	row.estimated = true
	people := map[int64][2]uint64{}
	grain := f.statesGrain()
	err = s.people(ctx, "toDate(0)", nil, f.states(account, media, grain), grain, people)
	row.visitors, row.players = people[0][0], people[0][1]
	return row, true, err
}

const overviewSQL = "SELECT toUInt64(countIf(t_loads != 0)), sum(t_loads), sum(t_plays), sum(t_views), sum(t_finished), sum(t_share), sum(t_watched) FROM (SELECT " +
	glanceColumns + " FROM figures WHERE account_id = ? AND dimension = 'device' %s GROUP BY media_id)"

// summedOverview answers the overview of a busy account for all time or whole months
// from sums and states; ok is false when views must be counted. Every view has a
// device, be it none, so the rows by device are all.
func (s *Service) summedOverview(ctx context.Context, account string, f Filter, out *Overview) (ok bool, err error) {
	months, args, ok := f.wholeMonths("toDate(bucket)")
	if !ok {
		return false, nil
	}
	var media uint64
	var row totalsRow
	if err := s.row(ctx, "overview", fmt.Sprintf(overviewSQL, months), append([]any{account}, args...), append([]any{&media}, row.sums()...)...); err != nil {
		return false, err
	}
	if row.loads <= exactLoads {
		return false, nil
	}
	row.estimated = true
	people, grain := map[int64][2]uint64{}, f.statesGrain()
	months, args, _ = f.wholeMonths("bucket")
	c := &clause{}
	c.and("account_id = ? AND grain = '"+grain+"'"+months, append([]any{account}, args...)...)
	if err := s.people(ctx, "toDate(0)", nil, c, grain, people); err != nil {
		return false, err
	}
	row.visitors, row.players = people[0][0], people[0][1]
	out.Media, out.Totals = media, row.totals()
	return true, nil
}

// statesGrain returns which states of uniques are fewest to merge for f's whole days
// (UTC).
func (f *Filter) statesGrain() string {
	switch {
	case f.From.IsZero() && f.To.IsZero():
		return "all"
	case monthStart(f.From) && monthStart(f.To):
		return "month"
	}
	return "day"
}

// states returns the condition on uniques.
func (f *Filter) states(account, media, grain string) *clause {
	c := &clause{}
	c.and("account_id = ? AND media_id = ? AND grain = ?", account, media, grain)
	if !f.From.IsZero() {
		c.and("bucket >= toDate(?)", f.From.UTC().Format(time.DateOnly))
	}
	if !f.To.IsZero() {
		c.and("bucket < toDate(?)", f.To.UTC().Format(time.DateOnly))
	}
	return c
}

// fillBuckets counts the buckets of a trend: from sums where the media is busy
// and the buckets are days (UTC) or longer, else view by view.
func (s *Service) fillBuckets(ctx context.Context, account, media string, f Filter, b *buckets) error {
	if !f.To.Before(s.now()) {
		f.To = time.Time{} // nothing has been opened later
	}
	if media == "" || f.narrows() || !f.inDays() || !b.inDays() {
		return s.drawBuckets(ctx, account, media, f, b)
	}
	loads := int64(0)
	where := f.quarters(account, media)
	statement := "SELECT toInt64(roundDown(toUnixTimestamp(bucket), ?)) AS start, " + sumsColumns + " FROM figures WHERE " + where.sql.String() + " GROUP BY start"
	err := s.each(ctx, "trend", statement, append([]any{b.starts}, where.args...), func(read func(...any) error) error {
		var start int64
		var row totalsRow
		if err := read(append([]any{&start}, row.sums()...)...); err != nil {
			return err
		}
		row.estimated = true
		loads += row.loads
		b.rows[b.at[start]] = row
		return nil
	})
	if err != nil {
		return err
	}
	if loads <= exactLoads {
		clear(b.rows)
		return s.drawBuckets(ctx, account, media, f, b)
	}
	people := map[int64][2]uint64{}
	start := "toDate(toDateTime(roundDown(toUnixTimestamp(toDateTime(bucket, 'UTC')), ?), 'UTC'))"
	if err := s.people(ctx, start, []any{b.starts}, f.states(account, media, "day"), "day", people); err != nil {
		return err
	}
	for i, start := range b.starts {
		b.rows[i].visitors, b.rows[i].players = people[start][0], people[start][1]
	}
	return nil
}

func (b *buckets) inDays() bool {
	for _, start := range b.starts {
		if start%86400 != 0 {
			return false
		}
	}
	return true
}
