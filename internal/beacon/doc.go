// Package beacon is the wire schema of viewing beacons, version 1: what a
// player sends ([Batch]), what the event log carries ([Record]), the signed
// view token that ties both to one playback, with the interval arithmetic that
// turns watched spans into heatmap cells.
//
// # Body
//
// A player posts one JSON [Batch] as text/plain, at most [MaxBody] bytes. The
// batches of a view are numbered from 0 (seq); sending one again with the same
// number and bytes is harmless, because (view, seq) names it. Page facts belong
// to the first batch. Watched intervals are media time in milliseconds,
// half-open [from, to), split by the player into first-time coverage, disjoint
// within the view, and repeated coverage.
//
// Fields this release does not know are ignored, so that an older server reads
// a newer player; kinds it does not know are refused, so that no event is lost
// without a trace. A refusal is an [*Error] whose [Code] never changes meaning.
//
// # Cells
//
// Second s counts as watched n times when n intervals cover its midpoint,
// s + 0.5. The last second of a media may be cut short: when its midpoint lies
// beyond the end, the middle of what is left stands for it. Heatmap levels are
// min(n, 5).
//
// Samples in testdata are read by the Go and the TypeScript tests alike:
// index.json names each body with the code it is refused with, cells.json holds
// vectors of the cell rule.
//
// Everything here is pure and safe for concurrent use.
package beacon
