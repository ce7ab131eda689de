package blob

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// PointerVersion is the version of the pointer document this code writes. Readers
// accept it and every earlier one.
const PointerVersion = 1

// Pointer tells a player origin which publication of a media is newest and what
// it needs to present it. It is written last, after everything it names, so that
// a reader sees either the old publication or the whole new one. Paths are
// relative to MediaPrefix.
type Pointer struct {
	Version      int    `json:"version"`
	Account      string `json:"account"`
	Media        string `json:"media"`
	Generation   int    `json:"generation"`
	Publication  int    `json:"publication"`
	State        string `json:"state"` // "playable" or "ready"
	Name         string `json:"name"`
	UploadedMS   int64  `json:"uploaded_ms,omitempty"` // Unix milliseconds
	DurationMS   int64  `json:"duration_ms"`
	Width        int    `json:"width"`  // displayed, square pixels; 0 without video
	Height       int    `json:"height"` // displayed, square pixels; 0 without video
	HasVideo     bool   `json:"has_video"`
	HasAudio     bool   `json:"has_audio"`
	Multivariant string `json:"multivariant"`
	Poster       string `json:"poster,omitempty"`
	Storyboard   string `json:"storyboard,omitempty"`
	Preview      string `json:"preview,omitempty"` // a few silent seconds, MP4
	// Arriving: the source, which is what plays, is still being uploaded. See package
	// arriving.
	Arriving bool `json:"arriving,omitempty"`

	Captions []Caption `json:"captions,omitempty"`
	Chapters []Chapter `json:"chapters,omitempty"` // in order
}

// Caption is a text track of a media, whole, in WebVTT. The multivariant playlist
// has the same track in segments.
type Caption struct {
	Language string `json:"language"` // BCP 47
	Label    string `json:"label"`    // as a menu shows it
	Kind     string `json:"kind"`     // "captions" or "subtitles"
	Src      string `json:"src"`
	Default  bool   `json:"default"`
}

// Chapter is a named moment of a media, up to the next one.
type Chapter struct {
	StartMS int64  `json:"start_ms"`
	Title   string `json:"title"`
}

// maxPointer bounds a pointer: hundreds of chapters and captions fit.
const maxPointer = 512 << 10

// ReadPointer returns the media's pointer, or ErrNotFound before the first
// publication and for unknown media.
func (s *Store) ReadPointer(ctx context.Context, media string) (Pointer, error) {
	r, _, err := s.Get(ctx, PointerKey(media))
	if err != nil {
		return Pointer{}, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, maxPointer))
	if err != nil {
		return Pointer{}, fmt.Errorf("read pointer of media %s: %w", media, err)
	}
	var p Pointer
	if err := json.Unmarshal(raw, &p); err != nil {
		return Pointer{}, fmt.Errorf("decode pointer of media %s: %w", media, err)
	}
	if p.Version > PointerVersion {
		return Pointer{}, fmt.Errorf("pointer of media %s has version %d, this release reads up to %d", media, p.Version, PointerVersion)
	}
	return p, nil
}

// WritePointer replaces the media's pointer.
func (s *Store) WritePointer(ctx context.Context, p Pointer) error {
	p.Version = PointerVersion
	raw, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode pointer of media %s: %w", p.Media, err)
	}
	return s.Put(ctx, PointerKey(p.Media), bytes.NewReader(raw), int64(len(raw)), "application/json")
}
