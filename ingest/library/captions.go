package library

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/captions"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/internal/langtag"
)

// maxCaptionTracks bounds the languages of a media.
const maxCaptionTracks = 60

// Captions is a caption track as the API shows it.
type Captions struct {
	Language  string    `json:"language" example:"de" doc:"BCP 47."`
	Label     string    `json:"label" example:"Deutsch" doc:"As a player's menu shows it."`
	Kind      string    `json:"kind" enum:"captions,subtitles" doc:"captions tell of sounds too, for those who do not hear them."`
	Default   bool      `json:"default" doc:"Shown unless the viewer chooses otherwise."`
	Origin    string    `json:"origin" enum:"upload,source" doc:"Whether it was uploaded or found in the video's file."`
	Cues      int       `json:"cues"`
	SizeBytes int64     `json:"size_bytes"`
	URL       string    `json:"url" doc:"The track as WebVTT."`
	UpdatedAt time.Time `json:"updated_at"`
}

func (s *Service) captionsView(m catalog.Media, c catalog.Caption, settings catalog.MediaSettings) Captions {
	return Captions{
		Language: c.Language, Label: c.Label, Kind: c.Kind, Default: c.IsDefault, Origin: c.Origin, Cues: c.Cues,
		SizeBytes: c.SizeBytes, UpdatedAt: c.UpdatedAt.UTC(),
		URL: s.files(m.ID, s.previewToken(m.ID, settings)) + blob.Relative(m.AccountID, m.ID, blob.CaptionKey(m.AccountID, m.ID, c.FileID)),
	}
}

type captionsList struct {
	Body struct {
		Items []Captions `json:"items" nullable:"false"`
	}
}

// listCaptions answers with a media's caption tracks, by language.
func (s *Service) listCaptions(ctx context.Context, in *auth.ByID) (*captionsList, error) {
	m, err := auth.Media(ctx, s.db, in.ID)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Captions(ctx, s.db, m.ID)
	if err != nil {
		return nil, err
	}
	settings, err := s.db.Settings(ctx, s.db, m.ID)
	if err != nil {
		return nil, err
	}
	out := &captionsList{}
	out.Body.Items = make([]Captions, 0, len(rows))
	for _, c := range rows {
		out.Body.Items = append(out.Body.Items, s.captionsView(m, c, settings))
	}
	return out, nil
}

type captionsByLanguage struct {
	ID       string `path:"id" doc:"The media's id." example:"k3v9x0a1bz"`
	Language string `path:"language" maxLength:"35" doc:"BCP 47, or ISO 639-2 as video files have it." example:"de"`
}

var errLanguage = fault.New(fault.Invalid, "unknown-language", "This is not a language tag as BCP 47 defines them, such as en or pt-BR.")

// track returns the caller's media and the canonical language.
func (s *Service) track(ctx context.Context, in captionsByLanguage) (catalog.Media, string, error) {
	m, err := auth.Media(ctx, s.db, in.ID)
	if err != nil {
		return m, "", err
	}
	tag := langtag.Canonical(in.Language)
	if tag == "" && in.Language == "und" { // of a video's file that does not tell
		tag = in.Language
	}
	if tag == "" {
		return m, "", errLanguage
	}
	return m, tag, nil
}

type putCaptionsInput struct {
	ID       string `path:"id" doc:"The media's id." example:"k3v9x0a1bz"`
	Language string `path:"language" maxLength:"35" doc:"BCP 47, or ISO 639-2 as video files have it." example:"de"`

	Label   string `query:"label" maxLength:"60" doc:"As a player's menu shows it; the language's own name by default."`
	Kind    string `query:"kind" enum:"captions,subtitles" default:"captions"`
	Default bool   `query:"default" doc:"Show it unless the viewer chooses otherwise."`
	RawBody []byte `contentType:"text/vtt" doc:"A SubRip or WebVTT text in UTF-8 or UTF-16, at most 4 MiB."`
}

type captionsOutput struct{ Body Captions }

