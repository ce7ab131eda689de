package query

import (
	"maps"
	"slices"
	"strings"
)

// DefinitionsDocument is docs/definitions.md, made from [Definitions].
func DefinitionsDocument() string {
	var out strings.Builder
	out.WriteString(`# Definitions of every figure

Made from package analytics/query by ` + "`go test ./analytics/query -run Document -update`" + `; the same sentences are in ` + "`/v1/stats/definitions`" + `, in each answer and in the dashboard.

A figure counts views. A view is one playback of one media: from the player being shown to its leaving the page. It is counted in the moment at which the server issued its id, whatever the viewer's clock says; a filter counts the views that pass it. What comes with the marks of a bot is kept apart and counts only when asked for. Shares run from 0 to 1. Visitors are counted one by one up to 100,000 loads; beyond, unfiltered figures of a media, and the overview of an account for all time or whole months, estimate them, mostly within 0.5 % (of several whole months, or more than 1.9 million: mostly within 1 %, at worst, around 40,000 visitors, within 4 %), and say so; in a media's report the trend is estimated where the totals are.

| Figure | Definition |
|---|---|
`)
	all := Definitions()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out.WriteString("| `" + name + "` | " + strings.ReplaceAll(all[name], "|", "\\|") + " |\n")
	}
	out.WriteString(`
## Where they come from

` + "`events`" + ` holds every event of every accepted beacon. ` + "`views`" + ` (a row per view), and from it ` + "`heat`" + `, ` + "`figures`" + ` and ` + "`uniques`" + `, follow from it: ` + "`POST /v1/stats/verifications`" + ` compares all of them, ` + "`POST /v1/stats/rebuilds`" + ` makes them anew; on the command line these are ` + "`vitascope warehouse verify`" + ` and ` + "`rebuild`" + `. ` + "`vitascope events replay`" + ` counts beacons that an older release refused and this one can read. ` + "`receipts`" + ` says what became of each beacon.

## Limits

- A view's first 20,000 first-time and 20,000 repeated intervals are drawn, and its first 500 different actions kept: more come from no person.
- A media longer than 1,000 seconds is drawn in at most 1,000 cells; the middle second of a cell stands for it, drop-off is summed.
- Unfiltered heatmaps are read from sums as far as their range is whole months (UTC), and whole days of a media with more than 100,000 loads; top values of all time or whole months are too. All other questions count views.
`)
	return out.String()
}
