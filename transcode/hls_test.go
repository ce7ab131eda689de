package transcode_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/Eyevinn/hls-m3u8/m3u8"
	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"
)

// presentation is published HLS, read back and found to be right.
type presentation struct {
	dir      string
	variants []*m3u8.Variant
	video    []track // with the source, as the others
	audio    *track
}

// track is one rendition, as its segments tell it.
type track struct {
	uri       string
	timescale float64
	segments  []float64 // durations in seconds
	frames    int
	codecs    string
	hidden    uint64 // what the edit list takes off, in the timescale
}

func (t track) seconds() float64 {
	sum := 0.0
	for _, s := range t.segments {
		sum += s
	}
	return sum
}

// readHLS parses a presentation and checks all that holds for any.
func readHLS(t *testing.T, dir string) presentation {
	t.Helper()
	p := presentation{dir: dir}
	raw, err := os.ReadFile(filepath.Join(dir, "multivariant.m3u8"))
	require.NoError(t, err)
	list, kind, err := m3u8.DecodeFrom(bytes.NewReader(raw), true)
	require.NoError(t, err)
	require.Equal(t, m3u8.MASTER, kind)
	master := list.(*m3u8.MasterPlaylist)
	require.True(t, master.IndependentSegments())
	p.variants = master.Variants
	require.NotEmpty(t, p.variants)
	p.variants = slices.DeleteFunc(slices.Clone(p.variants), func(v *m3u8.Variant) bool { return v.Iframe })
	for _, v := range p.variants {
		p.variant(t, v)
	}
	for _, v := range master.Variants {
		if v.Iframe {
			readIframes(t, dir, v)
		}
	}
	for _, v := range p.video[min(1, len(p.video)):] {
		require.InDeltaSlice(t, p.video[0].segments, v.segments, 1e-5, "segments of %s and %s differ", p.video[0].uri, v.uri)
	}
	if p.audio != nil && len(p.video) > 0 {
		for i := range min(len(p.audio.segments), len(p.video[0].segments)) - 1 {
			require.InDelta(t, p.video[0].segments[i], p.audio.segments[i], 0.022, "audio segment %d", i)
		}
	}
	// Warnings too, such as of times that are not ascending.
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "warning", "-nostdin", "-allowed_extensions", "ALL",
		"-i", filepath.Join(dir, "multivariant.m3u8"), "-map", "0", "-f", "null", "-").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for line := range strings.Lines(string(out)) {
		require.Contains(t, line, "Can't support the subtitle", "it speaks of FFmpeg")
	}
	return p
}

func (p *presentation) variant(t *testing.T, v *m3u8.Variant) {
	t.Helper()
	if strings.Contains(v.URI, "/source/") { // what it holds is package jit's business
		p.sourceVariant(t, v)
		return
	}
	rendition := readTrack(t, p.dir, v.URI)
	require.Positive(t, v.AverageBandwidth)
	require.GreaterOrEqual(t, v.Bandwidth, v.AverageBandwidth)
	if !strings.HasPrefix(v.Codecs, "avc1.") {
		require.Empty(t, v.Resolution)
		require.Equal(t, rendition.codecs, v.Codecs)
		p.audio = &rendition
		return
	}
	p.video = append(p.video, rendition)
	require.Regexp(t, `^\d+x\d+$`, v.Resolution)
	require.InDelta(t, float64(rendition.frames)/rendition.seconds(), v.FrameRate, 0.01)
	codecs := rendition.codecs
	if v.Audio != "" {
		names, chosen := map[string]bool{}, 0
		for _, alternative := range v.Alternatives {
			if alternative.Type != "AUDIO" {
				continue
			}
			require.Equal(t, v.Audio, alternative.GroupId)
			require.True(t, alternative.Autoselect)
			require.NotEmpty(t, alternative.Name)
			require.False(t, names[alternative.Name], "two tracks are called %s", alternative.Name)
			names[alternative.Name] = true
			require.Equal(t, 2, alternative.Channels.Amount)
			audio := readTrack(t, p.dir, alternative.URI)
			if alternative.Default {
				chosen++
				p.audio = &audio
				codecs += "," + audio.codecs
			}
		}
		require.Equal(t, 1, chosen, "tracks by default")
	}
	require.Equal(t, codecs, v.Codecs)
}

