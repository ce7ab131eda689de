package captions_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/asticode/go-astisub"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/captions"
)

const srt = "1\r\n00:00:01,000 --> 00:00:02,500\r\nHello <i>there</i> & <b>you</b>\r\nsecond line\r\n\r\n2\r\n00:01:05,000 --> 00:01:07,000\r\n{\\an8}Bye\r\n"

func TestSubRipBecomesWebVTT(t *testing.T) {
	t.Parallel()
	track, err := captions.Parse([]byte("\xef\xbb\xbf" + srt))
	require.NoError(t, err)
	require.Equal(t, 2, track.Cues())
	require.Equal(t, "WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.500\nHello <i>there</i> &amp; <b>you</b>\nsecond line\n\n"+
		"2\n00:01:05.000 --> 00:01:07.000\nBye\n", string(track.VTT()))
}

func TestSegmentsHoldWhatIsShownInThem(t *testing.T) {
	t.Parallel()
	track, err := captions.Parse([]byte("WEBVTT\n\n00:59.000 --> 01:01.000 align:start line:10%\nacross\n\n01:30.000 --> 01:31.000\nlater\n"))
	require.NoError(t, err)
	header := "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n"
	require.Equal(t, header+"\n1\n00:00:59.000 --> 00:01:01.000 align:start line:10%\nacross\n", string(track.Segment(0, time.Minute)))
	require.Contains(t, string(track.Segment(time.Minute, 2*time.Minute)), "across")
	require.Contains(t, string(track.Segment(time.Minute, 2*time.Minute)), "later")
	require.Equal(t, header, string(track.Segment(2*time.Minute, 3*time.Minute)))
}

func TestNothingOfAHostileTextIsPassedThrough(t *testing.T) {
	t.Parallel()
	track, err := captions.Parse([]byte("WEBVTT\n\nSTYLE\n::cue { background: url(http://evil.example/) }\n\nNOTE canary\n\n" +
		"00:00.000 --> 00:01.000 line:1;x position:<b>\n<v Ann\" onload=x><c.red>a</c> <img src=x onerror=alert(1)><script>alert(2)</script> --&gt; &lt;b\n<00:00:00.500><ruby>x</ruby>\n"))
	require.NoError(t, err)
	text := string(track.VTT())
	for _, bad := range []string{"STYLE", "evil", "NOTE", "canary", "<img", "<script", "<c", "<ruby", "\"", "line:1;", "position"} {
		require.NotContains(t, text, bad)
	}
	require.Contains(t, text, "&lt;b")
	require.Equal(t, 1, strings.Count(text, "-->"))
}

func TestWhatIsNoCaptionsIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		text string
		want error
	}{
		{"nothing", "", captions.ErrEmpty},
		{"prose", "Dear Ann,\nthis is a letter.", captions.ErrEmpty},
		{"a header only", "WEBVTT\n\n", captions.ErrEmpty},
		{"cues that end before they begin", "1\n00:00:02,000 --> 00:00:01,000\nx\n", captions.ErrEmpty},
		{"an arrow without times", "WEBVTT\n\n00:00.000 -->\nx\n", captions.ErrFormat},
		{"Latin 1", "1\n00:00:01,000 --> 00:00:02,000\ncaf\xe9\n", captions.ErrEncoding},
		{"a line without end", "1\n00:00:01,000 --> 00:00:02,000\n" + strings.Repeat("x", 20_000), captions.ErrTooLarge},
		{"too much", strings.Repeat("x\n", captions.MaxBytes), captions.ErrTooLarge},
		{"too many cues", strings.Repeat("00:00:01,000 --> 00:00:02,000\nx\n", 50_001), captions.ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := captions.Parse([]byte(c.text))
			require.ErrorIs(t, err, c.want)
		})
	}
}

func TestUTF16IsRead(t *testing.T) {
	t.Parallel()
	wide := []byte{0xff, 0xfe}
	for _, r := range "1\n00:00:01,000 --> 00:00:02,000\ncafé\n" {
		wide = append(wide, byte(r), byte(r>>8))
	}
	track, err := captions.Parse(wide)
	require.NoError(t, err)
	require.Contains(t, string(track.VTT()), "café")
}

func TestPacketsOfEachFormatBecomeATrack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ format, packet, want string }{
		{captions.FormatSubRip, "<i>one</i>\r\n\r\ntwo", "<i>one</i>\ntwo\n"},
		{captions.FormatWebVTT, "one <c.x>two</c>", "one two\n"},
		{captions.FormatASS, "0,0,Default,,0,0,0,,{\\i1}one{\\i0}, two", "one, two\n"},
		{captions.FormatMovText, "\x00\x05a<b&c\x00\x00\x00\x08styl", "a&lt;b&amp;c\n"},
	} {
		t.Run(c.format, func(t *testing.T) {
			t.Parallel()
			b := captions.NewBuilder(c.format)
			b.Add([]byte(c.packet), time.Second, 2*time.Second)
			b.Add([]byte("  "), 3*time.Second, 4*time.Second)
			track, err := b.Track()
			require.NoError(t, err)
			require.Equal(t, 1, track.Cues())
			require.Equal(t, "WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.000\n"+c.want, string(track.VTT()))
		})
	}
	require.Nil(t, captions.NewBuilder("hdmv_pgs_subtitle"))
	_, err := captions.NewBuilder(captions.FormatSubRip).Track()
	require.ErrorIs(t, err, captions.ErrEmpty)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(srt))
	f.Add([]byte("WEBVTT\n\nRegion: id=a width=1\n\n00:00.000 --> 00:01.000 region:a line:0\n<v X>a<00:00:00.500>b</v>\n"))
	f.Add([]byte("[Script Info]\n\n[Events]\nFormat: Start, End, Text\nDialogue: 0:00:00.00,0:00:01.00,{\\b1}x\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		track, err := captions.Parse(text)
		if err != nil {
			return
		}
		// What is written is read as the same, so it holds no more than cues.
		vtt := track.VTT()
		again, err := captions.Parse(vtt)
		require.NoError(t, err, "%s", vtt)
		require.Equal(t, track.Cues(), again.Cues(), "%s", vtt)
		raw, err := astisub.ReadFromWebVTT(bytes.NewReader(vtt))
		require.NoError(t, err)
		require.Empty(t, raw.Styles)
		require.Empty(t, raw.Regions)
	})
}
