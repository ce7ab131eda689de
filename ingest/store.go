package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/vitascope/vitascope/internal/arriving"
	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
)

// Jobs enqueues work in the transaction of the rows it belongs to.
type Jobs interface {
	InsertTx(ctx context.Context, tx catalog.Tx, args river.JobArgs, opts *river.InsertOpts) error
}

// store keeps uploads; it is tusd's data store. An upload's id is its media's.
type store struct {
	cfg   Config
	db    *catalog.DB
	blobs *blob.Store
	jobs  Jobs
	log   *slog.Logger
}

// uploadDoc is upload.json: what an upload needs that the catalog does not hold.
type uploadDoc struct {
	Version   int    `json:"version"`
	PartsID   string `json:"parts_id"`
	PartBytes int64  `json:"part_bytes"`
}

const uploadDocVersion = 1

func uploadPrefix(m catalog.Media) string {
	return blob.UploadPrefix(m.AccountID, m.ID, m.Generation)
}

func docKey(m catalog.Media) string { return uploadPrefix(m) + "upload.json" }

// NewUpload creates the media and a place for its bytes. Its id comes from the
// creation hook.
func (s *store) NewUpload(ctx context.Context, info handler.FileInfo) (handler.Upload, error) {
	m := catalog.Media{
		ID:         info.ID,
		AccountID:  auth.AccountID(ctx),
		Name:       CleanName(info.MetaData["filename"]),
		State:      catalog.StateUploading,
		Generation: 1,
		SizeBytes:  info.Size,
	}
	m.SourceKey = blob.SourceKey(m.AccountID, m.ID, m.Generation)
	// The row comes first: whatever a crash leaves behind is then found by the sweep.
	err := s.db.CreateMediaWithinQuota(ctx, &m)
	if errors.Is(err, catalog.ErrQuota) {
		return nil, errQuota
	}
	if err != nil {
		return nil, err
	}
	u := &upload{store: s, media: m, layout: newLayout(info.Size, s.cfg.PartBytes), loaded: true}
	if info.Size == 0 {
		return u, nil
	}
	if err := s.prepare(ctx, u); err != nil {
		if err := s.db.DeleteMedia(context.WithoutCancel(ctx), s.db, m.AccountID, m.ID); err != nil {
			s.log.WarnContext(ctx, "media of a failed upload not removed", "media_id", m.ID, "err", err)
		}
		return nil, err
	}
	s.log.InfoContext(ctx, "upload begun", "media_id", m.ID, "account_id", m.AccountID, "size_bytes", m.SizeBytes)
	return u, nil
}

// errQuota is what tusd answers before the first byte.
var errQuota = handler.NewError("ERR_QUOTA", "the account's quota is used up", http.StatusRequestEntityTooLarge)

func (s *store) prepare(ctx context.Context, u *upload) error {
	id, err := s.blobs.StartParts(ctx, u.media.SourceKey, "application/octet-stream")
	if err != nil {
		return err
	}
	u.doc = uploadDoc{Version: uploadDocVersion, PartsID: id, PartBytes: u.layout.part}
	raw, err := json.Marshal(u.doc)
	if err != nil {
		return fmt.Errorf("encode upload %s: %w", u.media.ID, err)
	}
	return s.blobs.PutBytes(ctx, docKey(u.media), raw, "application/json")
}

// GetUpload returns the caller's upload. Another account's, an unknown and an
// abandoned one all answer as not found.
func (s *store) GetUpload(ctx context.Context, id string) (handler.Upload, error) {
	if !catalog.IsID(id) {
		return nil, handler.ErrNotFound
	}
	m, err := s.db.Media(ctx, auth.AccountID(ctx), id)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, handler.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	if m.State == catalog.StateFailed && m.UploadedAt.IsZero() {
		return nil, handler.ErrNotFound
	}
	return &upload{store: s, media: m}, nil
}

// AsTerminatableUpload lets tusd end uploads by DELETE.
func (s *store) AsTerminatableUpload(u handler.Upload) handler.TerminatableUpload {
	return u.(*upload) // tusd hands back what GetUpload gave it
}

