package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"
	"golang.org/x/sync/errgroup"

	"github.com/vitascope/vitascope/internal/arriving"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
)

const (
	// progressEvery bounds how often a running upload writes to the catalog.
	progressEvery = 500 * time.Millisecond
	// partsInFlight is how many parts of one request are sent to S3 while the next
	// one is received.
	partsInFlight = 2
	// maxPieces in front of one boundary; more are merged into one, so that a client
	// sending single bytes does not make an object of each.
	maxPieces = 64
)

// upload is one upload while one request, holding its lock, works on it.
type upload struct {
	*store
	media     catalog.Media
	doc       uploadDoc
	layout    layout
	parts     []blob.Part      // whole ones, from the first
	pieces    []arriving.Piece // leading on from there
	chain     []arriving.Piece // from the first byte on, as far as they reach
	offset    int64            // end of parts and pieces
	completed bool             // the source object exists
	loaded    bool
}

// GetInfo tells how far the upload has come. One whose bytes are all there but
// whose end was lost in a crash is finished on the way.
func (u *upload) GetInfo(ctx context.Context) (handler.FileInfo, error) {
	if err := u.load(ctx, u); err != nil {
		return handler.FileInfo{}, err
	}
	if u.media.State == catalog.StateUploading && u.offset == u.media.SizeBytes {
		if err := u.FinishUpload(ctx); err != nil {
			return handler.FileInfo{}, err
		}
	}
	return handler.FileInfo{
		ID:       u.media.ID,
		Size:     u.media.SizeBytes,
		Offset:   u.offset,
		MetaData: handler.MetaData{"filename": u.media.Name},
	}, nil
}

// WriteChunk appends src at offset and returns how many of its bytes are safe.
func (u *upload) WriteChunk(ctx context.Context, offset int64, src io.Reader) (int64, error) {
	if err := u.load(ctx, u); err != nil {
		return 0, err
	}
	if offset != u.offset {
		return 0, handler.ErrMismatchOffset
	}
	w := &chunkWriter{upload: u, src: src, at: offset, reported: u.media.UpdatedAt}
	w.sending.SetLimit(partsInFlight)
	w.beginEarly(ctx)
	err := w.run(ctx)
	if err := u.stillWanted(ctx); err != nil {
		return 0, err
	}
	if err != nil {
		// What is safe is what the objects say, not what was read.
		u.loaded = false
		if loadErr := u.load(ctx, u); loadErr != nil {
			return 0, errors.Join(err, loadErr)
		}
		return max(0, u.offset-offset), err
	}
	u.offset = w.at
	if w.at == w.media.SizeBytes && w.early.mode == earlyEnds {
		w.ask(ctx) // before the parts are put together, which takes the longer the larger they are
	}
	return w.at - offset, nil
}

// stillWanted removes what was written for a media that was deleted meanwhile.
func (u *upload) stillWanted(ctx context.Context) error {
	_, err := u.db.Media(ctx, u.media.AccountID, u.media.ID)
	if !errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	if err := u.discard(ctx, u.media); err != nil {
		u.log.WarnContext(ctx, "bytes of a deleted media not removed", "media_id", u.media.ID, "err", err)
	}
	return handler.ErrNotFound
}

// chunkWriter takes one request's bytes part by part.
type chunkWriter struct {
	*upload
	src      io.Reader
	at       int64 // next byte of the file
	early    early
	sending  errgroup.Group
	reported time.Time // last progress in the catalog
}

func (w *chunkWriter) run(ctx context.Context) error {
	err := w.receive(ctx)
	// Parts on their way are waited for even after a fault: nothing outlives the lock.
	return errors.Join(err, w.sending.Wait())
}

