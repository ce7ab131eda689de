package ingest

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/vitascope/vitascope/internal/arriving"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jit"
	"github.com/vitascope/vitascope/internal/jobs"
)

const (
	// keepEvery is how often the bytes of a source that may be shown early are made
	// readable while a part is still coming.
	keepEvery = 2 * time.Second
	// maxTables is how far into a source its sample tables may end for it to be shown
	// early. Those of twelve hours are some 45 MB.
	maxTables = 64 << 20
	// keptParts is how many parts are kept readable of the beginning of a source whose
	// tables come last: 64 MiB, the first two segments of one of 50 Mbit/s.
	keptParts = 4
	// maxHeader is how long the header of a box is at most.
	maxHeader = 16
)

// earlyMode says what is done about showing a source before it is whole.
type earlyMode int

const (
	earlyNever   earlyMode = iota // it cannot be, or what came before is not readable any more
	earlyPerhaps                  // its tables have not come
	earlyShown                    // it has been asked for
	earlyEnds                     // its tables come last: it can be when all has come
)

// early is how a request treats a source that may be shown before it is whole: its
// bytes are kept readable, and once playback can begin a job is asked to show it. Of
// one whose tables come last, that is when it has the last byte, and what is kept is
// what playback begins with and the tables: the rest is soon to be read in the source.
type early struct {
	mode  earlyMode
	chain []arriving.Piece // what is readable, or about to be, of the parts before
	index *jit.Index       // once the tables have come
	next  int64            // how far the source must have come for another look
	tail  int64            // where the tables of earlyEnds may begin
}

// grows tells whether all that comes is kept readable, as it comes.
func (e *early) grows() bool { return e.mode == earlyPerhaps || e.mode == earlyShown }

// end is what is kept readable of a part, with the bytes [from, to), of earlyEnds.
func (e *early) end(number int, from, to int64) (p arriving.Piece, ok bool) {
	if number > keptParts {
		from = max(from, e.tail)
	}
	return arriving.Piece{From: from, To: to}, e.mode == earlyEnds && from < to
}

// beginEarly decides how this request goes on, from the objects alone: a source whose
// bytes are all readable so far may still be shown, and so may one whose tables come
// last if its beginning is.
func (w *chunkWriter) beginEarly(ctx context.Context) {
	m := w.media
	switch readable := arriving.End(w.chain, 0); {
	case readable < w.at:
		if readable == 0 || m.Publication > 0 {
			return
		}
		w.early = early{mode: earlyPerhaps, chain: w.chain}
		w.look(ctx, nil, readable, readable, readable)
		if w.early.mode != earlyEnds {
			w.early = early{}
		}
	case readable > w.at:
		return
	case m.Publication > 0:
		w.early = early{mode: earlyShown, chain: w.chain}
	default:
		w.early = early{mode: earlyPerhaps, chain: w.chain}
		if w.at > 0 {
			w.look(ctx, nil, w.at, w.at, w.at)
		}
	}
}

// look finds out whether a source of which the bytes up to at have come, those from
// start on in the spool, can be shown; and asks for it when viewers could read enough:
// what lies before kept.
func (w *chunkWriter) look(ctx context.Context, part *partSpool, start, at, kept int64) {
	if w.early.mode != earlyPerhaps || at < w.early.next {
		return
	}
	if w.early.index == nil {
		src := &received{Upload: arriving.Of(w.blobs, w.media.AccountID, w.media.ID, w.media.Generation, w.early.chain), part: part, start: start, at: at}
		index, err := jit.Early(ctx, src, w.media.SizeBytes)
		more, grows := errors.AsType[*jit.NeedMore](err)
		no, refused := errors.AsType[*jit.Unservable](err)
		switch {
		case refused:
			w.log.DebugContext(ctx, "source is not shown early", "media_id", w.media.ID, "reason", string(no.Reason))
			w.early = early{}
		case grows && more.TablesLast && w.layout.count() > 1 && w.media.SizeBytes-more.Size < maxTables:
			w.early = early{mode: earlyEnds, tail: more.Size - maxHeader}
		case grows && (more.TablesLast || more.Size > maxTables):
			w.early = early{}
		case err != nil: // or a piece is still on its way
			// Each look at fragments begins anew: the next when there are twice as many.
			w.early.next = 2 * at
			if grows {
				w.early.next = max(more.Size, min(w.early.next, maxTables))
			}
		default:
			w.early.index = index
		}
	}
	if w.early.index == nil || !w.early.index.Starts(kept) {
		return
	}
	if w.ask(ctx) {
		w.early.mode, w.early.index = earlyShown, nil
	}
}

// ask has the source shown.
func (w *chunkWriter) ask(ctx context.Context) bool {
	m := w.media
	err := w.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		return w.jobs.InsertTx(ctx, tx, jobs.EarlyArgs{MediaID: m.ID, Generation: m.Generation}, nil)
	})
	if err != nil {
		w.log.WarnContext(ctx, "source not shown early", "media_id", m.ID, "err", err)
	}
	return err == nil
}

