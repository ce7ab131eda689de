package captions

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
)

// Formats of the text tracks inside media files, by FFmpeg's names of their codecs.
const (
	FormatSubRip  = "subrip"
	FormatWebVTT  = "webvtt"
	FormatASS     = "ass"
	FormatMovText = "mov_text"
)

// Builder makes a track of the packets of a media file.
type Builder struct {
	format string
	text   strings.Builder
	cues   int
}

// NewBuilder makes a Builder, nil for a format that holds no text.
func NewBuilder(format string) *Builder {
	b := &Builder{format: format}
	switch format {
	case FormatSubRip, "srt", "text", FormatMovText:
	case FormatWebVTT:
		b.text.WriteString("WEBVTT\n\n")
	case FormatASS, "ssa":
		b.format = FormatASS
		b.text.WriteString("[Script Info]\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n")
	default:
		return nil
	}
	return b
}

// Add adds a packet that is shown from from to to. What is no text, and what goes
// beyond the limits of a track, is left out.
func (b *Builder) Add(packet []byte, from, to time.Duration) {
	if b.cues >= maxCues || from < 0 || to <= from || to > maxEnd || b.text.Len()+len(packet) > MaxBytes-1000 {
		return
	}
	text := string(packet)
	if b.format == FormatMovText {
		text = movText(packet)
	}
	text = strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(text, "-->", "→"), "\uFFFD"))
	if text == "" || len(text) > maxLineBytes {
		return
	}
	b.cues++
	switch b.format {
	case FormatASS:
		// A packet is a Dialogue line with a number for its times.
		fields := strings.SplitN(text, ",", 9)
		if len(fields) < 9 {
			return
		}
		spoken := override.ReplaceAllString(strings.Join(lines(fields[8]), " "), "")
		fmt.Fprintf(&b.text, "Dialogue: 0,%s,%s,,,0,0,0,,%s\n", clock(from, "%d:%02d:%02d.%02d", 10), clock(to, "%d:%02d:%02d.%02d", 10), spoken)
		return
	case FormatMovText:
		text = strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(text)
	}
	var kept []string
	for _, l := range lines(text) {
		if strings.TrimSpace(l) != "" { // which would end the cue
			kept = append(kept, l)
		}
	}
	layout := "%02d:%02d:%02d,%03d"
	if b.format == FormatWebVTT {
		layout = "%02d:%02d:%02d.%03d"
	}
	fmt.Fprintf(&b.text, "%d\n%s --> %s\n%s\n\n", b.cues, clock(from, layout, 1), clock(to, layout, 1), strings.Join(kept, "\n"))
}

// Track reads what was added. ErrEmpty says that there was no text in it.
func (b *Builder) Track() (*Track, error) {
	if b.cues == 0 {
		return nil, ErrEmpty
	}
	return Parse([]byte(b.text.String()))
}

// clock writes a time; unit is in milliseconds that of the last number.
func clock(d time.Duration, layout string, unit int64) string {
	ms := d.Milliseconds()
	return fmt.Sprintf(layout, ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000/unit)
}

// movText is the text of a 3GPP timed text sample (3GPP TS 26.245, 5.17): its
// length, then UTF-8, or UTF-16 with a byte order mark; styles after it are left.
func movText(sample []byte) string {
	if len(sample) < 2 {
		return ""
	}
	n := int(binary.BigEndian.Uint16(sample))
	text := sample[2:min(len(sample), 2+n)]
	if len(text) >= 2 && (text[0] == 0xfe && text[1] == 0xff || text[0] == 0xff && text[1] == 0xfe) {
		wide, err := unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder().Bytes(text)
		if err != nil {
			return ""
		}
		return string(wide)
	}
	if !utf8.Valid(text) {
		return ""
	}
	return string(text)
}
