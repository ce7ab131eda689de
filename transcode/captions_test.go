package transcode_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

const spoken = "1\n00:00:00,500 --> 00:00:01,500\nHello <i>there</i>\n\n2\n00:00:02,000 --> 00:00:02,800\n<b>a</b> & b\n"

func textFile(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

func TestSubtitlesAndChaptersOfASourceAreKept(t *testing.T) {
	t.Parallel()
	chapters := textFile(t, "c.txt", ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=Intro\n"+
		"[CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=3000\ntitle=The <b>rest</b>\n")
	text := textFile(t, "s.srt", spoken)
	for _, c := range []struct {
		name string
		file string
		args []string
		kind string // of the second
	}{
		{"SubRip and SubStation Alpha in MKV", "a.mkv", args(x264, []string{"-c:s:0", "subrip", "-c:s:1", "ass", "-disposition:s:1", "hearing_impaired"}), "captions"},
		{"timed text in MP4", "a.mp4", args(x264, []string{"-c:s", "mov_text", "-disposition:s:1", "hearing_impaired"}), "captions"},
		{"WebVTT in WebM", "a.webm", []string{"-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:s", "webvtt"}, "subtitles"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			m := w.upload(t, mediatest.Generate(t, c.file, args(picture("320x180", "25", "3"), []string{"-i", text, "-i", chapters,
				"-map", "0:v", "-map", "1", "-map", "1", "-map_metadata", "2", "-map_chapters", "2",
				"-metadata:s:s:0", "language=ger", "-metadata:s:s:1", "language=eng"}, c.args)...))
			m = w.await(t, m.ID, catalog.StateReady, 5*time.Minute)
			dir := w.hls(t, m)
			p := readHLS(t, dir)
			pointer, err := w.store.ReadPointer(t.Context(), m.ID)
			require.NoError(t, err)
			require.Equal(t, []blob.Chapter{{StartMS: 0, Title: "Intro"}, {StartMS: 1000, Title: "The brest/b"}}, pointer.Chapters)
			require.Len(t, pointer.Captions, 2)
			require.Equal(t, []string{"de", "Deutsch", "subtitles", "en", "English", c.kind}, []string{
				pointer.Captions[0].Language, pointer.Captions[0].Label, pointer.Captions[0].Kind,
				pointer.Captions[1].Language, pointer.Captions[1].Label, pointer.Captions[1].Kind})
			for _, caption := range pointer.Captions {
				vtt := readFile(t, filepath.Join(dir, caption.Src))
				require.Contains(t, vtt, "00:00:00.500 --> 00:00:01.500\nHello ")
				require.Contains(t, vtt, "&amp; b")
			}
			texts := 0
			for _, a := range p.variants[0].Alternatives {
				if a.Type != "SUBTITLES" {
					continue
				}
				texts++
				require.Equal(t, p.variants[0].Subtitles, a.GroupId)
				require.True(t, a.Autoselect)
				require.Equal(t, a.Language == "en" && c.kind == "captions", a.Characteristics != "")
				playlist := readFile(t, filepath.Join(dir, a.URI))
				require.Contains(t, playlist, "#EXTINF:3.000000,\n0.vtt\n#EXT-X-ENDLIST")
				segment := readFile(t, filepath.Join(dir, filepath.Dir(a.URI), "0.vtt"))
				require.Contains(t, segment, "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n")
				require.Contains(t, segment, "Hello ")
			}
			require.Equal(t, 2, texts)
		})
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(raw)
}
