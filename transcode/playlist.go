package transcode

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Eyevinn/hls-m3u8/m3u8"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jit"
	"github.com/vitascope/vitascope/internal/langtag"
	"github.com/vitascope/vitascope/transcode/child"
)

const (
	// playlistVersion is what EXT-X-MAP without I-frames-only needs, and more.
	playlistVersion = 7
	audioGroup      = "aud"
	// describesVideo marks sound for those who do not see (RFC 8216bis, 4.4.6.1).
	describesVideo = "public.accessibility.describes-video"
	// defaultBPS is where a player should start when it knows nothing (1.32).
	defaultBPS = 2_000_000
)

// mediaPlaylist is the playlist of a rendition (RFC 8216bis, 4.4.3); uri gives an
// object folder, relative to the playlist. One that is not closed grows: who plays it
// asks for it again.
func mediaPlaylist(o *output, target int, closed bool, uri func(folder string) string) ([]byte, error) {
	n := uint(len(o.segments))
	p, err := m3u8.NewMediaPlaylist(0, max(n, 1))
	if err != nil {
		return nil, fmt.Errorf("media playlist: %w", err)
	}
	p.MediaType = m3u8.VOD
	p.SetIndependentSegments(true)
	p.SetDefaultMap(uri(o.folder)+"init.mp4", 0, 0)
	p.SetWritePrecision(6)
	p.SetTargetDuration(uint(target))
	for _, s := range o.segments {
		if err := p.Append(uri(s.folder)+strconv.Itoa(s.n)+".m4s", o.seconds(s), ""); err != nil {
			return nil, fmt.Errorf("media playlist: %w", err)
		}
	}
	p.SetVersion(playlistVersion)
	if closed {
		p.Close()
		return slices.Clone(p.Encode().Bytes()), nil
	}
	p.MediaType = m3u8.EVENT
	// Players would start near the end of what grows. The library reads this tag and
	// does not write it.
	const kind = "#EXT-X-PLAYLIST-TYPE:EVENT\n"
	return bytes.Replace(p.Encode().Bytes(), []byte(kind), []byte(kind+"#EXT-X-START:TIME-OFFSET=0\n"), 1), nil
}

// multivariant is the multivariant playlist over finished renditions (RFC
// 8216bis, 4.4.6). uri gives a rendition's playlist, relative to this one.
func multivariant(renditions []catalog.Rendition, texts []*m3u8.Alternative, uri func(catalog.Rendition) string) []byte {
	p := m3u8.NewMasterPlaylist()
	p.SetVersion(playlistVersion)
	p.SetIndependentSegments(true)
	var audios, videos []catalog.Rendition
	for _, r := range renditions {
		if r.Kind == catalog.RenditionAudio {
			audios = append(audios, r)
		} else {
			videos = append(videos, r)
		}
	}
	sound := soundOf(audios, uri)
	if len(videos) == 0 && len(audios) > 0 {
		params := m3u8.VariantParams{Bandwidth: uint32(sound.peak), AverageBandwidth: uint32(sound.average), Codecs: sound.codecs}
		if len(audios) > 1 {
			params.Audio, params.Alternatives = audioGroup, sound.choices
		}
		addTexts(&params, texts)
		p.Append(uri(sound.first), nil, params)
		return encode(p)
	}
	for _, v := range startFirst(videos) {
		params := m3u8.VariantParams{
			Bandwidth: uint32(v.BandwidthBPS), AverageBandwidth: uint32(v.AverageBandwidthBPS), Codecs: v.Codecs,
			Resolution: fmt.Sprintf("%dx%d", v.Width, v.Height), FrameRate: v.FrameRate, VideoRange: "SDR", Captions: "NONE",
		}
		if len(audios) > 0 {
			params.Bandwidth += uint32(sound.peak)
			params.AverageBandwidth += uint32(sound.average)
			params.Codecs += "," + sound.codecs
			params.Audio, params.Alternatives = audioGroup, sound.choices
		}
		addTexts(&params, texts)
		p.Append(uri(v), nil, params)
	}
	addIframes(p, videos, uri)
	return encode(p)
}

// sound is the audio group: its choices, and what any variant adds for it.
type sound struct {
	first         catalog.Rendition // plays unasked
	choices       []*m3u8.Alternative
	codecs        string
	peak, average int // of the largest, as any may be chosen (9.13)
}

// addTexts gives a variant the subtitles group.
func addTexts(params *m3u8.VariantParams, texts []*m3u8.Alternative) {
	if len(texts) > 0 {
		params.Subtitles = captionGroup
		params.Alternatives = append(params.Alternatives[:len(params.Alternatives):len(params.Alternatives)], texts...)
	}
}

