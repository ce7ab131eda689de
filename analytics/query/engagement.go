package query

import (
	"context"
	"fmt"
	"time"

	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/warehouse"
)

// Graph is how often each part of a media was watched.
type Graph struct {
	CellSeconds int   `json:"cell_seconds" doc:"Length of a cell: 1 up to 1,000 seconds of video; the last may be shorter."`
	Engagement  []int `json:"engagement" doc:"Plays that covered the cell, for each cell: the viewers of that second."`
	Rewatches   []int `json:"rewatches" doc:"Times the cell was covered again, for each cell."`
	DropOff     []int `json:"drop_off" doc:"Plays that were watched no further than the cell, for each cell; plays that finished are in none."`
}

// Engagement is the graph of a media.
type Engagement struct {
	MediaID         string  `json:"media_id"`
	DurationSeconds float64 `json:"duration_seconds"`
	Graph
	Definitions map[string]string `json:"definitions" doc:"The formula of each figure."`
}

// Engagement returns the engagement graph of a media.
func (s *Service) Engagement(ctx context.Context, account, id string, f Filter) (*Engagement, error) {
	m, err := s.media(ctx, account, id, &f)
	if err != nil {
		return nil, err
	}
	graph, err := s.graph(ctx, account, m, f)
	if err != nil {
		return nil, err
	}
	return &Engagement{MediaID: id, DurationSeconds: seconds(m.DurationMS), Graph: *graph, Definitions: definitions("engagement", "rewatches", "drop_off")}, nil
}

// heatSQL reads what the sink counted; the cost does not depend on the number of
// intervals. What is of one cell is added up by the reader: for the few rows that
// parts hold of all time that is cheaper than to group them.
const heatSQL = "SELECT kind, cell, delta FROM heat WHERE account_id = ? AND media_id = ? AND grain = 'all'"

// drawnSQL draws from the intervals of each view that passes, in one reading: for
// each second of %[2]d how often intervals began and ended, and views were left.
const drawnSQL = names + `
	SELECT countResampleArray(0, %[2]d, 1)(first_lo), countResampleArray(0, %[2]d, 1)(first_hi),
		countResampleArray(0, %[2]d, 1)(again_lo), countResampleArray(0, %[2]d, 1)(again_hi),
		countResampleIf(0, %[2]d, 1)(toUInt32(intDiv(max_watched_to_ms - 1, 1000)), max_watched_to_ms > 0 AND NOT reached_end)
	FROM views FINAL WHERE %[1]s`

// graph chooses the cheapest sources that together have the answer.
func (s *Service) graph(ctx context.Context, account string, m catalog.Media, f Filter) (*Graph, error) {
	d := newDeltas(beacon.Seconds(m.DurationMS))
	var err error
	switch {
	case f.narrows():
		err = s.drawn(ctx, f.where(account, m.ID), d)
	case f.From.IsZero() && f.To.IsZero():
		err = s.heat(ctx, account, m.ID, d)
	default:
		err = s.covered(ctx, account, m.ID, f, d)
	}
	if err != nil {
		return nil, err
	}
	return d.graph(), nil
}

// deltas are, for each second, how many more intervals cover it than the second
// before, for the first time and again, and how many views were left in it.
type deltas struct{ first, again, left []int }

func newDeltas(n int) deltas { return deltas{make([]int, n), make([]int, n), make([]int, n)} }

// add takes in a row of heat.
func (d deltas) add(kind string, cell uint32, delta int64) {
	of := map[string][]int{"first": d.first, "repeat": d.again, "exit": d.left}[kind]
	if int(cell) < len(of) {
		of[cell] += int(delta)
	}
}

// heat reads the sums of all time.
func (s *Service) heat(ctx context.Context, account, media string, into deltas) error {
	return s.eachSum(ctx, "engagement", heatSQL, []any{account, media}, func(read func(...any) error) error {
		var kind string
		var cell uint32
		var delta int64
		if err := read(&kind, &cell, &delta); err != nil {
			return err
		}
		into.add(kind, cell, delta)
		return nil
	})
}

