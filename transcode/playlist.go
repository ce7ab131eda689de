package transcode

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Eyevinn/hls-m3u8/m3u8"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jit"
	"github.com/vitascope/vitascope/transcode/child"
)

const (
	// playlistVersion is what EXT-X-MAP without I-frames-only needs, and more.
	playlistVersion = 7
	audioGroup      = "aud"
	// defaultBPS is where a player should start when it knows nothing (1.32).
	defaultBPS = 2_000_000
)

// output is a rendition as it was encoded: what its playlist is made of.
type output struct {
	init     child.Init
	segments []child.Segment
}

// mediaPlaylist is the playlist of a finished rendition (RFC 8216bis, 4.4.3).
func mediaPlaylist(o *output) ([]byte, error) {
	n := uint(len(o.segments))
	p, err := m3u8.NewMediaPlaylist(0, max(n, 1))
	if err != nil {
		return nil, fmt.Errorf("media playlist: %w", err)
	}
	p.MediaType = m3u8.VOD
	p.SetIndependentSegments(true)
	p.SetDefaultMap("init.mp4", 0, 0)
	p.SetWritePrecision(6)
	p.SetTargetDuration(targetDuration)
	for _, s := range o.segments {
		if err := p.Append(strconv.Itoa(s.N)+".m4s", o.seconds(s), ""); err != nil {
			return nil, fmt.Errorf("media playlist: %w", err)
		}
	}
	p.SetVersion(playlistVersion)
	p.Close()
	return slices.Clone(p.Encode().Bytes()), nil
}

func (o *output) seconds(s child.Segment) float64 {
	return float64(s.Duration) / float64(o.init.Timescale)
}

// rates are a rendition's peak segment rate and its average, in bits per second.
// A segment shorter than half of the target is no measure of the peak.
func (o *output) rates() (peak, average int) {
	bits, seconds := 0.0, 0.0
	for _, s := range o.segments {
		d := o.seconds(s)
		bits += float64(s.Bytes) * 8
		seconds += d
		if d >= targetDuration/2.0 {
			peak = max(peak, int(math.Ceil(float64(s.Bytes)*8/d)))
		}
	}
	if seconds > 0 {
		average = int(math.Ceil(bits / seconds))
	}
	return max(peak, average), average
}

// multivariant is the multivariant playlist over finished renditions (RFC
// 8216bis, 4.4.6). uri gives a rendition's playlist, relative to this one.
func multivariant(renditions []catalog.Rendition, language string, uri func(catalog.Rendition) string) []byte {
	p := m3u8.NewMasterPlaylist()
	p.SetVersion(playlistVersion)
	p.SetIndependentSegments(true)
	var audio *catalog.Rendition
	var videos []catalog.Rendition
	for i, r := range renditions {
		if r.Kind == catalog.RenditionAudio {
			audio = &renditions[i]
		} else {
			videos = append(videos, r)
		}
	}
	if len(videos) == 0 && audio != nil {
		p.Append(uri(*audio), nil, m3u8.VariantParams{
			Bandwidth: uint32(audio.BandwidthBPS), AverageBandwidth: uint32(audio.AverageBandwidthBPS), Codecs: audio.Codecs,
		})
		return encode(p)
	}
	for _, v := range startFirst(videos) {
		params := m3u8.VariantParams{
			Bandwidth: uint32(v.BandwidthBPS), AverageBandwidth: uint32(v.AverageBandwidthBPS), Codecs: v.Codecs,
			Resolution: fmt.Sprintf("%dx%d", v.Width, v.Height), FrameRate: v.FrameRate, VideoRange: "SDR", Captions: "NONE",
		}
		if audio != nil {
			params.Bandwidth += uint32(audio.BandwidthBPS)
			params.AverageBandwidth += uint32(audio.AverageBandwidthBPS)
			params.Codecs += "," + audio.Codecs
			params.Audio = audioGroup
			params.Alternatives = []*m3u8.Alternative{{
				Type: "AUDIO", GroupId: audioGroup, Name: audioLabel(language), Language: language,
				Default: true, Autoselect: true, Channels: &m3u8.Channels{Amount: 2}, URI: uri(*audio),
			}}
		}
		p.Append(uri(v), nil, params)
	}
	return encode(p)
}

// sourceMultivariant is the multivariant playlist of a source that is served as it
// is. uri gives the playlist of a track, relative to this one.
func sourceMultivariant(index *jit.Index, uri func(track int) string) []byte {
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
		names := map[string]int{}
		for n, t := range index.Tracks() {
			if t.Video {
				continue
			}
			known := t.Language
			if known == "und" {
				known = ""
			}
			label := audioLabel(known)
			if names[label]++; names[label] > 1 {
				label = fmt.Sprintf("%s %d", label, names[label])
			}
			params.Audio = audioGroup
			params.Alternatives = append(params.Alternatives, &m3u8.Alternative{
				Type: "AUDIO", GroupId: audioGroup, Name: label, Language: known, Default: len(params.Alternatives) == 0,
				Autoselect: true, Channels: &m3u8.Channels{Amount: t.Channels}, URI: uri(n),
			})
		}
	}
	p.Append(uri(0), nil, params)
	return encode(p)
}

func encode(p *m3u8.MasterPlaylist) []byte {
	p.SetVersion(playlistVersion) // appending may have moved it
	p.SetWritePrecision(3)
	return slices.Clone(p.Encode().Bytes())
}

// startFirst puts the rung to start with first and the others after it, smallest
// to largest.
func startFirst(videos []catalog.Rendition) []catalog.Rendition {
	sorted := slices.SortedFunc(slices.Values(videos), func(a, b catalog.Rendition) int {
		return a.Width*a.Height - b.Width*b.Height
	})
	start := 0
	for i, v := range sorted {
		if v.AverageBandwidthBPS <= defaultBPS && min(v.Width, v.Height) <= 720 {
			start = i
		}
	}
	first := sorted[start]
	return append([]catalog.Rendition{first}, slices.Delete(sorted, start, start+1)...)
}

// audioLabel is what a player's menu shows for an audio track.
func audioLabel(language string) string {
	if language == "" {
		return "Audio"
	}
	return strings.ToUpper(language)
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
