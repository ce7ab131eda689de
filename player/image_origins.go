package player

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// isOrigin is narrow: what it lets pass becomes part of a Content-Security-Policy.
var isOrigin = regexp.MustCompile(`^https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?$`)

// imageOrigins are the sites whose pictures the media's calls to action show, each with
// a space behind it, for the policy of our own pages.
func imageOrigins(m media) string {
	var found []string
	players := []json.RawMessage{m.player}
	if m.arms != nil {
		for _, a := range m.arms.Arms {
			players = append(players, a.Player)
		}
	}
	for _, raw := range players {
		var player struct {
			Actions []struct {
				ImageURL string `json:"image_url"`
			} `json:"actions"`
		}
		if json.Unmarshal(raw, &player) != nil {
			continue // none, or not ours to read
		}
		for _, a := range player.Actions {
			u, err := url.Parse(a.ImageURL)
			if err != nil {
				continue
			}
			if origin := strings.ToLower(u.Scheme + "://" + u.Host); isOrigin.MatchString(origin) && !slices.Contains(found, origin) {
				found = append(found, origin)
			}
		}
	}
	var out strings.Builder
	for _, origin := range found {
		out.WriteString(origin + " ")
	}
	return out.String()
}
