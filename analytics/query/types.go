package query

import (
	"time"

	"github.com/vitascope/vitascope/internal/beacon"
)

// Totals are the figures of a media or an account.
type Totals struct {
	Loads             uint64  `json:"loads" doc:"Times the player was shown."`
	Visitors          uint64  `json:"visitors" doc:"Distinct visitors among the loads."`
	Plays             uint64  `json:"plays" doc:"Loads in which playback was asked for."`
	PlayRate          float64 `json:"play_rate" minimum:"0" maximum:"1" doc:"Visitors with a play divided by visitors."`
	Views             uint64  `json:"views" doc:"Plays of which at least a moment was watched."`
	AverageEngagement float64 `json:"average_engagement" minimum:"0" maximum:"1" doc:"Mean share of the video seen, over plays."`
	HoursWatched      float64 `json:"hours_watched" minimum:"0" doc:"Hours of video played, repeats included."`
	Finished          uint64  `json:"finished" doc:"Plays that reached the end, or were watched to within 2 seconds of it."`
}

// MediaStats are the figures of one media.
type MediaStats struct {
	MediaID         string  `json:"media_id"`
	DurationSeconds float64 `json:"duration_seconds"`
	Totals
	Definitions map[string]string `json:"definitions" doc:"The formula of each figure."`
}

// Overview are the figures of an account.
type Overview struct {
	Media uint64 `json:"media" doc:"Media with at least one load."`
	Totals
	Definitions map[string]string `json:"definitions" doc:"The formula of each figure."`
}

// Engagement is how often each part of a media was watched.
type Engagement struct {
	MediaID         string            `json:"media_id"`
	DurationSeconds float64           `json:"duration_seconds"`
	CellSeconds     int               `json:"cell_seconds" doc:"Length of a cell: 1 up to 1,000 seconds of video; the last may be shorter."`
	Engagement      []int             `json:"engagement" doc:"Plays that covered the cell, for each cell."`
	Rewatches       []int             `json:"rewatches" doc:"Times the cell was covered again, for each cell."`
	Definitions     map[string]string `json:"definitions" doc:"The formula of each figure."`
}

// View is one playback.
type View struct {
	ViewID           string       `json:"view_id"`
	Visitor          string       `json:"visitor" doc:"Pseudonym of one day; empty when the viewer opted out."`
	StartedAt        time.Time    `json:"started_at"`
	LastSeenAt       time.Time    `json:"last_seen_at"`
	PercentWatched   float64      `json:"percent_watched" minimum:"0" maximum:"1" doc:"Share of the video seen, 0 to 1."`
	WatchedSeconds   float64      `json:"watched_seconds" doc:"Seconds of the video seen, each counted once."`
	RewatchedSeconds float64      `json:"rewatched_seconds" doc:"Seconds of the video seen again."`
	PageURL          string       `json:"page_url"`
	Referrer         string       `json:"referrer"`
	Country          string       `json:"country" doc:"ISO 3166-1 alpha-2; empty when unknown."`
	Device           string       `json:"device" doc:"desktop, mobile, tablet, tv; empty when unknown."`
	Browser          string       `json:"browser"`
	OS               string       `json:"os"`
	Live             bool         `json:"live" doc:"Heard of within the last 30 seconds."`
	Strip            []beacon.Run `json:"strip" doc:"Heatmap as runs of [level 0 to 5, number of cells]; cells as in the engagement graph."`
}

// Views is a page of playbacks, newest first.
type Views struct {
	Items      []View `json:"items"`
	NextCursor string `json:"next_cursor" doc:"For the next page; empty on the last."`
}