// readIframes checks that each byte range of an I-frame playlist is a fragment
// with one IDR.
func readIframes(t *testing.T, dir string, v *m3u8.Variant) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, v.URI))
	require.NoError(t, err)
	list, _, err := m3u8.DecodeFrom(bytes.NewReader(raw), true)
	require.NoError(t, err)
	media := list.(*m3u8.MediaPlaylist)
	require.True(t, media.Iframe)
	require.NotNil(t, media.Map)
	require.Regexp(t, `^\d+x\d+$`, v.Resolution)
	sum := 0.0
	for _, s := range media.GetAllSegments() {
		sum += s.Duration
		segment, err := os.ReadFile(filepath.Join(dir, filepath.Dir(v.URI), s.URI))
		require.NoError(t, err)
		part := segment[s.Offset : s.Offset+s.Limit]
		size := binary.BigEndian.Uint32(part)
		require.Equal(t, "moof", string(part[4:8]))
		require.Equal(t, "mdat", string(part[size+4:size+8]))
		require.True(t, avc.IsIDRSample(part[size+8:]))
		if s.Duration > 1 {
			require.LessOrEqual(t, float64(s.Limit)*8/s.Duration, float64(v.Bandwidth)+1)
		}
	}
	track := readTrack(t, dir, filepath.Join(filepath.Dir(v.URI), "index.m3u8"))
	require.InDelta(t, track.seconds(), sum, 1e-4)
}

// sourceVariant reads the playlist of a source that is a rung.
func (p *presentation) sourceVariant(t *testing.T, v *m3u8.Variant) {
	t.Helper()
	require.Regexp(t, `^avc1\.[0-9A-F]{6}(,mp4a\.40\.2)?$`, v.Codecs)
	media := readPlaylist(t, p.dir, v.URI)
	require.True(t, media.Closed)
	tr := track{uri: v.URI}
	for _, s := range media.GetAllSegments() {
		tr.segments = append(tr.segments, s.Duration)
	}
	p.video = append(p.video, tr)
}

func readPlaylist(t *testing.T, dir, uri string) *m3u8.MediaPlaylist {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, uri))
	require.NoError(t, err)
	list, kind, err := m3u8.DecodeFrom(bytes.NewReader(raw), true)
	require.NoError(t, err)
	require.Equal(t, m3u8.MEDIA, kind)
	return list.(*m3u8.MediaPlaylist)
}

// readTrack reads a media playlist and its segments.
func readTrack(t *testing.T, dir, uri string) track {
	t.Helper()
	media := readPlaylist(t, dir, uri)
	require.Equal(t, m3u8.VOD, media.MediaType)
	require.True(t, media.Closed, "no ENDLIST")
	require.True(t, media.IndependentSegments())
	require.EqualValues(t, 7, media.Version())
	require.EqualValues(t, 6, media.TargetDuration)
	require.NotNil(t, media.Map)
	folder := filepath.Join(dir, filepath.Dir(uri))
	tr := track{uri: uri}
	tr.timescale, tr.codecs, tr.hidden = readInit(t, filepath.Join(folder, media.Map.URI))
	next := uint64(0)
	for n, s := range media.GetAllSegments() {
		duration, frames := readSegment(t, filepath.Join(folder, s.URI), tr, next)
		presented := duration
		if n == 0 && !strings.HasPrefix(tr.codecs, "avc1") {
			presented -= tr.hidden // priming
		}
		require.InDelta(t, float64(presented)/tr.timescale, s.Duration, 1e-5, "EXTINF of %s", s.URI)
		require.LessOrEqual(t, s.Duration, 6.5)
		next += duration
		tr.segments = append(tr.segments, s.Duration)
		tr.frames += frames
	}
	return tr
}

