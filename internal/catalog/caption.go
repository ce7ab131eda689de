package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// Where a caption track comes from.
const (
	CaptionUploaded = "upload"
	CaptionOfSource = "source"
)

// Caption is a text track of a media, one for each language.
type Caption struct {
	bun.BaseModel `bun:"table:captions,alias:c"`

	MediaID   string    `bun:"media_id,pk"`
	Language  string    `bun:"language,pk"` // BCP 47
	FileID    string    `bun:"file_id"`     // names its objects; a new text has a new one
	Label     string    `bun:"label"`
	Kind      string    `bun:"kind"` // "captions" or "subtitles"
	IsDefault bool      `bun:"is_default"`
	Origin    string    `bun:"origin"` // CaptionUploaded or CaptionOfSource
	Cues      int       `bun:"cues"`
	SizeBytes int64     `bun:"size_bytes"`
	UpdatedAt time.Time `bun:"updated_at"`
}

// PutCaption records a caption track in place of the one in its language. A track
// of a source leaves one that was uploaded alone.
func (db *DB) PutCaption(ctx context.Context, idb bun.IDB, c *Caption) error {
	c.UpdatedAt = time.Now().UTC()
	up := idb.NewInsert().Model(c).On("CONFLICT (media_id, language) DO UPDATE").
		Set("file_id = EXCLUDED.file_id").Set("label = EXCLUDED.label").Set("kind = EXCLUDED.kind").
		Set("is_default = EXCLUDED.is_default").Set("origin = EXCLUDED.origin").Set("cues = EXCLUDED.cues").
		Set("size_bytes = EXCLUDED.size_bytes").Set("updated_at = EXCLUDED.updated_at")
	if c.Origin == CaptionOfSource {
		up = up.Where("c.origin = ?", CaptionOfSource)
	}
	if _, err := up.Exec(ctx); err != nil {
		return fmt.Errorf("put captions %s of media %s: %w", c.Language, c.MediaID, err)
	}
	if !c.IsDefault {
		return nil
	}
	_, err := idb.NewUpdate().Model((*Caption)(nil)).Set("is_default = ?", false).
		Where("media_id = ? AND language <> ?", c.MediaID, c.Language).Exec(ctx)
	if err != nil {
		return fmt.Errorf("default captions of media %s: %w", c.MediaID, err)
	}
	return nil
}

// Captions returns the media's caption tracks by language.
func (db *DB) Captions(ctx context.Context, idb bun.IDB, media string) ([]Caption, error) {
	var list []Caption
	if err := idb.NewSelect().Model(&list).Where("media_id = ?", media).OrderExpr("language").Scan(ctx); err != nil {
		return nil, fmt.Errorf("captions of media %s: %w", media, err)
	}
	return list, nil
}

// RemoveCaption forgets the media's track in a language, or returns ErrNotFound.
func (db *DB) RemoveCaption(ctx context.Context, idb bun.IDB, media, language string) error {
	res, err := idb.NewDelete().Model((*Caption)(nil)).Where("media_id = ? AND language = ?", media, language).Exec(ctx)
	return asNotFound(affectedOne(res, err)("remove captions " + language + " of media " + media))
}

// Chapter is a named moment of a media, up to the next one.
type Chapter struct {
	StartMS int64  `json:"start_ms"`
	Title   string `json:"title"`
}

// EncodeChapters is how Media.Chapters holds chapters.
func EncodeChapters(list []Chapter) string {
	if len(list) == 0 {
		return ""
	}
	raw, err := json.Marshal(list)
	if err != nil {
		panic("catalog: " + err.Error()) // numbers and strings always encode
	}
	return string(raw)
}

// ChapterList is the media's chapters, in order.
func (m *Media) ChapterList() ([]Chapter, error) {
	if m.Chapters == "" {
		return nil, nil
	}
	var list []Chapter
	if err := json.Unmarshal([]byte(m.Chapters), &list); err != nil {
		return nil, fmt.Errorf("chapters of media %s: %w", m.ID, err)
	}
	return list, nil
}