// keepTail keeps readable, before the part itself is stored, what of the tables lies in
// a part that is whole in its spool. With the last of them the source is asked for: its
// beginning has been stored long ago, or soon will be, and the parts that are still on
// their way need not be waited for. See store.load on what it means to be killed here.
func (w *chunkWriter) keepTail(ctx context.Context, part *partSpool, number int) error {
	from, to := w.layout.bounds(number)
	end, ends := w.early.end(number, from, to)
	if !ends || number <= keptParts {
		return nil
	}
	if err := w.putPiece(ctx, part, end); err != nil {
		return err
	}
	if to == w.media.SizeBytes && number > keptParts+partsInFlight && w.ask(ctx) {
		w.early.mode = earlyShown
	}
	return nil
}

// keepEnd keeps readable what is to be of a part that is whole in its spool, and
// drops the pieces that came to it.
func (w *chunkWriter) keepEnd(ctx context.Context, part *partSpool, p arriving.Piece, pieces []arriving.Piece) error {
	if err := w.putPiece(ctx, part, p); err != nil {
		return err
	}
	w.drop(ctx, except(p, pieces))
	return nil
}

// except is the list without p.
func except(p arriving.Piece, list []arriving.Piece) []arriving.Piece {
	return slices.DeleteFunc(list, func(old arriving.Piece) bool { return old == p })
}

// received is a source as far as a request has it: pieces, and from start on what is
// in the spool of the part that is coming.
type received struct {
	*arriving.Upload
	part      *partSpool
	start, at int64
}

// Size is the number of bytes that have come.
func (r *received) Size() int64 { return r.at }

// ReadAt reads from pieces, then from the spool.
func (r *received) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	n := 0
	if off < r.start {
		var err error
		if n, err = r.Upload.ReadAt(ctx, p[:min(int64(len(p)), r.start-off)], off); err != nil {
			return n, err
		}
	}
	if n == len(p) || r.part == nil {
		return n, nil
	}
	more, err := r.part.file.ReadAt(p[n:], off+int64(n)-r.part.from)
	return n + more, err
}

// partSpool is a part that a request fills.
type partSpool struct {
	file *os.File
	from int64 // offset of the part in the source
}

// keeper makes what comes of a part readable while it comes, as pieces.
type keeper struct {
	w        *chunkWriter
	part     *partSpool
	out      io.Writer
	start    int64 // where this request goes on in the part
	came     atomic.Int64
	kept     int64 // everything before is readable
	pieces   []arriving.Piece
	quit     chan struct{}
	finished chan struct{}
}

// keep begins to keep a part from start on. Whoever calls it calls end.
func (w *chunkWriter) keep(ctx context.Context, part *partSpool, start int64) *keeper {
	k := &keeper{
		w: w, part: part, out: io.NewOffsetWriter(part.file, start-part.from), start: start, kept: start,
		quit: make(chan struct{}), finished: make(chan struct{}),
	}
	if !w.early.grows() {
		close(k.finished)
		return k
	}
	go func() {
		defer close(k.finished)
		tick := time.NewTicker(keepEvery)
		defer tick.Stop()
		for w.early.grows() {
			select {
			case <-k.quit:
				return
			case <-ctx.Done():
				return
			case <-tick.C:
				k.step(ctx)
			}
		}
	}()
	return k
}

// Write takes what has come.
func (k *keeper) Write(p []byte) (int, error) {
	n, err := k.out.Write(p)
	k.came.Add(int64(n))
	return n, err
}

// step makes readable what came since the last one, if the source may be shown.
func (k *keeper) step(ctx context.Context) {
	at := k.start + k.came.Load()
	if at == k.kept {
		return
	}
	k.w.look(ctx, k.part, k.start, at, k.kept)
	if !k.w.early.grows() {
		return
	}
	p := arriving.Piece{From: k.kept, To: at}
	if err := k.w.putPiece(ctx, k.part, p); err != nil {
		k.w.log.DebugContext(ctx, "piece of a part not kept", "media_id", k.w.media.ID, "err", err)
		return
	}
	k.kept, k.pieces = at, append(k.pieces, p)
	k.w.look(ctx, k.part, k.start, at, k.kept)
}

// end stops keeping. Nothing of it runs any more when it returns.
func (k *keeper) end() {
	close(k.quit)
	<-k.finished
}

// putPiece stores bytes that lie in a spool.
func (w *chunkWriter) putPiece(ctx context.Context, part *partSpool, p arriving.Piece) error {
	content := io.NewSectionReader(part.file, p.From-part.from, p.To-p.From)
	return w.blobs.Put(ctx, p.Key(uploadPrefix(w.media)), content, p.To-p.From, "application/octet-stream")
}
