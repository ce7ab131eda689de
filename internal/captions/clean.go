package captions

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/asticode/go-astisub"

	"github.com/vitascope/vitascope/internal/langtag"
)

const (
	maxCueLines = 12
	maxCueBytes = 4000
)

// clean makes a cue of which every part is known to be harmless; nil when there is
// nothing to show.
func clean(item *astisub.Item) *astisub.Item {
	if item.StartAt < 0 || item.EndAt <= item.StartAt || item.EndAt > maxEnd {
		return nil
	}
	cue := &astisub.Item{StartAt: item.StartAt, EndAt: item.EndAt, InlineStyle: place(item.InlineStyle)}
	left := maxCueBytes
	for _, l := range item.Lines {
		if len(cue.Lines) == maxCueLines {
			break
		}
		line := astisub.Line{VoiceName: langtag.Clean(strings.NewReplacer("&", "", "-->", "").Replace(l.VoiceName))}
		shown := false
		for _, part := range l.Items {
			text := cleanText(part.Text)
			if text == "" || len(text) > left {
				continue
			}
			left -= len(text)
			shown = shown || strings.TrimSpace(text) != ""
			line.Items = append(line.Items, astisub.LineItem{Text: text, InlineStyle: emphasis(part.InlineStyle)})
		}
		if shown {
			cue.Lines = append(cue.Lines, line)
		}
	}
	if len(cue.Lines) == 0 {
		return nil
	}
	return cue
}

// override is what SubStation Alpha and its habits in SubRip put before a text.
var override = regexp.MustCompile(`\{\\[^{}]*\}`)

// cleanText leaves text without what would end a line or a cue. The writer escapes
// the rest.
func cleanText(text string) string {
	text = override.ReplaceAllString(text, "")
	text = strings.NewReplacer(`\N`, " ", `\n`, " ", `\h`, " ", "-->", "→").Replace(text)
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r) && r != '\u200e' && r != '\u200f':
			return -1
		}
		return r
	}, text)
}

// emphasis keeps bold, italics and underline.
func emphasis(s *astisub.StyleAttributes) *astisub.StyleAttributes {
	if s == nil {
		return nil
	}
	is := map[string]bool{"b": s.SRTBold, "i": s.SRTItalics, "u": s.SRTUnderline}
	for _, t := range s.WebVTTTags {
		is[t.Name] = true
	}
	out := &astisub.StyleAttributes{}
	for _, name := range []string{"b", "i", "u"} {
		if is[name] {
			out.WebVTTTags = append(out.WebVTTTags, astisub.WebVTTTag{Name: name})
		}
	}
	return out
}

// Places on the screen, as WebVTT writes them.
var (
	isLine     = regexp.MustCompile(`^-?[0-9]{1,3}(\.[0-9]{1,3})?%?(,(start|center|end))?$`)
	isPosition = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,3})?%(,(line-left|center|line-right))?$`)
	isSize     = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,3})?%$`)
	isAlign    = regexp.MustCompile(`^(start|center|end|left|right)$`)
	isVertical = regexp.MustCompile(`^(rl|lr)$`)
)

func place(s *astisub.StyleAttributes) *astisub.StyleAttributes {
	if s == nil {
		return nil
	}
	only := func(is *regexp.Regexp, value string) string {
		if is.MatchString(value) {
			return value
		}
		return ""
	}
	return &astisub.StyleAttributes{
		WebVTTAlign: only(isAlign, s.WebVTTAlign), WebVTTLine: only(isLine, s.WebVTTLine), WebVTTPosition: only(isPosition, s.WebVTTPosition),
		WebVTTSize: only(isSize, s.WebVTTSize), WebVTTVertical: only(isVertical, s.WebVTTVertical),
	}
}
