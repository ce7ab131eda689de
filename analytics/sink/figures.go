package sink

import (
	"cmp"
	"slices"
	"time"

	"github.com/vitascope/vitascope/internal/warehouse"
)

// Sums are figures of views that add up.
type Sums struct {
	Loads         int64 `ch:"loads"`
	Plays         int64 `ch:"plays"`
	Views         int64 `ch:"views"`
	Finished      int64 `ch:"finished"`
	EngagementPPB int64 `ch:"engagement_ppb"` // billionths of the media
	WatchedMS     int64 `ch:"watched_ms"`     // repeats included
}

// FigureRow is a change of the sums of a media, in all or for one value of a
// dimension.
type FigureRow struct {
	Account   string    `ch:"account_id"`
	Media     string    `ch:"media_id"`
	Dimension string    `ch:"dimension"` // "" for the totals
	Bucket    time.Time `ch:"bucket"`
	Value     string    `ch:"value"`
	Sums
}

// HeatRow is a change of the running count at one second of a media.
type HeatRow struct {
	Account string    `ch:"account_id"`
	Media   string    `ch:"media_id"`
	Grain   string    `ch:"grain"`
	Bucket  time.Time `ch:"bucket"`
	Kind    string    `ch:"kind"`
	Cell    uint32    `ch:"cell"`
	Delta   int64     `ch:"delta"`
}

// UniqueRow says that somebody was among the visitors, and the players, of a
// media on a day, in a month or ever.
type UniqueRow struct {
	Account, Media, Grain string
	Bucket                time.Time
	Who, Player           string
}

// Kinds of coverage in heat.
const (
	HeatFirst  = "first"
	HeatRepeat = "repeat"
	HeatExit   = "exit"
)

// Grains of heat and uniques.
const (
	GrainAll   = "all"
	GrainMonth = "month"
	GrainDay   = "day"
)

// sums returns what the view adds to the sums.
func (s *ViewState) sums() Sums {
	if s.Batches == 0 {
		return Sums{}
	}
	out := Sums{Loads: 1, WatchedMS: int64(s.WatchedMS + s.RewatchedMS)}
	if s.played() {
		out.Plays = 1
		out.EngagementPPB = 1e9 // also of a player that claims to have watched more than there is
		if length := uint64(max(s.DurationMS, 1)); s.WatchedMS < length {
			out.EngagementPPB = int64((s.WatchedMS*1e9 + length/2) / length)
		}
	}
	if s.WatchedMS+s.RewatchedMS > 0 {
		out.Views = 1
	}
	if s.finished() {
		out.Finished = 1
	}
	return out
}

// minus returns the difference a - b.
func (a Sums) minus(b Sums) Sums {
	return Sums{a.Loads - b.Loads, a.Plays - b.Plays, a.Views - b.Views, a.Finished - b.Finished, a.EngagementPPB - b.EngagementPPB, a.WatchedMS - b.WatchedMS}
}

func (a Sums) plus(b Sums) Sums { return a.minus(Sums{}.minus(b)) }

// dimensions returns the values by which the sums are also kept.
func (s *ViewState) dimensions() [8]struct{ name, value string } {
	return [8]struct{ name, value string }{
		{"page", s.Page}, {"referrer", s.ReferrerHost}, {"utm_source", s.UTMSource}, {"utm_medium", s.UTMMedium},
		{"utm_campaign", s.UTMCampaign}, {"country", s.Country}, {"device", s.Device}, {"browser", s.Browser},
	}
}

type figureKey struct {
	account, media, dimension string
	bucket                    int64 // Unix seconds
	value                     string
}

type heatKey struct {
	account, media string
	day            int64 // Unix seconds of its beginning; that of the month, or 0, once added up
	kind           string
	cell           uint32
}

type uniqueKey struct {
	account, media string
	day            int64
	who            string
	player         bool
}

// changes gathers what a batch changes about the figures of people's views.
type changes struct {
	busy    map[warehouse.Key]bool // media whose days are kept
	figures map[figureKey]Sums
	heat    map[heatKey]int64
	uniques map[uniqueKey]bool
}

func newChanges(busy map[warehouse.Key]bool) *changes {
	return &changes{busy: busy, figures: map[figureKey]Sums{}, heat: map[heatKey]int64{}, uniques: map[uniqueKey]bool{}}
}

