package blob

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/vitascope/vitascope/internal/playback"
)

// SettingsVersion is the version of the settings and keys documents this code
// writes. Readers accept it and every earlier one.
const SettingsVersion = 1

// The visibilities of a media. Empty means public.
const (
	Public   = "public"   // everyone, and search engines
	Unlisted = "unlisted" // everyone who has the link or meets the embed
	Signed   = "signed"   // holders of a token
	Private  = "private"  // people of the account and holders of a share link
)

// Settings say who may watch a media and how its player looks. They are an object
// of their own beside the Pointer, since they change without a new publication:
// only who holds the media's row in the catalog writes them, only the encoder
// writes the pointer. A media without the object is public.
type Settings struct {
	Version int             `json:"version"`
	Account string          `json:"account"`
	Media   string          `json:"media"`
	Access  Access          `json:"access"`
	Player  json.RawMessage `json:"player,omitempty"` // an object, see docs/player.md
	// Experiment, if there is one, shows viewers one of several arms.
	Experiment *Experiment `json:"experiment,omitempty"`
}

// Experiment shows each viewer one of its arms, all alike often. With a single arm it
// is over, and that one is what everybody is shown.
type Experiment struct {
	ID   string `json:"id"`
	Arms []Arm  `json:"arms"`
}

// Arm is what some viewers are shown: the media as it is but for what is set.
type Arm struct {
	Key    string          `json:"key"`
	Media  string          `json:"media,omitempty"`  // another one in its place
	Poster string          `json:"poster,omitempty"` // under the media's prefix
	Player json.RawMessage `json:"player,omitempty"`
}

// Access is who may watch.
type Access struct {
	Visibility   string      `json:"visibility"`
	Domains      []string    `json:"domains,omitempty"`       // "example.com", "*.example.org"; empty: anywhere
	PasswordHash string      `json:"password_hash,omitempty"` // argon2id PHC string
	Links        []ShareLink `json:"links,omitempty"`         // those that still open it
}

// ShareLink lets its holders watch until it expires.
type ShareLink struct {
	ID        string `json:"id"`
	ExpiresMS int64  `json:"expires_ms"` // Unix milliseconds
}

// Open tells whether anyone may watch without showing anything.
func (a Access) Open() bool {
	return (a.Visibility == "" || a.Visibility == Public || a.Visibility == Unlisted) && a.PasswordHash == "" && len(a.Domains) == 0
}

// PlaybackKeys are the keys of an account that sign playback tokens: those that
// count now.
type PlaybackKeys struct {
	Version int            `json:"version"`
	Account string         `json:"account"`
	Keys    []playback.Key `json:"keys"`
}

// SettingsKey names the settings of a media.
func SettingsKey(media string) string { return "settings/" + media + ".json" }

// PlaybackKeysKey names the signing keys of an account.
func PlaybackKeysKey(account string) string { return "accounts/" + account + "/playback-keys.json" }

// ReadSettings returns the media's settings, or ErrNotFound when it has none.
func (s *Store) ReadSettings(ctx context.Context, media string) (Settings, error) {
	var doc Settings
	err := s.readDocument(ctx, SettingsKey(media), &doc, &doc.Version)
	return doc, err
}

// WriteSettings replaces the media's settings.
func (s *Store) WriteSettings(ctx context.Context, doc Settings) error {
	doc.Version = SettingsVersion
	return s.writeDocument(ctx, SettingsKey(doc.Media), doc)
}

// ReadPlaybackKeys returns the account's keys, or ErrNotFound when it has none.
func (s *Store) ReadPlaybackKeys(ctx context.Context, account string) (PlaybackKeys, error) {
	var doc PlaybackKeys
	err := s.readDocument(ctx, PlaybackKeysKey(account), &doc, &doc.Version)
	return doc, err
}

// WritePlaybackKeys replaces the account's keys.
func (s *Store) WritePlaybackKeys(ctx context.Context, doc PlaybackKeys) error {
	doc.Version = SettingsVersion
	return s.writeDocument(ctx, PlaybackKeysKey(doc.Account), doc)
}

// maxDocument bounds a document that is read, in bytes.
const maxDocument = 256 << 10

func (s *Store) readDocument(ctx context.Context, key string, into any, version *int) error {
	r, _, err := s.Get(ctx, key)
	if err != nil {
		return err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, maxDocument))
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("decode %s: %w", key, err)
	}
	if *version > SettingsVersion {
		return fmt.Errorf("%s has version %d, this release reads up to %d", key, *version, SettingsVersion)
	}
	return nil
}

func (s *Store) writeDocument(ctx context.Context, key string, doc any) error {
	raw, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	return s.Put(ctx, key, bytes.NewReader(raw), int64(len(raw)), "application/json")
}
