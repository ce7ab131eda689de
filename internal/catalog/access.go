package catalog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

// MediaSettings say who may watch a media and how its player looks. A media without
// the row is public.
type MediaSettings struct {
	bun.BaseModel `bun:"table:media_settings,alias:ms"`

	MediaID      string    `bun:"media_id,pk"`
	Visibility   string    `bun:"visibility"` // as blob.Access has it
	Domains      string    `bun:"domains"`    // separated by spaces
	PasswordHash string    `bun:"password_hash"`
	Player       string    `bun:"player"`  // JSON object, or empty
	Actions      string    `bun:"actions"` // JSON list of what the player asks of viewers, or empty
	UpdatedAt    time.Time `bun:"updated_at"`
}

// DomainList is the sites that may show the media; none: every site may.
func (s MediaSettings) DomainList() []string { return strings.Fields(s.Domains) }

// Protected tells whether watching the media takes showing something.
func (s MediaSettings) Protected() bool {
	return s.Domains != "" || s.PasswordHash != "" || s.Visibility == "signed" || s.Visibility == "private"
}

// SettingsOf returns the settings of media, by their ids; those that have none are
// not in it.
func (db *DB) SettingsOf(ctx context.Context, idb bun.IDB, media []string) (map[string]MediaSettings, error) {
	var rows []MediaSettings
	if len(media) > 0 {
		if err := idb.NewSelect().Model(&rows).Where("media_id IN (?)", bun.In(media)).Scan(ctx); err != nil {
			return nil, fmt.Errorf("settings of %d media: %w", len(media), err)
		}
	}
	out := make(map[string]MediaSettings, len(rows))
	for _, r := range rows {
		out[r.MediaID] = r
	}
	return out, nil
}

// Settings returns the settings of a media, those of public ones when it has none.
func (db *DB) Settings(ctx context.Context, idb bun.IDB, media string) (MediaSettings, error) {
	found, err := db.SettingsOf(ctx, idb, []string{media})
	if err != nil {
		return MediaSettings{}, err
	}
	if s, ok := found[media]; ok {
		return s, nil
	}
	return MediaSettings{MediaID: media, Visibility: "public"}, nil
}

// PutSettings replaces the settings of a media.
func (db *DB) PutSettings(ctx context.Context, idb bun.IDB, s *MediaSettings) error {
	s.UpdatedAt = time.Now().UTC()
	_, err := idb.NewInsert().Model(s).On("CONFLICT (media_id) DO UPDATE").
		Set("visibility = EXCLUDED.visibility").Set("domains = EXCLUDED.domains").Set("password_hash = EXCLUDED.password_hash").
		Set("player = EXCLUDED.player").Set("actions = EXCLUDED.actions").Set("updated_at = EXCLUDED.updated_at").Exec(ctx)
	if err != nil {
		return fmt.Errorf("put settings of media %s: %w", s.MediaID, err)
	}
	return nil
}

// LockMedia holds the media's row until tx ends, so that one at a time changes or
// publishes what belongs to it. It returns ErrNotFound for one that was deleted.
func (db *DB) LockMedia(ctx context.Context, tx Tx, id string) (Media, error) {
	var m Media
	res, err := tx.NewUpdate().Model((*Media)(nil)).Set("changed_ms = changed_ms").Where("id = ? AND deleted_at IS NULL", id).Exec(ctx)
	if err := affectedOne(res, err)("lock media " + id); err != nil {
		return m, asNotFound(err)
	}
	err = tx.NewSelect().Model(&m).Where("id = ?", id).Scan(ctx)
	return m, notFound(err, "media", id)
}

// LockAccount holds the account's row until tx ends, as LockMedia does.
func (db *DB) LockAccount(ctx context.Context, tx Tx, id string) error {
	res, err := tx.NewUpdate().Model((*Account)(nil)).Set("name = name").Where("id = ?", id).Exec(ctx)
	return asNotFound(affectedOne(res, err)("lock account " + id))
}

// PlaybackKey is a signing key of an account, as package playback makes them.
type PlaybackKey struct {
	bun.BaseModel `bun:"table:playback_keys,alias:k"`

	ID        string    `bun:"id,pk"`
	AccountID string    `bun:"account_id"`
	Name      string    `bun:"name"`
	Alg       string    `bun:"alg"`
	Public    []byte    `bun:"public_key"`
	Sealed    []byte    `bun:"sealed"`
	EndsMS    int64     `bun:"ends_ms"` // Unix milliseconds; 0: no end
	CreatedAt time.Time `bun:"created_at"`
}

