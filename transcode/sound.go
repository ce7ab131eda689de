package transcode

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/langtag"
	"github.com/vitascope/vitascope/transcode/child"
)

const (
	audioBPS = 128_000
	// maxAudioTracks bounds the audio renditions of a media.
	maxAudioTracks = 16
)

// audioSpecs are the audio renditions of a source: one for each of its tracks,
// named a0, a1 and so on.
func audioSpecs(probe child.ProbeResult) []child.AudioSpec {
	var specs []child.AudioSpec
	for n := range probe.Audio[:min(len(probe.Audio), maxAudioTracks)] {
		specs = append(specs, child.AudioSpec{Name: audioName(n), Track: n, BitrateBPS: audioBPS})
	}
	return specs
}

func audioName(track int) string { return "a" + strconv.Itoa(track) }

// describeAudio adds to the rows of audio renditions what viewers choose by:
// language, label and which one plays unasked.
func describeAudio(rows []catalog.Rendition, probe child.ProbeResult) {
	tracks := probe.Audio[:min(len(probe.Audio), maxAudioTracks)]
	labels := audioLabels(tracks)
	first := max(0, slices.IndexFunc(tracks, func(a child.AudioStream) bool { return a.Default }))
	for n, track := range tracks {
		for i := range rows {
			if r := &rows[i]; r.Kind == catalog.RenditionAudio && r.Name == audioName(n) {
				r.Language, r.Label = langtag.Canonical(track.Language), labels[n]
				r.Channels, r.IsDefault, r.Described = 2, n == first, track.Described
			}
		}
	}
}

// audioLabels are what a player's menu shows: the language's own name, with the
// track's title where that alone would not tell tracks apart, all different.
func audioLabels(tracks []child.AudioStream) []string {
	languages := map[string]int{}
	for _, t := range tracks {
		languages[langtag.Canonical(t.Language)]++
	}
	taken := map[string]bool{}
	labels := make([]string, len(tracks))
	for n, t := range tracks {
		tag, title := langtag.Canonical(t.Language), langtag.Clean(t.Title)
		label := langtag.Name(tag)
		switch {
		case label == "" && title != "":
			label = title
		case label == "":
			label = "Audio"
		case title != "" && languages[tag] > 1 && !strings.EqualFold(title, label):
			label += " (" + title + ")"
		}
		labels[n] = distinct(label, taken)
	}
	return labels
}

// distinct adds a number to a label that is taken, and takes it.
func distinct(label string, taken map[string]bool) string {
	unique := label
	for n := 2; taken[unique]; n++ {
		unique = fmt.Sprintf("%s %d", label, n)
	}
	taken[unique] = true
	return unique
}
