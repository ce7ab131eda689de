package player_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"image"
	"image/jpeg"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/blob"
)

// hostile are texts that people have put where a title belongs.
var hostile = []string{
	`</script><script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "' onload='alert(1)", "<!--<script>", "javascript:alert(1)",
	"\u202egnp.exe\u202c", "a\x00b", strings.Repeat("x<b>", 1024), "{{.Base}}", "\u2028\u2029", "]]>&amp;<!DOCTYPE",
}

// show publishes a media that has everything a page can tell.
func show(t *testing.T, id, title string) {
	t.Helper()
	p := publish(t, id, "ready")
	var poster bytes.Buffer
	require.NoError(t, jpeg.Encode(&poster, image.NewGray(image.Rect(0, 0, 640, 360)), nil))
	prefix := blob.MediaPrefix(account, id)
	require.NoError(t, store.PutBytes(t.Context(), prefix+"g1/a9/poster.jpg", poster.Bytes(), "image/jpeg"))
	require.NoError(t, store.PutBytes(t.Context(), prefix+"captions/abcdefghij.vtt",
		[]byte("WEBVTT\n\n00:00.000 --> 00:02.000\nHello there\n\n00:02.000 --> 00:04.000\n"+strings.ReplaceAll(title, "-->", "")+"\n"), "text/vtt"))
	p.Name, p.Poster, p.UploadedMS = title, "g1/a9/poster.jpg", time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC).UnixMilli()
	p.Chapters = []blob.Chapter{{Title: "Intro"}, {StartMS: 10_500, Title: title}}
	p.Captions = []blob.Caption{{Language: "en", Label: title, Kind: "captions", Src: "captions/abcdefghij.vtt", Default: true}}
	require.NoError(t, store.WritePointer(t.Context(), p))
}

func TestOEmbedSaysWhatTheSpecificationAsksFor(t *testing.T) {
	t.Parallel()
	show(t, "oembed0001", "A title & more")
	require.NoError(t, store.WriteSettings(t.Context(), blob.Settings{Account: account, Media: "oembed0002", Access: blob.Access{Visibility: blob.Private}}))
	publish(t, "oembed0002", "ready")
	publish(t, "oembed0003", "ready")
	require.NoError(t, store.WriteSettings(t.Context(), blob.Settings{Account: account, Media: "oembed0003", Access: blob.Access{Visibility: blob.Signed}}))
	server := serve(t, store, nil)
	ask := func(address, more string) answer {
		return get(t, server.URL+"/oembed?url="+url.QueryEscape(address)+more)
	}
	res := ask(server.URL+"/watch/oembed0001?t=90", "&maxwidth=800&maxheight=300")
	require.Equal(t, http.StatusOK, res.StatusCode, res.body)
	require.Contains(t, res.Header.Get("Content-Type"), "application/json")
	var o map[string]any
	require.NoError(t, json.Unmarshal([]byte(res.body), &o))
	require.Equal(t, "video", o["type"])
	require.Equal(t, "1.0", o["version"])
	require.Equal(t, "A title & more", o["title"])
	require.EqualValues(t, 533, o["width"], "16/9 in 800 x 300")
	require.EqualValues(t, 300, o["height"])
	require.EqualValues(t, 640, o["thumbnail_width"])
	require.EqualValues(t, 360, o["thumbnail_height"])
	require.Contains(t, o["html"], `src="`+server.URL+`/embed/iframe/oembed0001?t=90"`)
	require.Equal(t, http.StatusOK, get(t, o["thumbnail_url"].(string)).StatusCode)

	res = ask(server.URL+"/watch/oembed0001", "&format=xml")
	require.Contains(t, res.Header.Get("Content-Type"), "text/xml")
	var x struct {
		XMLName xml.Name `xml:"oembed"`
		Type    string   `xml:"type"`
		Title   string   `xml:"title"`
		HTML    string   `xml:"html"`
		Width   int      `xml:"width"`
	}
	require.NoError(t, xml.Unmarshal([]byte(res.body), &x))
	require.Equal(t, "A title & more", x.Title)
	require.Equal(t, 1920, x.Width)

	for address, want := range map[string]int{
		server.URL + "/watch/unknown001": 404, server.URL + "/watch/oembed0002": 404, server.URL + "/watch/oembed0003": 401,
		"https://example.com/watch/oembed0001": 404, "oembed0001": 404, "": 404,
	} {
		require.Equal(t, want, ask(address, "").StatusCode, address)
	}
	require.Equal(t, http.StatusNotImplemented, ask(server.URL+"/watch/oembed0001", "&format=yaml").StatusCode)

	page := get(t, server.URL+"/watch/oembed0001").body
	for _, kind := range []string{"json", "xml"} {
		found := regexp.MustCompile(`<link rel="alternate" type="(?:application|text)/` + kind + `\+oembed" href="([^"]+)"`).FindStringSubmatch(page)
		require.NotNil(t, found, "discovery of "+kind)
		require.Equal(t, http.StatusOK, get(t, strings.ReplaceAll(found[1], "&amp;", "&")).StatusCode)
	}
}

