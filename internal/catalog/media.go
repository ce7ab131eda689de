package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

// MediaState is where a media is on its way from upload to full ladder:
//
//	uploading -> probing -> playable -> ready
//	     any of these      -> failed(code, reason, retryable)
//	     failed, retryable -> probing
//
// A source may be shown from the moment that its beginning has arrived: see
// [Media.Shown].
type MediaState string

// The states of a media.
const (
	StateUploading MediaState = "uploading" // bytes are arriving
	StateProbing   MediaState = "probing"   // all bytes are here; being looked at and first encoded
	StatePlayable  MediaState = "playable"  // plays; the ladder is still growing
	StateReady     MediaState = "ready"     // the whole ladder is published
	StateFailed    MediaState = "failed"    // see Failure fields
)

// Extent is what a publication holds.
type Extent string

// The extents of a publication.
const (
	ExtentNone    Extent = ""        // there is none, or it is an earlier release's
	ExtentSource  Extent = "source"  // the source as it is
	ExtentGrowing Extent = "growing" // a rung that is still being made
	ExtentRungs   Extent = "rungs"   // complete rungs; others follow
	ExtentWhole   Extent = "whole"   // the whole ladder
)

// Media is one video or audio item of an account.
type Media struct {
	bun.BaseModel `bun:"table:media,alias:m"`

	ID               string     `bun:"id,pk"`
	AccountID        string     `bun:"account_id"`
	Name             string     `bun:"name"`
	State            MediaState `bun:"state"`
	FailureCode      string     `bun:"failure_code"`      // stable, snake_case; empty unless failed
	FailureReason    string     `bun:"failure_reason"`    // a sentence for people
	FailureRetryable bool       `bun:"failure_retryable"` // whether trying again can help
	Generation       int        `bun:"generation"`        // counts uploaded sources, from 1
	Publication      int        `bun:"publication"`       // newest published ladder, 0 before the first
	MultivariantKey  string     `bun:"multivariant_key"`  // of the newest publication
	Extent           Extent     `bun:"extent"`            // of the newest publication
	SourceKey        string     `bun:"source_key"`
	SizeBytes        int64      `bun:"size_bytes"`
	UploadedBytes    int64      `bun:"uploaded_bytes"`
	DurationMS       int64      `bun:"duration_ms"`
	Width            int        `bun:"width"`  // as displayed, in square pixels
	Height           int        `bun:"height"` // as displayed, in square pixels
	FrameRate        float64    `bun:"frame_rate"`
	HasVideo         bool       `bun:"has_video"`
	HasAudio         bool       `bun:"has_audio"`
	Progress         float64    `bun:"progress"` // of encoding, 0 to 1
	PosterKey        string     `bun:"poster_key"`
	PosterChosen     bool       `bun:"poster_chosen"` // by someone: encoding leaves it alone
	StoryboardKey    string     `bun:"storyboard_key"`
	PreviewKey       string     `bun:"preview_key"`
	Chapters         string     `bun:"chapters"`        // JSON, see Chapter
	ChaptersEdited   bool       `bun:"chapters_edited"` // by someone: those of a source are ignored
	CreatedAt        time.Time  `bun:"created_at"`
	UpdatedAt        time.Time  `bun:"updated_at"`
	ChangedMS        int64      `bun:"changed_ms"` // Unix milliseconds of the last change
	UploadedAt       time.Time  `bun:"uploaded_at,nullzero"`
	PlayableAt       time.Time  `bun:"playable_at,nullzero"`
	ReadyAt          time.Time  `bun:"ready_at,nullzero"`
	DeletedAt        time.Time  `bun:"deleted_at,nullzero"`
}

// Shown is the state as people are told it: a media that plays is playable, though its
// source may still be arriving or being looked at.
func (m *Media) Shown() MediaState {
	if (m.State == StateUploading || m.State == StateProbing) && m.Publication > 0 && !m.PlayableAt.IsZero() {
		return StatePlayable
	}
	return m.State
}

// CreateMedia inserts m, which must name its id, account, state and generation.
func (db *DB) CreateMedia(ctx context.Context, idb bun.IDB, m *Media) error {
	now := time.Now().UTC()
	m.CreatedAt, m.UpdatedAt, m.ChangedMS = now, now, now.UnixMilli()
	if _, err := idb.NewInsert().Model(m).Exec(ctx); err != nil {
		return fmt.Errorf("create media %s: %w", m.ID, err)
	}
	return nil
}

// Media returns the account's media, or ErrNotFound.
func (db *DB) Media(ctx context.Context, account, id string) (Media, error) {
	var m Media
	err := db.NewSelect().Model(&m).Where("id = ? AND account_id = ? AND deleted_at IS NULL", id, account).Scan(ctx)
	return m, notFound(err, "media", id)
}

// MediaByID returns a media of whichever account, or ErrNotFound. It is for
// workers and public pages, which have no account of their own.
func (db *DB) MediaByID(ctx context.Context, id string) (Media, error) {
	var m Media
	err := db.NewSelect().Model(&m).Where("id = ? AND deleted_at IS NULL", id).Scan(ctx)
	return m, notFound(err, "media", id)
}