// Counts tells whether the key still signs at a time.
func (k PlaybackKey) Counts(now time.Time) bool { return k.EndsMS == 0 || now.UnixMilli() < k.EndsMS }

// PlaybackKeys returns the account's signing keys, newest first, ended ones too.
func (db *DB) PlaybackKeys(ctx context.Context, idb bun.IDB, account string) ([]PlaybackKey, error) {
	var list []PlaybackKey
	if err := idb.NewSelect().Model(&list).Where("account_id = ?", account).OrderExpr("created_at DESC, id").Scan(ctx); err != nil {
		return nil, fmt.Errorf("playback keys of account %s: %w", account, err)
	}
	return list, nil
}

// PlaybackKey returns the account's key, or ErrNotFound.
func (db *DB) PlaybackKey(ctx context.Context, idb bun.IDB, account, id string) (PlaybackKey, error) {
	var k PlaybackKey
	err := idb.NewSelect().Model(&k).Where("id = ? AND account_id = ?", id, account).Scan(ctx)
	return k, notFound(err, "playback key", id)
}

// CreatePlaybackKey stores a signing key.
func (db *DB) CreatePlaybackKey(ctx context.Context, idb bun.IDB, k *PlaybackKey) error {
	k.CreatedAt = time.Now().UTC()
	if _, err := idb.NewInsert().Model(k).Exec(ctx); err != nil {
		return fmt.Errorf("create playback key %s: %w", k.ID, err)
	}
	return nil
}

// EndPlaybackKey has the account's key end at a time, or returns ErrNotFound.
func (db *DB) EndPlaybackKey(ctx context.Context, idb bun.IDB, account, id string, at time.Time) error {
	res, err := idb.NewUpdate().Model((*PlaybackKey)(nil)).Set("ends_ms = ?", at.UnixMilli()).
		Where("id = ? AND account_id = ?", id, account).Exec(ctx)
	return asNotFound(affectedOne(res, err)("end playback key " + id))
}

// DeletePlaybackKey forgets the account's key, or returns ErrNotFound.
func (db *DB) DeletePlaybackKey(ctx context.Context, idb bun.IDB, account, id string) error {
	res, err := idb.NewDelete().Model((*PlaybackKey)(nil)).Where("id = ? AND account_id = ?", id, account).Exec(ctx)
	return asNotFound(affectedOne(res, err)("delete playback key " + id))
}

// ShareLink opens a media to whoever holds it, until it expires.
type ShareLink struct {
	bun.BaseModel `bun:"table:share_links,alias:l"`

	ID        string    `bun:"id,pk"`
	MediaID   string    `bun:"media_id"`
	Name      string    `bun:"name"`
	ExpiresMS int64     `bun:"expires_ms"` // Unix milliseconds
	CreatedAt time.Time `bun:"created_at"`
}

// ShareLinks returns the media's links, newest first, expired ones too.
func (db *DB) ShareLinks(ctx context.Context, idb bun.IDB, media string) ([]ShareLink, error) {
	var list []ShareLink
	if err := idb.NewSelect().Model(&list).Where("media_id = ?", media).OrderExpr("created_at DESC, id").Scan(ctx); err != nil {
		return nil, fmt.Errorf("share links of media %s: %w", media, err)
	}
	return list, nil
}

// CreateShareLink stores a share link.
func (db *DB) CreateShareLink(ctx context.Context, idb bun.IDB, l *ShareLink) error {
	l.CreatedAt = time.Now().UTC()
	if _, err := idb.NewInsert().Model(l).Exec(ctx); err != nil {
		return fmt.Errorf("create share link of media %s: %w", l.MediaID, err)
	}
	return nil
}

// DeleteShareLink forgets a link of the media, or returns ErrNotFound.
func (db *DB) DeleteShareLink(ctx context.Context, idb bun.IDB, media, id string) error {
	res, err := idb.NewDelete().Model((*ShareLink)(nil)).Where("id = ? AND media_id = ?", id, media).Exec(ctx)
	return asNotFound(affectedOne(res, err)("delete share link " + id))
}
