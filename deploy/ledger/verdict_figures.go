package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/vitascope/vitascope/analytics/query"
)

var scopeAll = query.Scope{}

// compareFigures compares a film's figures and heatmaps, for all of its views, for
// those of each campaign and, when the run began and ended on one day, for those of
// that day, with the recount.
func (w *world) compareFigures(ctx context.Context, v *verdict, f film, views map[string]*seen, sameDay bool) error {
	for _, utm := range append([]string{"*"}, campaigns...) {
		filter := query.Filter{}
		if utm != "*" {
			filter.UTMSource = cmp.Or(utm, query.None)
		}
		want := figuresOf(f, views, utm)
		got, err := w.stats().Media(ctx, f.account, f.id, filter)
		if err != nil {
			return fmt.Errorf("figures of %s: %w", f.id, err)
		}
		what := fmt.Sprintf("%s (campaign %q)", f.id, utm)
		for _, c := range []struct {
			name      string
			got, want int
		}{
			{"loads", int(got.Loads), want.loads}, {"plays", int(got.Plays), want.plays}, {"views", int(got.Views), want.views},
			{"finished", int(got.Finished), want.finished}, {"visitors", int(got.Visitors), want.visitors},
		} {
			if c.got != c.want && (c.name != "visitors" || sameDay && !got.VisitorsEstimated) {
				v.figures++
				v.note("figure: %s of %s is %d, recounted %d", c.name, what, c.got, c.want)
			}
		}
		if math.Abs(got.HoursWatched-want.hours) > 1e-9*max(1, want.hours) || math.Abs(got.AverageEngagement-want.engagement) > 1e-8 {
			v.figures++
			v.note("figure: hours, engagement of %s are %v, %v, recounted %v, %v", what, got.HoursWatched, got.AverageEngagement, want.hours, want.engagement)
		}
		graph, err := w.stats().Engagement(ctx, f.account, f.id, filter)
		if err != nil {
			return fmt.Errorf("heatmap of %s: %w", f.id, err)
		}
		v.compareGraph(what, graph, want)
		if utm != "*" || !sameDay {
			continue
		}
		filter.From = time.Now().UTC().Truncate(24 * time.Hour) // from sums of days where the film is busy
		if graph, err = w.stats().Engagement(ctx, f.account, f.id, filter); err != nil {
			return fmt.Errorf("heatmap of %s: %w", f.id, err)
		}
		v.compareGraph(f.id+" (today)", graph, want)
	}
	return nil
}

func (v *verdict) compareGraph(what string, got *query.Engagement, want figures) {
	v.compareCells(what+" first", got.Engagement, want.first)
	v.compareCells(what+" again", got.Rewatches, want.again)
	v.compareCells(what+" left", got.DropOff, want.left)
}

func (v *verdict) compareCells(what string, got, want []int) {
	if len(got) != len(want) {
		v.cells += max(len(got), len(want))
		v.note("cells: %s has %d, recounted %d", what, len(got), len(want))
		return
	}
	for i := range want {
		if got[i] != want[i] {
			v.cells++
			v.note("cell: %s at second %d is %d, recounted %d", what, i, got[i], want[i])
		}
	}
}