// ListMedia returns up to limit of the account's media, newest first, starting
// after cursor (empty: from the newest), whose name contains q. The second result
// is the next cursor, empty at the end.
func (db *DB) ListMedia(ctx context.Context, account, cursor string, limit int, q string) ([]Media, string, error) {
	var list []Media
	sel := db.NewSelect().Model(&list).Where("account_id = ? AND deleted_at IS NULL", account).
		OrderExpr("created_at DESC, id DESC").Limit(int64(limit) + 1)
	if q != "" {
		escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(q))
		sel = sel.Where(`lower(name) LIKE ? ESCAPE '\'`, "%"+escaped+"%")
	}
	if cursor != "" {
		last, err := db.Media(ctx, account, cursor)
		if err != nil {
			return nil, "", err
		}
		sel = sel.Where("(created_at < ? OR (created_at = ? AND id < ?))", last.CreatedAt, last.CreatedAt, last.ID)
	}
	if err := sel.Scan(ctx); err != nil {
		return nil, "", fmt.Errorf("list media of account %s: %w", account, err)
	}
	if len(list) <= limit {
		return list, "", nil
	}
	list = list[:limit]
	return list, list[limit-1].ID, nil
}

// ChangedMedia returns the account's media that changed at or after sinceMS, Unix
// milliseconds, oldest change first, deleted ones included.
func (db *DB) ChangedMedia(ctx context.Context, account string, sinceMS int64) ([]Media, error) {
	var list []Media
	err := db.NewSelect().Model(&list).Where("account_id = ? AND changed_ms >= ?", account, sinceMS).
		OrderExpr("changed_ms, id").Limit(500).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("changed media of account %s: %w", account, err)
	}
	return list, nil
}

// Set names a column of media and its new value, for Transition.
type Set struct {
	Column string
	Value  any
}

// Unless is a value for Set: that of the column kept where the boolean column flag
// is set, else value.
func Unless(flag, kept string, value any) any {
	return bun.SafeQuery("CASE WHEN ? THEN ? ELSE ? END", bun.Ident(flag), bun.Ident(kept), value)
}

// Transition moves generation's media from one of the states in from to state to
// and sets the given columns, or returns ErrConflict when it is in another state,
// on another generation or deleted. Whoever gets nil has done the step; everyone
// else must not. States that webhooks are told of go into the outbox with it.
func (db *DB) Transition(ctx context.Context, idb bun.IDB, id string, generation int, from []MediaState, to MediaState, set ...Set) error {
	now := time.Now().UTC()
	up := idb.NewUpdate().Model((*Media)(nil)).
		Set("state = ?", to).Set("updated_at = ?", now).Set("changed_ms = ?", now.UnixMilli()).
		Where("id = ? AND generation = ? AND deleted_at IS NULL", id, generation).
		Where("state IN (?)", bun.In(from))
	if to != StateFailed {
		up = up.Set("failure_code = ''").Set("failure_reason = ''").Set("failure_retryable = ?", false)
	}
	for _, s := range set {
		up = up.Set("? = ?", bun.Ident(s.Column), s.Value)
	}
	return idb.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		before, err := stateBefore(ctx, db, tx, id, slices.Contains(from, to))
		if err != nil {
			return err
		}
		if err := affectedOne(up.Conn(tx).Exec(ctx))(fmt.Sprintf("media %s to %s", id, to)); err != nil {
			return err
		}
		if before == to {
			return nil
		}
		return tellState(ctx, tx, id, to)
	})
}

// Publish records publication as the media's newest, with the given columns, or
// returns ErrConflict when that or a newer one is already recorded, or the media is
// not one to be published any more.
func (db *DB) Publish(ctx context.Context, idb bun.IDB, id string, generation, publication int, set ...Set) error {
	return db.publish(ctx, idb, []MediaState{StateProbing, StatePlayable}, id, generation, publication, set)
}

// PublishArriving is Publish for a media whose source is still arriving, and for no
// other.
func (db *DB) PublishArriving(ctx context.Context, idb bun.IDB, id string, generation, publication int, set ...Set) error {
	return db.publish(ctx, idb, []MediaState{StateUploading}, id, generation, publication, set)
}

func (db *DB) publish(ctx context.Context, idb bun.IDB, states []MediaState, id string, generation, publication int, set []Set) error {
	up := idb.NewUpdate().Model((*Media)(nil)).Set("publication = ?", publication).
		Where("id = ? AND generation = ? AND publication < ? AND deleted_at IS NULL", id, generation, publication).
		Where("state IN (?)", bun.In(states))
	for _, s := range set {
		up = up.Set("? = ?", bun.Ident(s.Column), s.Value)
	}
	return affectedOne(up.Exec(ctx))(fmt.Sprintf("publish %d of media %s", publication, id))
}

