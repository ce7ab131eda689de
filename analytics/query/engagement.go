package query

import (
	"context"
	"fmt"
	"time"

	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/catalog"
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

// heatSQL sums what the sink counted; the cost does not depend on the number of
// intervals.
const heatSQL = `
	SELECT kind, cell, sum(delta) FROM heat
	WHERE account_id = ? AND media_id = ? AND %s GROUP BY kind, cell`

// drawnSQL draws from the intervals of each view that passes. %[2]s makes a cell
// a UInt16 where the media is short enough: grouping by one uses a flat table.
const drawnSQL = names + `
	SELECT 'first' AS kind, %[2]s(arrayJoin(first_lo)) AS cell, toInt64(count()) AS delta FROM views FINAL WHERE %[1]s GROUP BY cell
	UNION ALL SELECT 'first', %[2]s(arrayJoin(first_hi)) AS cell, -toInt64(count()) FROM views FINAL WHERE %[1]s GROUP BY cell
	UNION ALL SELECT 'repeat', %[2]s(arrayJoin(again_lo)) AS cell, toInt64(count()) FROM views FINAL WHERE %[1]s GROUP BY cell
	UNION ALL SELECT 'repeat', %[2]s(arrayJoin(again_hi)) AS cell, -toInt64(count()) FROM views FINAL WHERE %[1]s GROUP BY cell
	UNION ALL SELECT 'exit', %[2]s(intDiv(max_watched_to_ms - 1, 1000)) AS cell, toInt64(count()) FROM views FINAL
		WHERE %[1]s AND max_watched_to_ms > 0 AND NOT reached_end GROUP BY cell`

// graph chooses the cheapest source that has the answer.
func (s *Service) graph(ctx context.Context, account string, m catalog.Media, f Filter) (*Graph, error) {
	var statement string
	var args []any
	if grain, grainArgs, ok := f.heatGrain(); ok {
		statement, args = fmt.Sprintf(heatSQL, grain), append([]any{account, m.ID}, grainArgs...)
	} else {
		where := f.where(account, m.ID)
		narrow := "toUInt16"
		if beacon.Seconds(m.DurationMS) > 65_000 {
			narrow = "toUInt32"
		}
		statement = fmt.Sprintf("SELECT kind, toUInt32(cell), sum(delta) FROM ("+drawnSQL+") GROUP BY kind, cell", where.sql.String(), narrow)
		for range 5 {
			args = append(args, where.args...)
		}
	}
	n := beacon.Seconds(m.DurationMS)
	counts := map[string][]int{"first": make([]int, n), "repeat": make([]int, n), "exit": make([]int, n)}
	err := s.each(ctx, "engagement", statement, args, func(read func(...any) error) error {
		var kind string
		var cell uint32
		var delta int64
		if err := read(&kind, &cell, &delta); err != nil {
			return err
		}
		if of := counts[kind]; int(cell) < len(of) {
			of[cell] += int(delta)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	accumulate(counts["first"])
	accumulate(counts["repeat"])
	out := &Graph{DropOff: []int{}}
	out.Engagement, out.CellSeconds = beacon.Scale(counts["first"])
	out.Rewatches, _ = beacon.Scale(counts["repeat"])
	for at := 0; at < n; at += out.CellSeconds { // counts of views add up where levels are sampled
		sum := 0
		for _, left := range counts["exit"][at:min(at+out.CellSeconds, n)] {
			sum += left
		}
		out.DropOff = append(out.DropOff, sum)
	}
	return out, nil
}

// heatGrain returns which rows of heat hold the answer, if f asks for nothing
// but all time or whole months (UTC).
func (f *Filter) heatGrain() (condition string, args []any, ok bool) {
	if f.narrows() {
		return "", nil, false
	}
	if f.From.IsZero() && f.To.IsZero() {
		return "grain = 'all'", nil, true
	}
	months, args, ok := f.wholeMonths("bucket")
	return "grain = 'month'" + months, args, ok
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