// load finds out how far the upload has come, from the objects alone.
func (s *store) load(ctx context.Context, u *upload) error {
	if u.loaded {
		return nil
	}
	m := u.media
	u.layout = newLayout(m.SizeBytes, s.cfg.PartBytes)
	if m.State != catalog.StateUploading || m.SizeBytes == 0 {
		u.offset, u.loaded = m.SizeBytes, true
		return nil
	}
	doc, err := s.readDoc(ctx, m)
	if errors.Is(err, handler.ErrNotFound) {
		return s.loadFinished(ctx, u)
	}
	if err != nil {
		return err
	}
	u.doc, u.layout.part = doc, doc.PartBytes
	parts, err := s.blobs.Parts(ctx, m.SourceKey, doc.PartsID)
	if errors.Is(err, blob.ErrNotFound) {
		return s.loadCompleted(ctx, u)
	}
	if err != nil {
		return err
	}
	u.parts = u.layout.whole(parts)
	u.offset = min(int64(len(u.parts))*u.layout.part, m.SizeBytes)
	if u.offset < m.SizeBytes {
		pieces, err := s.pieces(ctx, m)
		if err != nil {
			return err
		}
		u.chain = arriving.Reach(pieces, 0)
		u.pieces = arriving.Reach(inFrontOf(u.layout.end(u.offset), pieces), u.offset)
		u.offset = arriving.End(u.pieces, u.offset)
	}
	u.loaded = true
	return nil
}

// inFrontOf leaves out the pieces that reach a boundary. Whoever may have to show the
// source stores those, some before the part that they end: a kill in between leaves them
// without it, and an upload that went on behind them would never have that part. Nothing
// that was acknowledged is lost, since a part is stored before its last byte is.
func inFrontOf(boundary int64, pieces []arriving.Piece) []arriving.Piece {
	return slices.DeleteFunc(pieces, func(p arriving.Piece) bool { return p.To >= boundary })
}

// loadFinished handles an upload of which nothing is left. The sweep, or another
// process, may have finished it since its media was read; else there is nothing to
// resume.
func (s *store) loadFinished(ctx context.Context, u *upload) error {
	m, err := s.db.Media(ctx, u.media.AccountID, u.media.ID)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return handler.ErrNotFound
	case err != nil:
		return err
	case m.Generation != u.media.Generation || m.UploadedAt.IsZero():
		return handler.ErrNotFound
	}
	u.media, u.offset, u.loaded = m, m.SizeBytes, true
	return nil
}

// joinPatience is how long an upload whose parts are being put together is waited for,
// less than clients wait for an answer.
const (
	joinPatience = 15 * time.Second
	joinRetry    = 100 * time.Millisecond
)

// loadCompleted handles a crash between the completion in S3 and its record here. While
// the sweep or another process puts the parts together some S3 servers show neither
// these nor the object.
func (s *store) loadCompleted(ctx context.Context, u *upload) error {
	tick := time.NewTicker(joinRetry)
	defer tick.Stop()
	for end := time.Now().Add(joinPatience); ; {
		info, err := s.blobs.Stat(ctx, u.media.SourceKey)
		switch {
		case err == nil && info.Size != u.media.SizeBytes:
			return fmt.Errorf("source of media %s has %d bytes, want %d", u.media.ID, info.Size, u.media.SizeBytes)
		case err == nil:
			u.offset, u.completed, u.loaded = info.Size, true, true
			return nil
		case !errors.Is(err, blob.ErrNotFound):
			return err
		case time.Now().After(end) && time.Since(u.media.UpdatedAt) < finishGrace:
			return handler.ErrFileLocked // a large one: clients ask again
		case time.Now().After(end):
			return handler.ErrNotFound // nothing to resume: the client starts afresh
		}
		if _, err := s.blobs.Parts(ctx, u.media.SourceKey, u.doc.PartsID); err == nil {
			return handler.ErrFileLocked // it failed, and the parts are back
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (s *store) readDoc(ctx context.Context, m catalog.Media) (uploadDoc, error) {
	r, _, err := s.blobs.Get(ctx, docKey(m))
	if errors.Is(err, blob.ErrNotFound) {
		return uploadDoc{}, handler.ErrNotFound // killed before the first byte could come
	}
	if err != nil {
		return uploadDoc{}, err
	}
	defer r.Close()
	var doc uploadDoc
	if err := json.NewDecoder(io.LimitReader(r, 64<<10)).Decode(&doc); err != nil {
		return uploadDoc{}, fmt.Errorf("read upload of media %s: %w", m.ID, err)
	}
	if doc.Version != uploadDocVersion || doc.PartBytes < 1 {
		return uploadDoc{}, fmt.Errorf("upload of media %s has version %d, this release reads %d", m.ID, doc.Version, uploadDocVersion)
	}
	return doc, nil
}

func (s *store) pieces(ctx context.Context, m catalog.Media) ([]arriving.Piece, error) {
	prefix := uploadPrefix(m)
	var list []arriving.Piece
	for info, err := range s.blobs.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		if p, ok := arriving.ParsePiece(info.Key[len(prefix):], info.Size); ok {
			list = append(list, p)
		}
	}
	return list, nil
}

// discard removes what an unfinished upload keeps in S3.
func (s *store) discard(ctx context.Context, m catalog.Media) error {
	if err := s.blobs.AbortParts(ctx, m.SourceKey); err != nil {
		return err
	}
	return s.blobs.RemovePrefix(ctx, uploadPrefix(m))
}
