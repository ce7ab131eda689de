package query

import (
	"fmt"
	"strings"
	"time"
)

// span is a range of time, from included and to not; zero is open.
type span struct{ from, to time.Time }

// pieces say of what a range of time is made: the whole months (UTC), of which heat
// keeps sums, the whole days outside of them, of which it keeps sums for busy media,
// and what is left.
type pieces struct {
	months []span // one at most
	days   []span
	edges  []span // neither in months nor in days
	rest   []span // not in months: days and edges
}

// piecesOf takes a range apart. Nothing was opened after now.
func piecesOf(from, to, now time.Time) (c pieces) {
	from, to = from.UTC(), to.UTC()
	if !to.Before(now) {
		to = time.Time{}
	}
	months := span{ceiling(from, monthOf, nextMonth), floor(to, monthOf)}
	if months.from.IsZero() || months.to.IsZero() || months.from.Before(months.to) {
		c.months = append(c.months, months)
		c.rest = parts(span{from, months.from}, span{months.to, to})
	} else {
		c.rest = []span{{from, to}}
	}
	for _, r := range c.rest {
		days := span{ceiling(r.from, dayOf, nextDay), floor(r.to, dayOf)}
		if !days.from.Before(days.to) {
			c.edges = append(c.edges, r)
			continue
		}
		c.days = append(c.days, days)
		c.edges = append(c.edges, parts(span{r.from, days.from}, span{days.to, r.to})...)
	}
	return c
}

// parts returns those spans that begin before they end; one with an open end has no
// other side.
func parts(list ...span) (some []span) {
	for _, s := range list {
		if !s.from.IsZero() && !s.to.IsZero() && s.from.Before(s.to) {
			some = append(some, s)
		}
	}
	return some
}

func monthOf(t time.Time) time.Time   { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC) }
func nextMonth(t time.Time) time.Time { return t.AddDate(0, 1, 0) }
func dayOf(t time.Time) time.Time     { return t.Truncate(24 * time.Hour) }
func nextDay(t time.Time) time.Time   { return t.AddDate(0, 0, 1) }

// floor returns when the month or day of t began; zero stays.
func floor(t time.Time, of func(time.Time) time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return of(t)
}

// ceiling returns the first beginning of a month or day at t or later; zero stays.
func ceiling(t time.Time, of, next func(time.Time) time.Time) time.Time {
	if start := floor(t, of); start.Before(t) {
		return next(start)
	}
	return t
}

// sums of a busy media that together are the whole days of a range: months, days that
// are not in them, and days of them that are not in the range. A day has as many rows as
// a month, so the fewest are read.
type sums struct{ months, more, less []span }

// busySums returns the sums of the whole days of a range.
func (c *pieces) busySums(now time.Time) sums {
	usual := sums{months: c.months, more: c.days}
	if len(c.days) == 0 {
		return usual
	}
	all := c.wholeDays()
	var out sums
	var whole span
	if before, after := floor(all.from, monthOf), ceiling(all.from, monthOf, nextMonth); all.from.Sub(before) < after.Sub(all.from) {
		whole.from, out.less = before, parts(span{before, all.from})
	} else {
		whole.from, out.more = after, parts(span{all.from, after})
	}
	last := ceiling(now.UTC(), dayOf, nextDay) // no day has rows from here on
	if before, after := floor(all.to, monthOf), ceiling(all.to, monthOf, nextMonth); earlier(after, last).Sub(all.to) < all.to.Sub(before) {
		whole.to, out.less = after, append(out.less, parts(span{all.to, after})...)
	} else {
		whole.to, out.more = before, append(out.more, parts(span{before, all.to})...)
	}
	none := !whole.from.IsZero() && !whole.to.IsZero() && !whole.from.Before(whole.to)
	if none || daysOf(out.more)+daysOf(out.less) >= daysOf(usual.more) {
		return usual
	}
	out.months = []span{whole}
	return out
}

// wholeDays is from the first of the whole days, or of the months, to the last.
func (c *pieces) wholeDays() span {
	all := span{c.days[0].from, c.days[len(c.days)-1].to}
	for _, m := range c.months {
		if m.from.IsZero() || m.from.Before(all.from) {
			all.from = m.from
		}
		if m.to.IsZero() || m.to.After(all.to) {
			all.to = m.to
		}
	}
	return all
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func daysOf(list []span) (n time.Duration) {
	for _, s := range list {
		n += s.to.Sub(s.from)
	}
	return n / (24 * time.Hour)
}

// heatPiecesSQL reads sums of months and days, those of whole months in the range apart
// from what is of use only if the media is busy, and whether it is. What is to be taken
// away has the other sign.
const heatPiecesSQL = "SELECT toUInt8(%s) AS within, kind, cell, sum(if(%s, -delta, delta)) FROM heat WHERE account_id = ? AND media_id = ? AND (%s) GROUP BY within, kind, cell"

// heatSQL returns the statement that reads the sums of the range, or "" if there are none.
func (c *pieces) heatSQL(now time.Time) string {
	if len(c.months) == 0 && len(c.days) == 0 {
		return ""
	}
	busy := c.busySums(now)
	var within, less, asked sumsWhere
	within.add("month", c.months, nextMonth)
	less.add("day", busy.less, nextDay)
	asked.add("month", c.months, nextMonth)
	if len(c.days) > 0 {
		asked.add("month", busy.months, nextMonth)
		asked.add("day", busy.more, nextDay)
		asked.add("day", busy.less, nextDay)
		asked.list = append(asked.list, "('day', '1970-01-01')") // of no day: the mark of a busy media
	}
	return fmt.Sprintf(heatPiecesSQL, &within, &less, &asked)
}

// sumsWhere is a condition on heat: sums that are named one by one, which takes less
// time than ranges do, and ranges that are open or long.
type sumsWhere struct{ list, ranges []string }

// mostNamed is how many sums of a span are named at most.
const mostNamed = 100

func (b *sumsWhere) add(grain string, spans []span, next func(time.Time) time.Time) {
	for _, s := range spans {
		var named []string
		if !s.from.IsZero() && !s.to.IsZero() {
			for at := s.from; at.Before(s.to) && len(named) <= mostNamed; at = next(at) {
				named = append(named, "('"+grain+"', '"+at.Format(time.DateOnly)+"')")
			}
			if len(named) <= mostNamed {
				b.list = append(b.list, named...)
				continue
			}
		}
		condition := "grain = '" + grain + "'"
		if !s.from.IsZero() {
			condition += " AND bucket >= toDate('" + s.from.Format(time.DateOnly) + "')"
		}
		if !s.to.IsZero() {
			condition += " AND bucket < toDate('" + s.to.Format(time.DateOnly) + "')"
		}
		b.ranges = append(b.ranges, "("+condition+")")
	}
}

func (b *sumsWhere) String() string {
	all := b.ranges
	if len(b.list) > 0 {
		all = append([]string{"(grain, bucket) IN (" + strings.Join(b.list, ", ") + ")"}, all...)
	}
	if len(all) == 0 {
		return "0"
	}
	return strings.Join(all, " OR ")
}

// within narrows a condition on views to spans.
func (c *clause) within(spans []span) *clause {
	var list []string
	var args []any
	for _, s := range spans {
		list = append(list, "opened_at >= fromUnixTimestamp64Milli(?, 'UTC') AND opened_at < fromUnixTimestamp64Milli(?, 'UTC')")
		args = append(args, s.from.UnixMilli(), s.to.UnixMilli())
	}
	c.and("("+strings.Join(list, " OR ")+")", args...)
	return c
}