// add takes in that a view came from before to after by row.
func (c *changes) add(row *ViewRow, before, after *ViewState) {
	opened := row.OpenedAt
	quarter := opened.Truncate(15 * time.Minute).Unix()
	day, month := opened.Truncate(24*time.Hour).Unix(), monthOf(opened)
	was, is := before.sums(), after.sums()
	c.figure(figureKey{row.Account, row.Media, "", quarter, ""}, is.minus(was))
	had, has := before.dimensions(), after.dimensions()
	for i := range has {
		if had[i].value == has[i].value {
			c.figure(figureKey{row.Account, row.Media, has[i].name, month, has[i].value}, is.minus(was))
			continue
		}
		c.figure(figureKey{row.Account, row.Media, had[i].name, month, had[i].value}, Sums{}.minus(was))
		c.figure(figureKey{row.Account, row.Media, has[i].name, month, has[i].value}, is)
	}
	for i := range row.FirstLo {
		c.heat[heatKey{row.Account, row.Media, day, HeatFirst, row.FirstLo[i]}]++
		c.heat[heatKey{row.Account, row.Media, day, HeatFirst, row.FirstHi[i]}]--
	}
	for i := range row.AgainLo {
		c.heat[heatKey{row.Account, row.Media, day, HeatRepeat, row.AgainLo[i]}]++
		c.heat[heatKey{row.Account, row.Media, day, HeatRepeat, row.AgainHi[i]}]--
	}
	if cell, ok := before.exit(); ok {
		c.heat[heatKey{row.Account, row.Media, day, HeatExit, cell}]--
	}
	if cell, ok := after.exit(); ok {
		c.heat[heatKey{row.Account, row.Media, day, HeatExit, cell}]++
	}
	if after.who(row) != before.who(row) || before.Batches == 0 || after.played() != before.played() {
		who := after.who(row)
		c.uniques[uniqueKey{row.Account, row.Media, day, who, after.played()}] = true
	}
}

// who returns by what name a view's visitor is told apart: a signed identity,
// else the pseudonym of the day, else nothing, and the view counts for itself.
func (s *ViewState) who(row *ViewRow) string {
	return cmp.Or(s.Identity, s.Visitor, row.View.String())
}

func (c *changes) figure(key figureKey, change Sums) {
	if change != (Sums{}) {
		c.figures[key] = c.figures[key].plus(change)
	}
}

func (c *changes) figureRows() []FigureRow {
	var rows []FigureRow
	for k, sums := range c.figures {
		if sums != (Sums{}) {
			rows = append(rows, FigureRow{k.account, k.media, k.dimension, time.Unix(k.bucket, 0).UTC(), k.value, sums})
		}
	}
	slices.SortFunc(rows, func(a, b FigureRow) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Media, b.Media), cmp.Compare(a.Dimension, b.Dimension), a.Bucket.Compare(b.Bucket), cmp.Compare(a.Value, b.Value))
	})
	return rows
}

// monthOf returns when t's month began, in Unix seconds.
func monthOf(t time.Time) int64 {
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC).Unix()
}

// heatRows returns each change for the month and for all time, and for the day where
// the media is busy.
func (c *changes) heatRows() []HeatRow {
	months, all := map[heatKey]int64{}, map[heatKey]int64{}
	var rows []HeatRow
	add := func(grain string, sums map[heatKey]int64) {
		for k, delta := range sums {
			if delta != 0 {
				rows = append(rows, HeatRow{k.account, k.media, grain, time.Unix(k.day, 0).UTC(), k.kind, k.cell, delta})
			}
		}
	}
	for k, delta := range c.heat {
		if delta != 0 && c.busy[warehouse.Key{Account: k.account, Media: k.media}] {
			rows = append(rows, HeatRow{k.account, k.media, GrainDay, time.Unix(k.day, 0).UTC(), k.kind, k.cell, delta})
		}
		k.day = monthOf(time.Unix(k.day, 0).UTC())
		months[k] += delta
		k.day = 0
		all[k] += delta
	}
	add(GrainMonth, months)
	add(GrainAll, all)
	slices.SortFunc(rows, func(a, b HeatRow) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Media, b.Media), cmp.Compare(a.Grain, b.Grain), a.Bucket.Compare(b.Bucket), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Cell, b.Cell))
	})
	return rows
}

// uniqueRows returns each visitor for the day, for the month and for all time.
func (c *changes) uniqueRows() []UniqueRow {
	seen := map[UniqueRow]bool{}
	for k := range c.uniques {
		day := time.Unix(k.day, 0).UTC()
		player := ""
		if k.player {
			player = k.who
		}
		seen[UniqueRow{k.account, k.media, GrainAll, time.Unix(0, 0).UTC(), k.who, player}] = true
		seen[UniqueRow{k.account, k.media, GrainDay, day, k.who, player}] = true
		seen[UniqueRow{k.account, k.media, GrainMonth, day.AddDate(0, 0, 1-day.Day()), k.who, player}] = true
	}
	rows := make([]UniqueRow, 0, len(seen))
	for row := range seen {
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b UniqueRow) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Media, b.Media), cmp.Compare(a.Grain, b.Grain), a.Bucket.Compare(b.Bucket), cmp.Compare(a.Who, b.Who), cmp.Compare(a.Player, b.Player))
	})
	return rows
}
