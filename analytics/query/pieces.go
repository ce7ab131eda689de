package query

import (
	"strings"
	"time"

	"github.com/vitascope/vitascope/internal/warehouse"
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

// heatPiecesSQL reads the sums of months and days, and whether the media is busy.
const heatPiecesSQL = "SELECT grain = 'day', toString(kind), cell, sum(delta) FROM heat WHERE account_id = ? AND media_id = ? AND (%s) GROUP BY grain, kind, cell"

// sums returns the condition on heat of what is in months and days.
func (c *pieces) sums() *clause {
	var list []string
	out := &clause{}
	add := func(grain string, spans []span) {
		for _, s := range spans {
			condition := "grain = '" + grain + "'"
			if !s.from.IsZero() {
				condition, out.args = condition+" AND bucket >= toDate(?)", append(out.args, s.from.Format(time.DateOnly))
			}
			if !s.to.IsZero() {
				condition, out.args = condition+" AND bucket < toDate(?)", append(out.args, s.to.Format(time.DateOnly))
			}
			list = append(list, condition)
		}
	}
	add("month", c.months)
	if add("day", c.days); len(c.days) > 0 {
		list = append(list, "grain = 'day' AND bucket = toDate(0) AND kind = '"+warehouse.KindBusy+"'")
	}
	out.sql.WriteString(strings.Join(list, " OR "))
	return out
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
