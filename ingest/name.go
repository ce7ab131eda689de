package ingest

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxNameChars = 255
	namelessName = "Untitled"
)

// CleanName makes a media's name of what a client calls its file: valid UTF-8 of
// 1 to 255 characters on one line, without control or format characters (which
// hold the bidirectional overrides that disguise names), without spaces at the
// ends. It is for display alone and never becomes part of a path or key.
func CleanName(raw string) string {
	var b strings.Builder
	chars, space := 0, false
	for i, r := range raw {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(raw[i:]); size <= 1 {
				continue // a byte that is not UTF-8
			}
		}
		switch {
		case unicode.IsSpace(r):
			space = chars > 0
			continue
		case unicode.IsControl(r), unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp):
			if r != zeroWidthJoiner && r != zeroWidthNonJoiner {
				continue
			}
		}
		if space {
			if chars++; chars >= maxNameChars {
				break
			}
			b.WriteByte(' ')
			space = false
		}
		if chars++; chars > maxNameChars {
			break
		}
		b.WriteRune(r)
	}
	name := strings.Trim(b.String(), string([]rune{zeroWidthJoiner, zeroWidthNonJoiner, ' '}))
	if name == "" {
		return namelessName
	}
	return name
}

// The two format characters that spelling needs: emoji and several scripts.
const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)
