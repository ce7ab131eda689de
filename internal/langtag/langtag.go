// Package langtag speaks of the languages of audio and caption tracks: media
// files tag them by ISO 639-2, people by whatever they know, and everything that
// leaves Vitascope by BCP 47 (RFC 5646).
package langtag

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// maxTag is longer than any tag in use.
const maxTag = 35

// Canonical returns the shortest BCP 47 tag for a BCP 47, ISO 639-1 or ISO 639-2
// code in any case ("ger" gives "de"), or "" for what is none, and for codes that
// name no language, such as und, mul and zxx.
func Canonical(code string) string {
	if len(code) > maxTag {
		return ""
	}
	tag, err := language.Parse(code)
	if err != nil {
		return ""
	}
	switch base, _, _ := tag.Raw(); base.String() {
	case "und", "mul", "mis", "zxx":
		return ""
	}
	return tag.String()
}

// Name is a language's name in itself ("Deutsch"), as menus show it, else in
// English, else the tag. It is "" for an empty tag.
func Name(tag string) string {
	parsed, err := language.Parse(tag)
	if tag == "" || err != nil {
		return tag
	}
	name := display.Self.Name(parsed)
	if name == "" {
		name = display.English.Tags().Name(parsed)
	}
	if name == "" {
		return tag
	}
	first, n := utf8.DecodeRuneInString(name)
	return string(unicode.ToTitle(first)) + name[n:]
}

// maxLabel bounds a label, in runes.
const maxLabel = 60

// Clean makes text from a stranger fit for a label: one line without control
// characters, quotes or angle brackets, of at most 60 characters.
func Clean(text string) string {
	kept := strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, r == '"', r == '<', r == '>', unicode.Is(unicode.Bidi_Control, r):
			return -1
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, text)
	runes := []rune(strings.Join(strings.Fields(kept), " "))
	return strings.TrimSpace(string(runes[:min(len(runes), maxLabel)]))
}