func (w *chunkWriter) receive(ctx context.Context) error {
	for w.at < w.media.SizeBytes {
		more, err := w.receivePart(ctx)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	return nil
}

// receivePart fills the part that w.at lies in. It reports whether the source may
// have more.
func (w *chunkWriter) receivePart(ctx context.Context) (more bool, err error) {
	number := w.layout.number(w.at)
	from, to := w.layout.bounds(number)
	spool, err := newSpool(w.cfg.TempDir)
	if err != nil {
		return false, err
	}
	part := &partSpool{file: spool, from: from}
	start := w.at
	// The spool mirrors the part: what earlier requests left is filled in later, and
	// only if this request reaches the end.
	k := w.keep(ctx, part, start)
	n, err := io.Copy(k, &progressReader{w: w, ctx: ctx, r: io.LimitReader(w.src, to-start)})
	k.end()
	if err != nil || n == 0 {
		return false, errors.Join(err, spool.Close())
	}
	w.at = start + n
	before := w.pieces
	if w.at < to {
		defer spool.Close()
		if err := w.sending.Wait(); err != nil { // a piece counts only behind whole parts
			return false, err
		}
		if k.kept < w.at {
			err = w.keepPiece(ctx, part, arriving.Piece{From: k.kept, To: w.at}, slices.Concat(before, k.pieces))
		}
		if err == nil {
			w.look(ctx, part, start, w.at, w.at)
		}
		return false, err
	}
	w.pieces = nil
	if to < w.media.SizeBytes {
		w.look(ctx, part, start, to, to)
	}
	how := w.early
	if err := w.keepTail(ctx, part, number); err != nil {
		return false, errors.Join(err, spool.Close())
	}
	if how.grows() {
		w.early.chain = append(slices.Concat(w.early.chain, k.pieces), arriving.Piece{From: k.kept, To: to})
	}
	w.sending.Go(func() error {
		defer spool.Close()
		return w.sendPart(ctx, part, number, before, k, how)
	})
	return true, nil
}

// sendPart stores a part that is whole, of which before was there already, and keeps
// it readable or not. The rest of the last part of a source that grows need not be:
// the source follows.
func (w *chunkWriter) sendPart(ctx context.Context, part *partSpool, number int, before []arriving.Piece, k *keeper, how early) error {
	from, to := w.layout.bounds(number)
	if err := w.fill(ctx, part.file, from, before); err != nil {
		return err
	}
	err := w.blobs.PutPart(ctx, w.media.SourceKey, w.doc.PartsID, number, io.NewSectionReader(part.file, 0, to-from), to-from)
	if err != nil {
		return err
	}
	end, ends := how.end(number, from, to)
	switch {
	case ends && number > keptParts: // kept before
		w.drop(ctx, except(end, slices.Concat(before, k.pieces)))
	case ends:
		return w.keepEnd(ctx, part, end, slices.Concat(before, k.pieces))
	case !how.grows():
		w.drop(ctx, slices.Concat(before, k.pieces))
	case k.kept < to && to < w.media.SizeBytes:
		return w.putPiece(ctx, part, arriving.Piece{From: k.kept, To: to})
	}
	return nil
}

// keepPiece stores what is left over in front of a boundary, merging it with
// earlier pieces when they have become many.
func (w *chunkWriter) keepPiece(ctx context.Context, part *partSpool, p arriving.Piece, older []arriving.Piece) error {
	if len(older) >= maxPieces {
		if err := w.fill(ctx, part.file, part.from, older); err != nil {
			return err
		}
		p.From = part.from
	}
	if err := w.putPiece(ctx, part, p); err != nil {
		return err
	}
	if p.From == part.from {
		w.pieces = []arriving.Piece{p}
		w.drop(ctx, older)
	} else {
		w.pieces = append(older, p)
	}
	return nil
}

// fill copies pieces to their place in the spool of the part that begins at from.
func (w *chunkWriter) fill(ctx context.Context, spool *os.File, from int64, pieces []arriving.Piece) error {
	for _, p := range pieces {
		r, _, err := w.blobs.Get(ctx, p.Key(uploadPrefix(w.media)))
		if err != nil {
			return err
		}
		// A piece that overlaps its neighbour holds the same bytes there.
		n, err := io.Copy(io.NewOffsetWriter(spool, p.From-from), r)
		if err = errors.Join(err, r.Close()); err != nil {
			return fmt.Errorf("read back bytes %d-%d of media %s: %w", p.From, p.To, w.media.ID, err)
		}
		if n != p.To-p.From {
			return fmt.Errorf("read back bytes %d-%d of media %s: got %d", p.From, p.To, w.media.ID, n)
		}
	}
	return nil
}

// drop removes pieces that something else covers. One that stays is ignored later.
func (w *chunkWriter) drop(ctx context.Context, pieces []arriving.Piece) {
	for _, p := range pieces {
		if err := w.blobs.Remove(ctx, p.Key(uploadPrefix(w.media))); err != nil {
			w.log.DebugContext(ctx, "covered piece not removed", "media_id", w.media.ID, "err", err)
		}
	}
}

// progressReader tells the catalog how many bytes have come, now and then.
type progressReader struct {
	w    *chunkWriter
	ctx  context.Context // lives as long as one io.Copy
	r    io.Reader
	read int64
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.read += int64(n)
	if now := time.Now(); now.Sub(p.w.reported) >= progressEvery && n > 0 {
		p.w.reported = now
		if err := p.w.db.UpdateUploaded(p.ctx, p.w.media.ID, p.w.media.Generation, p.w.at+p.read); err != nil {
			p.w.log.DebugContext(p.ctx, "upload progress not recorded", "media_id", p.w.media.ID, "err", err)
		}
	}
	return n, err
}

// newSpool opens a file that is gone when it is closed or the process dies.
func newSpool(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "upload-*")
	if err != nil {
		return nil, fmt.Errorf("spool upload: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("spool upload: %w", err), f.Close())
	}
	return f, nil
}

// GetReader implements tusd's upload. Sources are not served here.
func (u *upload) GetReader(context.Context) (io.ReadCloser, error) {
	return nil, handler.ErrNotImplemented
}