// putCaptions puts a caption track in place of the one in its language. What was
// uploaded is kept, and never served: viewers get what is written anew of its cues.
func (s *Service) putCaptions(ctx context.Context, in *putCaptionsInput) (*captionsOutput, error) {
	m, tag, err := s.track(ctx, captionsByLanguage{in.ID, in.Language})
	if err != nil {
		return nil, err
	}
	track, err := captions.Parse(in.RawBody)
	if err != nil {
		return nil, captionsFault(err)
	}
	label := langtag.Clean(in.Label)
	if label == "" {
		label = langtag.Name(tag)
	}
	vtt := track.VTT()
	row := catalog.Caption{
		MediaID: m.ID, Language: tag, FileID: catalog.NewID(), Label: label, Kind: in.Kind, IsDefault: in.Default,
		Origin: catalog.CaptionUploaded, Cues: track.Cues(), SizeBytes: int64(len(vtt)),
	}
	if err := s.blobs.PutBytes(ctx, blob.CaptionOriginalKey(m.AccountID, m.ID, row.FileID), in.RawBody, "application/octet-stream"); err != nil {
		return nil, err
	}
	if err := s.blobs.PutBytes(ctx, blob.CaptionKey(m.AccountID, m.ID, row.FileID), vtt, "text/vtt"); err != nil {
		return nil, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		rows, err := s.db.Captions(ctx, tx, m.ID)
		if err != nil {
			return err
		}
		if len(rows) >= maxCaptionTracks {
			return fault.New(fault.TooLarge, "too-many-captions", "A video can have captions in %d languages at most.", maxCaptionTracks)
		}
		if err := s.db.PutCaption(ctx, tx, &row); err != nil {
			return err
		}
		return s.presentAnew(ctx, tx, m)
	})
	if err != nil {
		return nil, err
	}
	settings, err := s.db.Settings(ctx, s.db, m.ID)
	if err != nil {
		return nil, err
	}
	return &captionsOutput{Body: s.captionsView(m, row, settings)}, nil
}

// captionsFault tells a caller why a text is refused.
func captionsFault(err error) error {
	for reason, code := range map[error]string{
		captions.ErrEncoding: "captions-encoding", captions.ErrEmpty: "captions-empty", captions.ErrFormat: "captions-format",
	} {
		if errors.Is(err, reason) {
			return fault.Wrap(fault.Invalid, err, code, "These captions cannot be used: %s.", reason)
		}
	}
	if errors.Is(err, captions.ErrTooLarge) {
		return fault.Wrap(fault.TooLarge, err, "captions-too-large", "These captions cannot be used: %s.", captions.ErrTooLarge)
	}
	return err
}

type captionsText struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

// getCaptions answers with a caption track as WebVTT.
func (s *Service) getCaptions(ctx context.Context, in *captionsByLanguage) (*captionsText, error) {
	m, tag, err := s.track(ctx, *in)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Captions(ctx, s.db, m.ID)
	if err != nil {
		return nil, err
	}
	for _, c := range rows {
		if c.Language != tag {
			continue
		}
		r, _, err := s.blobs.Get(ctx, blob.CaptionKey(m.AccountID, m.ID, c.FileID))
		if err != nil {
			return nil, err
		}
		defer r.Close()
		body, err := io.ReadAll(io.LimitReader(r, 2*captions.MaxBytes))
		return &captionsText{ContentType: "text/vtt; charset=utf-8", Body: body}, err
	}
	return nil, fmt.Errorf("captions %s of media %s: %w", tag, m.ID, catalog.ErrNotFound)
}

// deleteCaptions removes a caption track. Its objects go with the media, since
// viewers may be reading them.
func (s *Service) deleteCaptions(ctx context.Context, in *captionsByLanguage) (*struct{}, error) {
	m, tag, err := s.track(ctx, *in)
	if err != nil {
		return nil, err
	}
	return nil, s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		if err := s.db.RemoveCaption(ctx, tx, m.ID, tag); err != nil {
			return err
		}
		return s.presentAnew(ctx, tx, m)
	})
}

// presentAnew has viewers shown what was changed in tx, and tells the live feed.
func (s *Service) presentAnew(ctx context.Context, tx catalog.Tx, m catalog.Media) error {
	if err := s.db.SetMedia(ctx, tx, m.ID, m.Generation); err != nil {
		return err
	}
	return s.jobs.InsertTx(ctx, tx, jobs.PresentArgs{MediaID: m.ID, Generation: m.Generation}, nil)
}