var linkedData = regexp.MustCompile(`(?s)<script type="application/ld\+json">(.*?)</script>`)

func TestPagesTellSearchEnginesOfTheVideo(t *testing.T) {
	t.Parallel()
	show(t, "linked0001", "A title")
	server := serve(t, store, nil)
	found := linkedData.FindStringSubmatch(get(t, server.URL+"/watch/linked0001").body)
	require.NotNil(t, found)
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(found[1]), &v))
	require.Equal(t, "https://schema.org", v["@context"])
	require.Equal(t, "VideoObject", v["@type"])
	for _, required := range []string{"name", "thumbnailUrl", "uploadDate", "description", "duration", "embedUrl"} {
		require.NotEmpty(t, v[required], required)
	}
	require.Equal(t, "2026-03-04T05:06:07Z", v["uploadDate"])
	require.Equal(t, "PT1M1S", v["duration"])
	require.Equal(t, "Hello there A title", v["transcript"])
	clips := v["hasPart"].([]any)
	require.Len(t, clips, 2)
	second := clips[1].(map[string]any)
	require.Equal(t, "Clip", second["@type"])
	require.InDelta(t, 10.5, second["startOffset"], 1e-9)
	require.InDelta(t, 61.5, second["endOffset"], 1e-9)
	require.Contains(t, get(t, second["url"].(string)).body, ` start="10.5"`)
}

var tags = regexp.MustCompile(`<(?i:script|img|svg|iframe|b)\b[^>]*>`)

func TestHostileTextsStayTexts(t *testing.T) {
	t.Parallel()
	server := serve(t, store, nil)
	show(t, "harmless01", "harmless")
	for i, title := range hostile {
		id := "hostile" + string(rune('a'+i)) + "01"
		show(t, id, title)
		for _, path := range []string{"/watch/", "/embed/iframe/", "/examples/", "/share/"} {
			res := get(t, server.URL+path+id+"?t=1&color="+url.QueryEscape(title)+"&autoplay="+url.QueryEscape(title))
			require.Equal(t, http.StatusOK, res.StatusCode, path)
			require.NotContains(t, res.Header.Get("Content-Security-Policy"), "unsafe")
			same := get(t, server.URL+path+"harmless01?t=1").body
			require.Len(t, tags.FindAllString(res.body, -1), len(tags.FindAllString(same, -1)), "%s of %q has an element of its own", path, title)
			require.NotContains(t, res.body, "\x00")
			if found := linkedData.FindStringSubmatch(res.body); found != nil {
				require.True(t, json.Valid([]byte(found[1])), "%q", title)
			}
		}
		res := get(t, server.URL+"/oembed?format=xml&url="+url.QueryEscape(server.URL+"/watch/"+id))
		var x struct {
			Title string `xml:"title"`
		}
		require.NoError(t, xml.Unmarshal([]byte(res.body), &x), "%q", title)
	}
}
