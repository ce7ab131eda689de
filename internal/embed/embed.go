// Package embed writes the HTML that people paste into their pages to show a video.
//
// Every code holds the player's box open from the first paint, so that nothing on
// the page moves when the script arrives, and works pasted more than once.
package embed

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Media is what a code shows.
type Media struct {
	Base          string // where browsers reach the server, without a slash at the end
	ID            string
	Name          string
	Width, Height int  // its proportions; 0 while they are unknown
	Signed        bool // whether pages must bring a token
}

// Options are chosen by who pastes the code. The zero value is a video that fills
// the width it is given and waits for a click.
type Options struct {
	StartSeconds float64 // where it starts; 0 for the beginning
	Autoplay     bool    // muted, when in view
	Muted        bool
	Loop         bool
	Color        string // "#rrggbb"; empty for the media's own
	MaxWidth     int    // CSS pixels; 0 for the width of the place
	Playlist     string // ids of the media that play after it, separated by spaces
}

// Set is every code for one media.
type Set struct {
	Inline      string `json:"inline" doc:"The player in its place."`
	Popover     string `json:"popover" doc:"A thumbnail that opens the player above the page."`
	PopoverLink string `json:"popover_link" doc:"A text link that does."`
	Iframe      string `json:"iframe" doc:"For places where scripts are not allowed."`
	Link        string `json:"link" doc:"Address of the watch page."`
	OEmbedURL   string `json:"oembed_url" doc:"For programs that embed by oEmbed."`
	React       string `json:"react" doc:"The player in JSX, React 19 or later; load player.js once."`
}

// Codes returns the codes for a media.
func Codes(m Media, o Options) Set {
	s := Set{Link: m.Base + "/watch/" + m.ID + query(o, false)}
	s.Inline = script(m) + placeholder(m, o) + element(m, o, "", "")
	s.Popover = script(m) + placeholder(m, o) + element(m, o, "popover", "")
	s.PopoverLink = script(m) + element(m, o, "link", html.EscapeString(m.Name))
	s.Iframe = iframe(m, o)
	s.React = react(m, o)
	s.OEmbedURL = m.Base + "/oembed?" + url.Values{"url": {m.Base + "/watch/" + m.ID}}.Encode()
	return s
}

func script(m Media) string {
	return fmt.Sprintf(`<script type="module" async src="%s/player.js"></script>`, html.EscapeString(m.Base))
}

// placeholder is the box before the script has run. Without a shape the player's own
// default holds, which a code that is pasted today must not fix for good.
func placeholder(m Media, o Options) string {
	rule := ""
	if m.Width > 0 && m.Height > 0 {
		rule = fmt.Sprintf("aspect-ratio:%d/%d", m.Width, m.Height)
	} else {
		rule = "aspect-ratio:16/9"
	}
	return fmt.Sprintf(`<style>vitascope-player[media-id="%s"]:not(:defined){display:block;%s%s}</style>`, m.ID, rule, maxWidth(o, ";"))
}

// tokenHere stands where a page writes the token that its server signed.
const tokenHere = "YOUR-TOKEN"

func element(m Media, o Options, mode, content string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<vitascope-player media-id="%s"`, m.ID)
	if mode != "" {
		fmt.Fprintf(&b, ` mode="%s"`, mode)
	}
	if m.Signed {
		b.WriteString(` token="` + tokenHere + `"`)
	}
	if m.Width > 0 && m.Height > 0 && mode != "link" {
		fmt.Fprintf(&b, ` aspect="%d/%d"`, m.Width, m.Height)
	}
	if o.StartSeconds > 0 {
		fmt.Fprintf(&b, ` start="%s"`, seconds(o.StartSeconds))
	}
	for _, flag := range []struct {
		name string
		set  bool
	}{{"autoplay", o.Autoplay}, {"muted", o.Muted}, {"loop", o.Loop}} {
		if flag.set {
			b.WriteString(" " + flag.name)
		}
	}
	if color := Color(o.Color); color != "" {
		fmt.Fprintf(&b, ` player-color="%s"`, color)
	}
	if IsPlaylist(o.Playlist) {
		fmt.Fprintf(&b, ` playlist="%s"`, o.Playlist)
	}
	if style := maxWidth(o, ""); style != "" && mode != "link" {
		fmt.Fprintf(&b, ` style="%s"`, style)
	}
	b.WriteString(">" + content + "</vitascope-player>")
	return b.String()
}

// react is the element in JSX. React sets attributes of custom elements as they are.
func react(m Media, o Options) string {
	code := element(m, o, "", "")
	code = strings.Replace(code, `token="`+tokenHere+`"`, "token={token}", 1)
	if style := maxWidth(o, ""); style != "" {
		code = strings.Replace(code, `style="`+style+`"`, fmt.Sprintf("style={{ maxWidth: %d }}", o.MaxWidth), 1)
	}
	return strings.TrimSuffix(code, "></vitascope-player>") + " />"
}

func iframe(m Media, o Options) string {
	width, height := m.Width, m.Height
	if width <= 0 || height <= 0 {
		width, height = 16, 9
	}
	return fmt.Sprintf(`<iframe src="%s" title="%s" allow="autoplay; fullscreen; picture-in-picture; encrypted-media" allowfullscreen loading="lazy" style="width:100%%;aspect-ratio:%d/%d;border:0%s"></iframe>`,
		html.EscapeString(m.Base+"/embed/iframe/"+m.ID+query(o, true)), html.EscapeString(m.Name), width, height, maxWidth(o, ";"))
}

func maxWidth(o Options, before string) string {
	if o.MaxWidth <= 0 {
		return ""
	}
	return before + "max-width:" + strconv.Itoa(o.MaxWidth) + "px"
}

// query is what the addresses of pages can choose.
func query(o Options, all bool) string {
	q := url.Values{}
	if o.StartSeconds > 0 {
		q.Set("t", seconds(o.StartSeconds))
	}
	if all {
		for name, set := range map[string]bool{"autoplay": o.Autoplay, "muted": o.Muted, "loop": o.Loop} {
			if set {
				q.Set(name, "1")
			}
		}
		if color := Color(o.Color); color != "" {
			q.Set("color", color[1:])
		}
		if IsPlaylist(o.Playlist) {
			q.Set("playlist", o.Playlist)
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

func seconds(s float64) string { return strconv.FormatFloat(s, 'f', -1, 64) }

var playlist = regexp.MustCompile(`^[0-9a-z]{10}( [0-9a-z]{10}){0,49}$`)

// IsPlaylist tells whether s names the media of a playlist, as Options do.
func IsPlaylist(s string) bool { return playlist.MatchString(s) }

var hexColor = regexp.MustCompile(`^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$`)

// Color returns a hexadecimal colour with its hash, or nothing when s is none.
func Color(s string) string {
	if !hexColor.MatchString(s) {
		return ""
	}
	return "#" + strings.TrimPrefix(s, "#")
}
