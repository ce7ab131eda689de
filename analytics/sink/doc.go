// Package sink moves accepted beacons from the event log into the warehouse so
// that every figure counts each of them exactly once.
//
// # How a batch of one partition is written
//
//  1. Read records from the position on, for at most FlushInterval, or until
//     the batch is full. That fixes the range of offsets [first, last].
//  2. Begin: insert (first, last) into sink_batches under a deduplication token
//     made of the partition and first, and read back which range is there. The
//     first sink to begin at an offset decides the range; any other, and this
//     one after a crash, is told that range and reads exactly those records.
//  3. Put records that cannot be read aside, in the rejected topic.
//  4. Drop repeated batches: (view, seq) pairs that records before this range
//     brought already, or an earlier record of it. The warehouse itself is
//     asked, leaving out rows whose offset in this partition is first or later,
//     so that a range tried again does not take its own rows for repeats; what
//     it answered, and what was written since, is kept in a bounded cache.
//  5. Insert events, then partial views, then heatmap deltas, each under the
//     token "<table>-<topic>-<partition>-<first>-<last>".
//  6. Done: insert (first, last) into sink_batches as done.
//
// The position is what sink_batches says; nothing is committed to the log. A
// sink that dies anywhere leaves a begun batch that is not done. Whoever owns
// the partition next reads the same offsets, decides the same repeats from the
// same rows, and inserts the same rows under the same tokens, of which the
// warehouse keeps those it does not have yet. The cut is recorded before
// anything is written because deltas and partial rows carry no name by which
// they could be recognised; only the token does.
//
// # Two owners at once
//
// Partitions are shared out by leases (or fixed by configuration). Leases only
// avoid wasted work: a sink that was frozen, lost its lease and wakes up begins
// at an offset where another has begun, is given that range, and repeats
// inserts that are already there; when the other is further, it is told so
// ([ErrOvertaken]) and starts over.
//
// # Limits
//
// The tables remember the tokens of their last 10,000 inserts, about 20 minutes
// of full load on 8 partitions. A begun batch must be taken up again within
// that; leases run out after LeaseTTL, 20 s by default. A server notes the token of
// an insert before it commits its part: killed between the two, it takes the repeat of
// what is lost for known. The embedded engine takes such notes back when it starts;
// another server's tables should be replicated, where both are one step. With a replicated
// warehouse the reads of Store need select_sequential_consistency.
//
// When the log has lost records that were not read (retention), the sink says
// how many and goes on behind the gap. When the log begins anew below the
// position (it was deleted), a new epoch begins, which is part of the tokens.
//
// When the warehouse is away the batch in hand is retried until it is back; the
// log keeps the rest.
//
// Memory is bounded whatever comes. A batch ends with its records (BatchRecords,
// BatchBytes), with what their rows come to (BatchRowBytes: small records may have rows
// a hundred times their size), or with time; partitions that catch up write in turn, no
// more than WriteBytes at once; views are remembered by the memory they take.
//
// Days are told to heat for busy media only (see warehouse.MarkBusy). Which media are
// is read when the generation of a batch is another than that of the one before: it
// cannot change while a batch is under way.
//
// Figures leave out bots: their events and views are stored and marked, their
// watching adds nothing to the heatmap.
package sink
