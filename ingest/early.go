package ingest

import (
	"context"
	"errors"
	"io"
	"os"
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
)

// earlyMode says what is done about showing a source before it is whole.
type earlyMode int

const (
	earlyNever   earlyMode = iota // it cannot be, or what came before is not readable any more
	earlyPerhaps                  // its tables have not come
	earlyShown                    // it has been asked for
)

// early is how a request treats a source that may be shown before it is whole: its
// bytes are kept readable, and once playback can begin a job is asked to show it.
type early struct {
	mode  earlyMode
	chain []arriving.Piece // what is readable, or about to be, of the parts before
	index *jit.Index       // once the tables have come
	next  int64            // how far the source must have come for another look
}

// beginEarly decides how this request goes on, from the objects alone: a source whose
// bytes are all readable so far may still be shown.
func (w *chunkWriter) beginEarly(ctx context.Context) {
	m := w.media
	switch {
	case arriving.End(w.chain, 0) != w.at:
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
	m := w.media
	err := w.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		return w.jobs.InsertTx(ctx, tx, jobs.EarlyArgs{MediaID: m.ID, Generation: m.Generation}, nil)
	})
	if err != nil {
		w.log.WarnContext(ctx, "source not shown early", "media_id", m.ID, "err", err)
		return
	}
	w.early.mode, w.early.index = earlyShown, nil
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
	if w.early.mode == earlyNever {
		close(k.finished)
		return k
	}
	go func() {
		defer close(k.finished)
		tick := time.NewTicker(keepEvery)
		defer tick.Stop()
		for w.early.mode != earlyNever {
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
	if k.w.early.mode == earlyNever {
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
