package player

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/Eyevinn/hls-m3u8/m3u8"

	"github.com/vitascope/vitascope/internal/blob"
)

// rungStart names the files that playback at one rung starts with, so that a
// player fetches them while its own code arrives, instead of one after the other.
type rungStart struct {
	// Bitrate is what the connection has to carry, in bits per second; 0 for the
	// lowest rung, which is for every connection.
	Bitrate uint32   `json:"bitrate"`
	URLs    []string `json:"urls"`
}

// startBelow is the most a first rung may need: a higher one shows its first
// picture later than it is worth.
const startBelow = 3_000_000

// starts returns where playback may start, the highest rung first. files is the
// address of the media's folder. What cannot be read is left out: a player then
// finds its way by the playlists.
func (h *Handler) starts(ctx context.Context, files string, p *blob.Pointer) []rungStart {
	prefix := blob.MediaPrefix(p.Account, p.Media)
	raw, err := h.text(ctx, p, prefix, p.Multivariant)
	if err != nil {
		return nil
	}
	list, kind, err := m3u8.DecodeFrom(bytes.NewReader(raw), false)
	if err != nil || kind != m3u8.MASTER {
		return nil
	}
	variants := slices.DeleteFunc(list.(*m3u8.MasterPlaylist).Variants, func(v *m3u8.Variant) bool { return v.Iframe })
	slices.SortFunc(variants, func(a, b *m3u8.Variant) int { return cmp.Compare(b.Bandwidth, a.Bandwidth) })
	var out []rungStart
	for i, v := range variants {
		lowest := i == len(variants)-1
		if v.Bandwidth > startBelow && !lowest {
			continue
		}
		names := []string{v.URI}
		if sound := defaultSound(v); sound != "" {
			names = append(names, sound)
		}
		first, err := h.firstFiles(ctx, p, prefix, names)
		if err != nil {
			return nil
		}
		start := rungStart{Bitrate: v.Bandwidth, URLs: []string{files + "multivariant.m3u8"}}
		if lowest {
			start.Bitrate = 0
		}
		for _, name := range append(names, first...) {
			start.URLs = append(start.URLs, files+name)
		}
		out = append(out, start)
	}
	return out
}

// firstFiles returns the init segments of the media playlists, then their first
// media segments.
func (h *Handler) firstFiles(ctx context.Context, p *blob.Pointer, prefix string, playlists []string) ([]string, error) {
	var inits, segments []string
	for _, name := range playlists {
		raw, err := h.text(ctx, p, prefix, name)
		if err != nil {
			return nil, err
		}
		list, kind, err := m3u8.DecodeFrom(bytes.NewReader(raw), false)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		media, ok := list.(*m3u8.MediaPlaylist)
		if !ok || kind != m3u8.MEDIA || media.Map == nil || len(media.Segments) == 0 || media.Segments[0] == nil {
			return nil, fmt.Errorf("read %s: no media playlist with an init segment", name)
		}
		folder := path.Dir(name)
		inits = append(inits, path.Join(folder, media.Map.URI))
		segments = append(segments, path.Join(folder, media.Segments[0].URI))
	}
	return append(inits, segments...), nil
}

// text returns a playlist, stored or made from the source.
func (h *Handler) text(ctx context.Context, p *blob.Pointer, prefix, name string) ([]byte, error) {
	read := h.objects.text
	if f, ok := sourceFileOf(p, name); ok {
		read = func(ctx context.Context, key string) (*text, error) { return h.objects.sourceText(ctx, key, f) }
	}
	found, err := read(ctx, prefix+name)
	if err != nil {
		return nil, err
	}
	return found.body, nil
}

// defaultSound returns the playlist of the variant's default audio rendition, if
// its sound is apart.
func defaultSound(v *m3u8.Variant) string {
	for _, a := range v.Alternatives {
		if a.Type == "AUDIO" && a.GroupId == v.Audio && a.Default && a.URI != "" {
			return a.URI
		}
	}
	return ""
}