func soundOf(audios []catalog.Rendition, uri func(catalog.Rendition) string) sound {
	var s sound
	if len(audios) == 0 {
		return s
	}
	s.first = audios[max(0, slices.IndexFunc(audios, func(r catalog.Rendition) bool { return r.IsDefault }))]
	s.codecs = s.first.Codecs
	for _, a := range audios {
		s.peak, s.average = max(s.peak, a.BandwidthBPS), max(s.average, a.AverageBandwidthBPS)
		choice := &m3u8.Alternative{
			Type: "AUDIO", GroupId: audioGroup, Name: a.Label, Language: a.Language, Default: a.Name == s.first.Name,
			Autoselect: true, Channels: &m3u8.Channels{Amount: max(1, a.Channels)}, URI: uri(a),
		}
		if a.Label == "" { // of a release that did not name them
			choice.Name = "Audio"
		}
		if a.Described {
			choice.Characteristics = describesVideo
		}
		s.choices = append(s.choices, choice)
	}
	return s
}

// sourceMultivariant is the multivariant playlist of a source that is served as it
// is. uri gives the playlist of a track, relative to this one.
func sourceMultivariant(index *jit.Index, texts []*m3u8.Alternative, uri func(track int) string) []byte {
	p := m3u8.NewMasterPlaylist()
	p.SetVersion(playlistVersion)
	p.SetIndependentSegments(true)
	v := index.Variant()
	params := m3u8.VariantParams{
		Bandwidth: uint32(v.BandwidthBPS), AverageBandwidth: uint32(v.AverageBandwidthBPS), Codecs: v.Codecs,
	}
	if index.HasVideo() {
		params.Resolution = fmt.Sprintf("%dx%d", v.Width, v.Height)
		params.FrameRate, params.VideoRange, params.Captions = v.FrameRate, "SDR", "NONE"
		taken := map[string]bool{}
		for n, t := range index.Tracks() {
			if t.Video {
				continue
			}
			tag := langtag.Canonical(t.Language)
			label := langtag.Name(tag)
			if label == "" {
				label = "Audio"
			}
			params.Audio = audioGroup
			params.Alternatives = append(params.Alternatives, &m3u8.Alternative{
				Type: "AUDIO", GroupId: audioGroup, Name: distinct(label, taken), Language: tag, Default: len(params.Alternatives) == 0,
				Autoselect: true, Channels: &m3u8.Channels{Amount: t.Channels}, URI: uri(n),
			})
		}
	}
	addTexts(&params, texts)
	p.Append(uri(0), nil, params)
	return encode(p)
}

func encode(p *m3u8.MasterPlaylist) []byte {
	p.SetVersion(playlistVersion) // appending may have moved it
	p.SetWritePrecision(3)
	return slices.Clone(p.Encode().Bytes())
}

// codecRank puts what plays everywhere first.
func codecRank(r catalog.Rendition) int {
	switch {
	case strings.HasPrefix(r.Codecs, "hvc1"):
		return 1
	case strings.HasPrefix(r.Codecs, "av01"):
		return 2
	}
	return 0
}

// startFirst puts the rung to start with first and the others after it, smallest
// to largest.
func startFirst(videos []catalog.Rendition) []catalog.Rendition {
	sorted := slices.SortedFunc(slices.Values(videos), func(a, b catalog.Rendition) int {
		return cmp.Or(cmp.Compare(codecRank(a), codecRank(b)), a.Width*a.Height-b.Width*b.Height)
	})
	start := 0
	for i, v := range sorted {
		if codecRank(v) > 0 {
			break
		}
		if v.AverageBandwidthBPS <= defaultBPS && min(v.Width, v.Height) <= 720 {
			start = i
		}
	}
	first := sorted[start]
	return append([]catalog.Rendition{first}, slices.Delete(sorted, start, start+1)...)
}

// storyboardVTT describes the storyboard's tiles as WebVTT metadata: each cue is
// a rectangle of the sheet (Media Fragments URI 1.0, 4.2.2).
func storyboardVTT(spec child.StoryboardSpec, image child.Image, duration time.Duration) []byte {
	var b bytes.Buffer
	b.WriteString("WEBVTT\n")
	for i := range image.Tiles {
		from, to := time.Duration(i)*spec.Interval, time.Duration(i+1)*spec.Interval
		if from >= duration {
			break
		}
		if i == image.Tiles-1 || to > duration {
			to = duration
		}
		fmt.Fprintf(&b, "\n%s --> %s\nstoryboard.jpg#xywh=%d,%d,%d,%d\n", vttTime(from), vttTime(to),
			i%spec.Columns*spec.TileWidth, i/spec.Columns*image.TileHeight, spec.TileWidth, image.TileHeight)
	}
	return b.Bytes()
}

func vttTime(d time.Duration) string {
	ms := d.Milliseconds()
	return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}
