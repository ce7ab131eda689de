package marketing

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vitascope/vitascope/internal/fault"
)

// line makes one line of a text from a person: without control characters and those
// that turn the direction of what follows. Markup stays, as the text it is.
func line(text string) string { return strings.Join(strings.Fields(clean(text)), " ") }

// lines is line for each of the lines of a text.
func lines(text string) string {
	var out []string
	for l := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		out = append(out, line(l))
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}

func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.Is(unicode.Bidi_Control, r):
			return -1
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, text)
}

// address returns an address that viewers may be sent to, or shown a picture from.
func address(text, what string, schemes ...string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	known := false
	for _, s := range schemes {
		known = known || err == nil && u.Scheme == s
	}
	web := known && (u.Scheme == "http" || u.Scheme == "https")
	if !known || web && (u.Host == "" || u.User != nil) || clean(text) != text {
		return "", fault.New(fault.Invalid, "invalid-address", "The address of %s must be whole, such as https://example.com/offer.", what)
	}
	return u.String(), nil
}
