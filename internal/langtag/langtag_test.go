package langtag_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/langtag"
)

func TestCodesOfAnyKindBecomeBCP47(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"ger": "de", "deu": "de", "fre": "fr", "chi": "zh", "eng": "en", "EN-us": "en-US", "pt-BR": "pt-BR", "en-x-2": "en-x-2",
		"und": "", "mul": "", "zxx": "", "xyz": "", "": "", "e n": "", "../etc": "", strings.Repeat("a", 100): "",
	} {
		require.Equal(t, want, langtag.Canonical(code), "%q", code)
	}
}

func TestLanguagesAreNamedInThemselves(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{
		"de": "Deutsch", "fr": "Français", "he": "עברית", "en-US": "American English", "mi": "Maori", "": "",
	} {
		require.Equal(t, want, langtag.Name(tag), "%q", tag)
	}
}

func TestLabelsOfStrangersAreHarmless(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"  Director's\r\ncommentary ": "Director's commentary",
		"a\",URI=\"http://x/":         "a,URI=http://x/",
		"<script>x</script>":          "scriptx/script",
		"a\x00b\u202ec":               "abc",
		strings.Repeat("é", 100):      strings.Repeat("é", 60),
	} {
		require.Equal(t, want, langtag.Clean(text))
	}
}
