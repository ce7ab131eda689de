package transcode_test

import (
	_ "embed"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/transcode/internal/hlstest"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

// audited are the media whose output is held to Apple's rules: what a browser plays
// and what it does not, HD and small, fields, high rates, odd pixels, sound alone.
func audited(t *testing.T) map[string]string {
	t.Helper()
	titles := filepath.Join(t.TempDir(), "titles.srt")
	require.NoError(t, os.WriteFile(titles, []byte("1\n00:00:01,000 --> 00:00:04,000\nHello\n\n2\n00:00:07,000 --> 00:00:09,000\nAgain\n"), 0o600))
	moving := func(size, rate string) []string { // noise, so that rates are near their caps
		return []string{"-f", "lavfi", "-i", "testsrc2=size=" + size + ":rate=" + rate + ":duration=13,noise=alls=12:allf=t"}
	}
	tone := func(volume string) []string {
		return []string{"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=13,volume=" + volume}
	}
	return map[string]string{
		"HD of two languages with subtitles": mediatest.Generate(t, "a.mkv", args(moving("1280x720", "15"), tone("0.2"), tone("2"), []string{"-i", titles,
			"-map", "0", "-map", "1", "-map", "2", "-map", "3", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu", "-metadata:s:s:0", "language=eng"},
			x264, []string{"-c:a", "aac", "-c:s", "srt"})...),
		"what browsers play":  mediatest.Generate(t, "b.mp4", args(moving("864x486", "24"), tone("1"), x264, []string{"-b:v", "900k", "-maxrate", "900k", "-bufsize", "900k", "-g", "96", "-keyint_min", "96", "-c:a", "aac"})...),
		"interlaced, NTSC":    mediatest.Generate(t, "c.ts", args(moving("320x240", "60000/1001"), tone("1"), []string{"-vf", "interlace", "-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-b:v", "3M", "-c:a", "mp2"})...),
		"120 frames a second": mediatest.Generate(t, "d.mkv", args(moving("320x180", "120"), x264)...),
		"anamorphic":          mediatest.Generate(t, "e.mkv", args(moving("482x480", "25"), []string{"-vf", "setsar=16/9"}, x264)...),
		"sound alone":         mediatest.Generate(t, "f.mp3", args(tone("4"), []string{"-c:a", "libmp3lame"})...),
	}
}

// TestOutputFollowsApplesRules checks real output, as viewers get it, against the
// rules, and the package's own list of those that it does not meet against that.
func TestOutputFollowsApplesRules(t *testing.T) {
	t.Parallel()
	rules := slices.Concat(videoRules, listRules)
	broken := map[string][]string{}
	var mu sync.Mutex
	w := newWorld(t)
	t.Run("of", func(t *testing.T) {
		for name, file := range audited(t) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				m := w.upload(t, file)
				m = w.await(t, m.ID, catalog.StateReady, 3*time.Minute)
				p, err := hlstest.Read(t.Context(), w.viewers(t, m))
				require.NoError(t, err)
				for _, r := range rules {
					if wrong := r.check(p); len(wrong) > 0 {
						t.Logf("rule %s, %s: %s", r.id, r.text, strings.Join(wrong, "; "))
						mu.Lock()
						broken[r.id] = append(broken[r.id], name)
						mu.Unlock()
					}
				}
			})
		}
	})
	require.Equal(t, admitted(t), slices.Sorted(maps.Keys(broken)), "the package doc's list of rules not met, and those not met")
}

//go:embed transcode.go
var packageDoc string

// admitted are the rules that the package doc says are not met.
func admitted(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "transcode.go", packageDoc, parser.ParseComments|parser.PackageClauseOnly)
	require.NoError(t, err)
	_, list, found := strings.Cut(file.Doc.Text(), "\n# Apple's rules that are not met\n")
	require.True(t, found)
	list, _, _ = strings.Cut(list, "\n# ")
	var all []string
	for _, item := range regexp.MustCompile(`(?m)^\s+- ([0-9., ]+): `).FindAllStringSubmatch(list, -1) {
		all = append(all, strings.Split(item[1], ", ")...)
	}
	slices.Sort(all)
	return all
}