// covered reads the sums of whole months, of whole days where the media is busy, and
// draws what is left from views.
func (s *Service) covered(ctx context.Context, account, media string, f Filter, into deltas) error {
	now := s.now()
	c, busy := piecesOf(f.From, f.To, now), false
	ifBusy := newDeltas(len(into.first))
	if statement := c.heatSQL(now); statement != "" {
		err := s.eachSum(ctx, "engagement", statement, []any{account, media}, func(read func(...any) error) error {
			var within uint8
			var kind string
			var cell uint32
			var delta int64
			if err := read(&within, &kind, &cell, &delta); err != nil {
				return err
			}
			switch {
			case within != 0:
				into.add(kind, cell, delta)
			case kind == warehouse.KindBusy:
				busy = true
			default:
				ifBusy.add(kind, cell, delta)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	left := c.rest
	if busy {
		into.plus(ifBusy)
		left = c.edges
	}
	if len(left) == 0 {
		return nil
	}
	f.From, f.To = time.Time{}, time.Time{}
	rest := newDeltas(len(into.first))
	if err := s.drawn(ctx, f.where(account, media).within(left), rest); err != nil {
		return err
	}
	into.plus(rest)
	return nil
}

// plus adds others of as many seconds.
func (d deltas) plus(of deltas) {
	for i := range d.first {
		d.first[i], d.again[i], d.left[i] = d.first[i]+of.first[i], d.again[i]+of.again[i], d.left[i]+of.left[i]
	}
}

// drawn reads views.
func (s *Service) drawn(ctx context.Context, where *clause, into deltas) error {
	var counts [5][]uint64
	statement := fmt.Sprintf(drawnSQL, where.sql.String(), max(1, len(into.first)))
	if err := s.row(ctx, "engagement", statement, where.args, &counts[0], &counts[1], &counts[2], &counts[3], &counts[4]); err != nil {
		return err
	}
	for i := range into.first {
		into.first[i] = int(counts[0][i]) - int(counts[1][i])
		into.again[i] = int(counts[2][i]) - int(counts[3][i])
		into.left[i] = int(counts[4][i])
	}
	return nil
}

// graph adds up and scales.
func (d deltas) graph() *Graph {
	accumulate(d.first)
	accumulate(d.again)
	out := &Graph{DropOff: []int{}}
	out.Engagement, out.CellSeconds = beacon.Scale(d.first)
	out.Rewatches, _ = beacon.Scale(d.again)
	for at := 0; at < len(d.left); at += out.CellSeconds { // counts of views add up where levels are sampled
		sum := 0
		for _, left := range d.left[at:min(at+out.CellSeconds, len(d.left))] {
			sum += left
		}
		out.DropOff = append(out.DropOff, sum)
	}
	return out
}

// wholeMonths returns the condition on a column that holds the first day of a
// month, if f asks for nothing but whole months (UTC) or all time.
func (f *Filter) wholeMonths(column string) (condition string, args []any, ok bool) {
	if f.narrows() || !monthStart(f.From) || !monthStart(f.To) {
		return "", nil, false
	}
	if !f.From.IsZero() {
		condition, args = " AND "+column+" >= toDate(?)", append(args, f.From.UTC().Format(time.DateOnly))
	}
	if !f.To.IsZero() {
		condition, args = condition+" AND "+column+" < toDate(?)", append(args, f.To.UTC().Format(time.DateOnly))
	}
	return condition, args, true
}

// monthStart reports whether t is zero or the beginning of a month (UTC).
func monthStart(t time.Time) bool {
	t = t.UTC()
	return t.IsZero() || t.Equal(time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC))
}

func accumulate(deltas []int) {
	for i := 1; i < len(deltas); i++ {
		deltas[i] += deltas[i-1]
	}
}
