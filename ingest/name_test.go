package ingest_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/ingest"
)

func TestCleanName(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"launch.mp4":                       "launch.mp4",
		"  two   spaces \t and\nlines ":    "two spaces and lines",
		"\u202e\u2066\u200b\ufeff":         "Untitled",
		"family 👨‍👩‍👧.mov":                 "family 👨‍👩‍👧.mov",
		"\u200d\u200d":                     "Untitled",
		"\x1b[31mred\x7f":                  "[31mred",
		"replacement \ufffd stays":         "replacement \ufffd stays",
		strings.Repeat("x", 254) + "  yz":  strings.Repeat("x", 254),
		strings.Repeat("x ", 200) + "tail": strings.Repeat("x ", 127) + "x",
	} {
		require.Equal(t, want, ingest.CleanName(raw), "%q", raw)
	}
}

func FuzzCleanName(f *testing.F) {
	for _, seed := range []string{"", "a.mp4", "\x00\xff\u202e", strings.Repeat("é ", 300), "‍x‍", "\u2028\u2029"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		name := ingest.CleanName(raw)
		require.True(t, utf8.ValidString(name))
		n := utf8.RuneCountInString(name)
		require.Positive(t, n)
		require.LessOrEqual(t, n, 255)
		require.Equal(t, strings.TrimSpace(name), name)
		require.Equal(t, name, ingest.CleanName(name), "cleaning twice changes nothing")
		for _, r := range name {
			require.False(t, unicode.IsControl(r), "%q", name)
			require.False(t, unicode.In(r, unicode.Bidi_Control), "%q", name)
		}
	})
}
