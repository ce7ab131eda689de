// Package captions reads timed text from strangers (SubRip, WebVTT, SubStation
// Alpha) and writes it anew as WebVTT: whole, for a player's text track, and cut
// into segments, for HLS (RFC 8216bis, 3.1.4).
//
// Nothing of a file is passed through. What is written holds cues whose text is
// escaped, with bold, italics and underline, a speaker and a place on the screen;
// style sheets, regions, notes, classes and all other tags are left out. Reading
// is bounded in bytes, cues, lines and time, and never panics.
//
// A Track is never changed and safe for concurrent use.
package captions

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/asticode/go-astisub"
	"golang.org/x/text/encoding/unicode"
)

// Limits on what is read.
const (
	MaxBytes     = 4 << 20 // twelve hours of talk are below 2 MiB
	maxLineBytes = 16 << 10
	maxCues      = 50_000
	maxEnd       = 13 * time.Hour
)

// Kinds of track, as in HTML.
const (
	// KindCaptions is a transcription of all that is to be heard, for those who do
	// not hear it.
	KindCaptions = "captions"
	// KindSubtitles is what is said, for those who do not understand it.
	KindSubtitles = "subtitles"
)

// Reasons for which a text is refused. Each is wrapped with its details.
var (
	ErrTooLarge = errors.New("the text has more than 4 MiB, 50,000 cues or 16 KiB in a line")
	ErrEncoding = errors.New("the text is neither UTF-8 nor UTF-16")
	ErrFormat   = errors.New("the text is neither SubRip nor WebVTT")
	ErrEmpty    = errors.New("the text has no cues")
)

// Track is a timed text.
type Track struct{ cues []*astisub.Item }

// Cues is how many cues the track has.
func (t *Track) Cues() int { return len(t.cues) }

// Parse reads a SubRip, WebVTT or SubStation Alpha text, whichever it is.
func Parse(text []byte) (*Track, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(text))
	}
	plain, err := decode(text)
	if err != nil {
		return nil, err
	}
	for line := range bytes.FieldsFuncSeq(plain, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if len(line) > maxLineBytes {
			return nil, fmt.Errorf("%w: a line of %d bytes", ErrTooLarge, len(line))
		}
	}
	read, err := parse(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if len(read.Items) > maxCues {
		return nil, fmt.Errorf("%w: %d cues", ErrTooLarge, len(read.Items))
	}
	t := &Track{}
	for _, item := range read.Items {
		if cue := clean(item); cue != nil {
			t.cues = append(t.cues, cue)
		}
	}
	if len(t.cues) == 0 {
		return nil, ErrEmpty
	}
	slices.SortStableFunc(t.cues, func(a, b *astisub.Item) int { return int(a.StartAt - b.StartAt) })
	return t, nil
}

// decode returns the text in UTF-8, without a byte order mark.
func decode(text []byte) ([]byte, error) {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		wide, err := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Bytes(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrEncoding, err)
		}
		text = wide
	}
	if !utf8.Valid(text) {
		return nil, ErrEncoding
	}
	return bytes.ReplaceAll(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), []byte{0}, []byte("\uFFFD")), nil
}

// parse leaves the reading to go-astisub, which indexes into what it splits
// without looking: a text that makes it panic is one that it cannot read.
func parse(text []byte) (read *astisub.Subtitles, err error) {
	defer func() {
		if p := recover(); p != nil {
			read, err = nil, fmt.Errorf("malformed text: %v", p)
		}
	}()
	switch head := bytes.TrimSpace(text); {
	case bytes.HasPrefix(head, []byte("WEBVTT")):
		return astisub.ReadFromWebVTT(bytes.NewReader(text))
	case bytes.HasPrefix(bytes.ToLower(head[:min(len(head), 16)]), []byte("[script info]")):
		return astisub.ReadFromSSA(bytes.NewReader(text))
	}
	return astisub.ReadFromSRT(bytes.NewReader(text))
}

// VTT is the whole track as WebVTT.
func (t *Track) VTT() []byte { return write(t.cues, nil) }

// Segment is the part of the track that is shown from from to before to, as a
// WebVTT segment: a cue that crosses a boundary is in both. Times are those of the
// presentation, which starts at the media's timestamp 0.
func (t *Track) Segment(from, to time.Duration) []byte {
	var part []*astisub.Item
	for _, c := range t.cues {
		if c.StartAt < to && c.EndAt > from {
			part = append(part, c)
		}
	}
	return write(part, &astisub.WebVTTTimestampMap{})
}

func write(cues []*astisub.Item, timestamps *astisub.WebVTTTimestampMap) []byte {
	var b bytes.Buffer
	if len(cues) == 0 { // which go-astisub does not write
		b.WriteString("WEBVTT\n")
		if timestamps != nil {
			b.WriteString(timestamps.String() + "\n")
		}
		return b.Bytes()
	}
	s := astisub.NewSubtitles()
	s.Items, s.Metadata = cues, &astisub.Metadata{WebVTTTimestampMap: timestamps}
	if err := s.WriteToWebVTT(&b); err != nil {
		panic("captions: " + err.Error()) // a buffer takes everything
	}
	return b.Bytes()
}

// lines splits a text as the readers do.
func lines(text string) []string {
	return strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
}
