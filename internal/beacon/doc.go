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
// docs/beacons.md, made from [Schema], documents every field and its bounds.
//
// # Ledger
//
// Every batch that is answered for good leaves one [Record] in the event log,
// refused ones too, so that the counts of an hour add up: received = accepted +
// opted_out + bot + duplicate + late + invalid (see [Class]). Each carries a
// Receipt, a random number. The reader of the log stores, for each record, one
// row (account, hour of ReceivedAtMS, receipt, class) whose class merges to the
// lowest: a record that is in the log twice, because writing it was repeated,
// is met once as accepted and once as a duplicate of itself, and counts as
// accepted. A figure of the ledger is the number of receipts of an account and
// hour by class. Records without a receipt are older than the ledger; (partition,
// offset) may stand for it.
//
// Fields this release does not know are ignored, so that an older server reads
// a newer player; kinds it does not know are refused, so that no event is lost
// without a trace. A refusal is an [*Error] whose [Code] never changes meaning.
//
// # Cells
//
// Second s counts as watched n times when n intervals cover its midpoint,
// s + 0.5. The last second of a media may be cut short: when its midpoint lies
// beyond the end, the middle of what is left stands for it. That may be a few
// milliseconds of which no track has anything; so a player that reached the end reports
// to the duration. Heatmap levels are
// min(n, 5).
//
// Samples in testdata are read by the Go and the TypeScript tests alike:
// index.json names each body with the code it is refused with, cells.json holds
// vectors of the cell rule.
//
// Everything here is pure and safe for concurrent use.
package beacon
