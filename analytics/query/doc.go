// Package query answers /v1/stats: figures, engagement graphs and per-view
// heatmaps, from the warehouse.
//
// Every statement names the caller's account first; a media of another account
// answers as an unknown one. Each figure's formula is in [Definitions] and is
// sent with it. Views of bots are in no figure. Figures follow a beacon by a few
// seconds at most: nothing is cached.
//
// A Service is safe for concurrent use.
package query
