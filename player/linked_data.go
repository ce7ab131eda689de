package player

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/asticode/go-astisub"

	"github.com/vitascope/vitascope/internal/blob"
)

// videoObject is schema.org's VideoObject with what search engines read of it:
// https://developers.google.com/search/docs/appearance/structured-data/video.
type videoObject struct {
	Context      string   `json:"@context"`
	Type         string   `json:"@type"`
	ID           string   `json:"@id"`
	Name         string   `json:"name"`
	Description  string   `json:"description"`
	ThumbnailURL []string `json:"thumbnailUrl,omitempty"`
	UploadDate   string   `json:"uploadDate"`
	Duration     string   `json:"duration,omitempty"` // ISO 8601
	EmbedURL     string   `json:"embedUrl"`
	URL          string   `json:"url"`
	Width        int      `json:"width,omitempty"`
	Height       int      `json:"height,omitempty"`
	Transcript   string   `json:"transcript,omitempty"`
	HasPart      []clip   `json:"hasPart,omitempty"`
}

// clip is a chapter.
type clip struct {
	Type        string  `json:"@type"`
	Name        string  `json:"name"`
	StartOffset float64 `json:"startOffset"` // seconds
	EndOffset   float64 `json:"endOffset"`
	URL         string  `json:"url"`
}

// linkedData describes an open media to search engines, or returns nil while there
// is too little to say: they want a picture and a date.
func (h *Handler) linkedData(ctx context.Context, d *pageData, m media) *videoObject {
	p := m.pointer
	if p == nil || p.UploadedMS == 0 || d.PosterURL == "" {
		return nil
	}
	v := &videoObject{
		Context: "https://schema.org", Type: "VideoObject", ID: d.watchURL(), URL: d.watchURL(), Name: m.name, Description: d.Description,
		ThumbnailURL: []string{d.PosterURL}, UploadDate: time.UnixMilli(p.UploadedMS).UTC().Format(time.RFC3339),
		Duration: isoDuration(time.Duration(p.DurationMS) * time.Millisecond), EmbedURL: d.Base + "/embed/iframe/" + m.id,
		Width: p.Width, Height: p.Height, Transcript: h.transcript(ctx, *p),
	}
	for i, c := range p.Chapters {
		end := p.DurationMS
		if i+1 < len(p.Chapters) {
			end = p.Chapters[i+1].StartMS
		}
		start := float64(c.StartMS) / 1000
		v.HasPart = append(v.HasPart, clip{Type: "Clip", Name: c.Title, StartOffset: start, EndOffset: float64(end) / 1000,
			URL: fmt.Sprintf("%s?t=%g", d.watchURL(), start)})
	}
	return v
}

// maxTranscript bounds the transcript in a page, in bytes.
const maxTranscript = 64 << 10

// transcript is what is said, by the captions that come first, as plain text; empty
// without captions.
func (h *Handler) transcript(ctx context.Context, p blob.Pointer) string {
	if len(p.Captions) == 0 {
		return ""
	}
	track := p.Captions[0]
	for _, c := range p.Captions {
		if c.Default {
			track = c
			break
		}
	}
	key := blob.MediaPrefix(p.Account, p.Media) + track.Src
	t, err := h.objects.made(ctx, key+"#transcript", func(ctx context.Context) (*text, error) {
		captions, err := h.objects.text(ctx, key)
		if err != nil {
			return nil, err
		}
		subtitles, err := astisub.ReadFromWebVTT(bytes.NewReader(captions.body))
		if err != nil {
			return nil, fmt.Errorf("read captions %s: %w", key, err)
		}
		return &text{body: []byte(spoken(subtitles))}, nil
	})
	if err != nil {
		h.log.DebugContext(ctx, "page without its transcript", "media_id", p.Media, "err", err)
		return ""
	}
	return string(t.body)
}

// spoken joins the lines of captions, at most maxTranscript of them.
func spoken(s *astisub.Subtitles) string {
	var b strings.Builder
	for _, item := range s.Items {
		for _, line := range item.Lines {
			said := strings.TrimSpace(line.String())
			if b.Len()+len(said)+1 > maxTranscript {
				return b.String()
			}
			if said != "" && b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(said)
		}
	}
	return b.String()
}