// Republish is Publish for a change of what is published already: it records
// publication as the one after the newest, of a media that plays.
func (db *DB) Republish(ctx context.Context, idb bun.IDB, id string, generation, publication int, set ...Set) error {
	up := idb.NewUpdate().Model((*Media)(nil)).Set("publication = ?", publication).
		Where("id = ? AND generation = ? AND publication = ? AND deleted_at IS NULL", id, generation, publication-1).
		Where("state IN (?)", bun.In([]MediaState{StatePlayable, StateReady}))
	for _, s := range set {
		up = up.Set("? = ?", bun.Ident(s.Column), s.Value)
	}
	return affectedOne(up.Exec(ctx))(fmt.Sprintf("publish %d of media %s again", publication, id))
}

// FailMedia moves a media that is not ready to failed, with a stable code, a
// sentence for people, and whether trying again can help. It returns ErrConflict
// when the media is ready, gone or on another generation.
func (db *DB) FailMedia(ctx context.Context, id string, generation int, code, reason string, retryable bool) error {
	return db.Transition(ctx, db, id, generation,
		[]MediaState{StateUploading, StateProbing, StatePlayable, StateFailed}, StateFailed,
		Set{"failure_code", code}, Set{"failure_reason", reason}, Set{"failure_retryable", retryable})
}

// UpdateProgress records how far encoding is, 0 to 1; several workers may tell, and
// it never goes back. A media that is gone or on another generation is left alone.
func (db *DB) UpdateProgress(ctx context.Context, id string, generation int, progress float64) error {
	now := time.Now().UTC()
	_, err := db.NewUpdate().Model((*Media)(nil)).
		Set("progress = ?", progress).Set("updated_at = ?", now).Set("changed_ms = ?", now.UnixMilli()).
		Where("id = ? AND generation = ? AND deleted_at IS NULL AND progress < ?", id, generation, progress).Exec(ctx)
	if err != nil {
		return fmt.Errorf("update progress of media %s: %w", id, err)
	}
	return nil
}

// UpdateUploaded records how many bytes of the source have arrived.
func (db *DB) UpdateUploaded(ctx context.Context, id string, generation int, bytes int64) error {
	return db.touch(ctx, id, generation, Set{"uploaded_bytes", bytes})
}

// RenameMedia gives the account's media a new name, or returns ErrNotFound.
func (db *DB) RenameMedia(ctx context.Context, account, id, name string) error {
	now := time.Now().UTC()
	res, err := db.NewUpdate().Model((*Media)(nil)).
		Set("name = ?", name).Set("updated_at = ?", now).Set("changed_ms = ?", now.UnixMilli()).
		Where("id = ? AND account_id = ? AND deleted_at IS NULL", id, account).Exec(ctx)
	if err := affectedOne(res, err)("rename media " + id); err != nil {
		return asNotFound(err)
	}
	return nil
}

// DeleteMedia hides the account's media at once, or returns ErrNotFound. Its row
// stays, marked, until its objects are removed. Webhooks are told of it.
func (db *DB) DeleteMedia(ctx context.Context, idb bun.IDB, account, id string) error {
	now := time.Now().UTC()
	res, err := idb.NewUpdate().Model((*Media)(nil)).
		Set("deleted_at = ?", now).Set("updated_at = ?", now).Set("changed_ms = ?", now.UnixMilli()).
		Where("id = ? AND account_id = ? AND deleted_at IS NULL", id, account).Exec(ctx)
	if err := affectedOne(res, err)("delete media " + id); err != nil {
		return asNotFound(err)
	}
	return db.Tell(ctx, idb, OutboxEvent{AccountID: account, Type: EventMediaDeleted, Subject: id})
}

// CountMedia returns how many media the account has.
func (db *DB) CountMedia(ctx context.Context, account string) (int64, error) {
	n, err := db.NewSelect().Model((*Media)(nil)).Where("account_id = ? AND deleted_at IS NULL", account).Count(ctx)
	if err != nil {
		return 0, fmt.Errorf("count media of account %s: %w", account, err)
	}
	return n, nil
}

// SetMedia sets columns of a media, none too, and tells the live feed; or returns
// ErrConflict when it is gone or on another generation.
func (db *DB) SetMedia(ctx context.Context, idb bun.IDB, id string, generation int, set ...Set) error {
	now := time.Now().UTC()
	up := idb.NewUpdate().Model((*Media)(nil)).Set("updated_at = ?", now).Set("changed_ms = ?", now.UnixMilli()).
		Where("id = ? AND generation = ? AND deleted_at IS NULL", id, generation)
	for _, s := range set {
		up = up.Set("? = ?", bun.Ident(s.Column), s.Value)
	}
	return affectedOne(up.Exec(ctx))("change media " + id)
}

func (db *DB) touch(ctx context.Context, id string, generation int, set Set) error {
	now := time.Now().UTC()
	_, err := db.NewUpdate().Model((*Media)(nil)).
		Set("? = ?", bun.Ident(set.Column), set.Value).Set("updated_at = ?", now).Set("changed_ms = ?", now.UnixMilli()).
		Where("id = ? AND generation = ? AND deleted_at IS NULL", id, generation).Exec(ctx)
	if err != nil {
		return fmt.Errorf("update %s of media %s: %w", set.Column, id, err)
	}
	return nil
}