func readInit(t *testing.T, file string) (timescale float64, codecs string, hidden uint64) {
	t.Helper()
	parsed, err := mp4.ReadMP4File(file)
	require.NoError(t, err)
	require.NotNil(t, parsed.Init)
	trak := parsed.Init.Moov.Trak
	timescale = float64(trak.Mdia.Mdhd.Timescale)
	if trak.Edts != nil {
		require.Len(t, trak.Edts.Elst[0].Entries, 1)
		hidden = uint64(trak.Edts.Elst[0].Entries[0].MediaTime)
	}
	stsd := trak.Mdia.Minf.Stbl.Stsd
	if stsd.AvcX != nil {
		sps, err := avc.ParseSPSNALUnit(stsd.AvcX.AvcC.SPSnalus[0], true)
		require.NoError(t, err)
		require.EqualValues(t, 100, sps.Profile, "not High")
		return timescale, avc.CodecString("avc1", sps), hidden
	}
	require.NotNil(t, stsd.Mp4a)
	require.EqualValues(t, 48000, timescale)
	require.EqualValues(t, 1024, hidden, "priming")
	return timescale, "mp4a.40.2", hidden
}

// readSegment checks one segment and returns its duration and count of samples.
func readSegment(t *testing.T, file string, tr track, start uint64) (uint64, int) {
	t.Helper()
	parsed, err := mp4.ReadMP4File(file)
	require.NoError(t, err)
	require.Len(t, parsed.Segments, 1)
	require.NotNil(t, parsed.Segments[0].Styp)
	require.Equal(t, start, parsed.Segments[0].Fragments[0].Moof.Traf.Tfdt.BaseMediaDecodeTime(), "tfdt of %s", file)
	var samples []mp4.FullSample
	for _, fragment := range parsed.Segments[0].Fragments {
		part, err := fragment.GetFullSamples(nil)
		require.NoError(t, err)
		require.NotEmpty(t, part)
		samples = append(samples, part...)
	}
	video := strings.HasPrefix(tr.codecs, "avc1")
	if video {
		require.True(t, samples[0].IsSync(), "%s starts without a keyframe", file)
		require.True(t, avc.IsIDRSample(samples[0].Data), "%s starts without an IDR", file)
		require.EqualValues(t, start+tr.hidden, samples[0].PresentationTime(), "first frame of %s", file)
	}
	duration, keys := uint64(0), 0
	for i, s := range samples {
		require.Equal(t, start+duration, s.DecodeTime, "sample %d of %s", i, file)
		require.Positive(t, s.Dur)
		require.GreaterOrEqual(t, s.CompositionTimeOffset, int32(0), "FFmpeg reads signed offsets late")
		if video && mp4.IsSyncSampleFlags(s.Flags) {
			require.InDelta(t, 2*float64(keys), float64(duration)/tr.timescale, 0.01, "keyframe %d, sample %d of %s", keys, i, file)
			keys++
		}
		duration += uint64(s.Dur)
	}
	return duration, len(samples)
}

// frameAt decodes the frame at a time of a file as RGB.
func frameAt(t *testing.T, file string, seconds float64, width, height int) []byte {
	t.Helper()
	open := []string{"-v", "error", "-nostdin"}
	if filepath.Ext(file) == ".m3u8" {
		open = append(open, "-allowed_extensions", "ALL")
	}
	out, err := exec.CommandContext(t.Context(), "ffmpeg", append(open,
		"-i", file, "-ss", fmt.Sprint(seconds), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")...).Output()
	require.NoError(t, err)
	require.Len(t, out, width*height*3)
	return out
}

// distance is how far two colors are apart, 0 to 255.
func distance(a, b []byte) float64 {
	sum := 0.0
	for i := range 3 {
		sum = math.Max(sum, math.Abs(float64(a[i])-float64(b[i])))
	}
	return sum
}
