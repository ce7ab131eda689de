package library

import (
	"bytes"
	"context"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/jobs"
)

// maxPosterBytes bounds an uploaded picture.
const maxPosterBytes = 20 << 20

var (
	errNoPicture  = fault.New(fault.Conflict, "no-picture", "This media has no picture to choose a poster from. Upload one.")
	errAfterEnd   = fault.New(fault.Invalid, "poster-after-end", "This moment is after the end of the video.")
	errNotPicture = fault.New(fault.Invalid, "not-a-picture", "This is not a JPEG, PNG, GIF or WebP picture.")
)

type choosePosterInput struct {
	ID   string `path:"id" doc:"The media's id." example:"k3v9x0a1bz"`
	Body struct {
		TimeSeconds float64 `json:"time_seconds" minimum:"0" maximum:"43200" example:"12.5"`
	}
}

// choosePoster has a poster made of the frame at a moment. It is there some seconds
// later, which the live feed tells.
func (s *Service) choosePoster(ctx context.Context, in *choosePosterInput) (*mediaOutput, error) {
	m, err := auth.Media(ctx, s.db, in.ID)
	if err != nil {
		return nil, err
	}
	at := int64(in.Body.TimeSeconds * 1000)
	switch {
	case m.PlayableAt.IsZero() || m.State == catalog.StateFailed:
		return nil, errNotPlayable
	case !m.HasVideo:
		return nil, errNoPicture
	case at >= m.DurationMS:
		return nil, errAfterEnd
	}
	args := jobs.PosterArgs{MediaID: m.ID, Generation: m.Generation, PosterID: catalog.NewID(), AtMS: at}
	err = s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error { return s.jobs.InsertTx(ctx, tx, args, nil) })
	if err != nil {
		return nil, err
	}
	return s.answer(ctx, in.ID)
}

var errNotPlayable = fault.New(fault.Conflict, "not-playable", "This video does not play yet. Try again when it does.")

type uploadPosterInput struct {
	ID      string `path:"id" doc:"The media's id." example:"k3v9x0a1bz"`
	RawBody []byte `contentType:"image/jpeg" doc:"A JPEG, PNG, GIF or WebP picture of at most 20 MiB, 36 megapixels and 8192 pixels a side."`
}

// uploadPoster keeps a picture and has a poster made of it, in the sandbox in which
// media is decoded: here only its first bytes are looked at.
func (s *Service) uploadPoster(ctx context.Context, in *uploadPosterInput) (*mediaOutput, error) {
	m, err := auth.Media(ctx, s.db, in.ID)
	if err != nil {
		return nil, err
	}
	if m.PlayableAt.IsZero() || m.State == catalog.StateFailed {
		return nil, errNotPlayable
	}
	if !looksLikePicture(in.RawBody) {
		return nil, errNotPicture
	}
	args := jobs.PosterArgs{MediaID: m.ID, Generation: m.Generation, PosterID: catalog.NewID(), Uploaded: true}
	key := blob.PosterUploadKey(m.AccountID, m.ID, args.PosterID)
	if err := s.blobs.PutBytes(ctx, key, in.RawBody, "application/octet-stream"); err != nil {
		return nil, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error { return s.jobs.InsertTx(ctx, tx, args, nil) })
	if err != nil {
		return nil, err
	}
	return s.answer(ctx, in.ID)
}

func looksLikePicture(head []byte) bool {
	for _, magic := range []string{"\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "GIF87a", "GIF89a"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return len(head) > 12 && bytes.HasPrefix(head, []byte("RIFF")) && bytes.Equal(head[8:12], []byte("WEBP"))
}
