package hlstest

import (
	"bytes"
	"context"
	"fmt"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/bluenviron/gohlslib/v2/pkg/playlist"
)

// Kinds of tracks.
const (
	Video = "video"
	Audio = "audio"
	Text  = "text"
)

// Track is a media playlist and its segments.
type Track struct {
	*Resource
	List playlist.Media
	Kind string

	Init        *Resource
	Trak        *mp4.TrakBox
	Timescale   uint64
	Hidden      uint64 // media time at which its edit list starts the presentation
	SampleEntry string // its four characters
	SPS         *avc.SPS
	Codec       string // RFC 6381, as the init segment tells it
	Segments    []Segment
}

// Segment is a media segment.
type Segment struct {
	*Resource
	EXTINF   float64
	Start    uint64 // decode time of its first sample
	Duration uint64
	Samples  []mp4.FullSample
}

// Seconds is how long the samples are presented.
func (t *Track) Seconds() float64 {
	at := t.Boundaries()
	return at[len(at)-1] - at[0]
}

// Frames is the number of samples.
func (t *Track) Frames() int {
	n := 0
	for _, s := range t.Segments {
		n += len(s.Samples)
	}
	return n
}

// Boundaries are the times in seconds at which segments begin to be presented, and
// the end. What the edit list hides, such as an encoder's priming, takes no time.
func (t *Track) Boundaries() []float64 {
	var at []float64
	seconds := func(ticks int64) float64 { return float64(max(0, ticks-int64(t.Hidden))) / float64(t.Timescale) }
	for i, s := range t.Segments {
		first := s.Samples[0].PresentationTime()
		at = append(at, seconds(first))
		if i == len(t.Segments)-1 {
			at = append(at, seconds(first+int64(s.Duration)))
		}
	}
	return at
}

func (r *reader) track(ctx context.Context, address string) (*Track, error) {
	if known := r.tracks[address]; known != nil {
		return known, nil
	}
	list, err := r.get(ctx, address, "")
	if err != nil {
		return nil, err
	}
	t := &Track{Resource: list}
	r.tracks[address] = t
	if err := t.List.Unmarshal(list.Body); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", address, err, list.Body)
	}
	if t.List.Map == nil {
		t.Kind = Text
	} else if err := r.init(ctx, t); err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	next := uint64(0) // of a byte range that does not say where it starts
	for _, s := range t.List.Segments {
		span := ""
		if s.ByteRangeLength != nil {
			if s.ByteRangeStart != nil {
				next = *s.ByteRangeStart
			}
			span = fmt.Sprintf("%d-%d", next, next+*s.ByteRangeLength-1)
			next += *s.ByteRangeLength
		}
		got, err := r.get(ctx, list.resolve(s.URI), span)
		if err != nil {
			return nil, err
		}
		segment := Segment{Resource: got, EXTINF: s.Duration.Seconds()}
		if t.Kind != Text {
			read := segment.read
			if span != "" {
				read = segment.readFrame
			}
			if err := read(); err != nil {
				return nil, fmt.Errorf("%s %s: %w", got.URL, span, err)
			}
		}
		t.Segments = append(t.Segments, segment)
	}
	return t, nil
}

func (r *reader) init(ctx context.Context, t *Track) (err error) {
	address, span := t.resolve(t.List.Map.URI), ""
	if m := t.List.Map; m.ByteRangeLength != nil && m.ByteRangeStart != nil {
		span = fmt.Sprintf("%d-%d", *m.ByteRangeStart, *m.ByteRangeStart+*m.ByteRangeLength-1)
	}
	if t.Init = r.inits[address+span]; t.Init == nil {
		if t.Init, err = r.get(ctx, address, span); err != nil {
			return err
		}
		r.inits[address+span] = t.Init
	}
	parsed, err := mp4.DecodeFile(bytes.NewReader(t.Init.Body))
	if err != nil {
		return fmt.Errorf("init segment: %w", err)
	}
	if parsed.Init == nil || len(parsed.Init.Moov.Traks) != 1 {
		return fmt.Errorf("init segment without one track")
	}
	t.Trak = parsed.Init.Moov.Trak
	t.Timescale = uint64(t.Trak.Mdia.Mdhd.Timescale)
	if edits := t.Trak.Edts; edits != nil && len(edits.Elst) > 0 && len(edits.Elst[0].Entries) > 0 {
		t.Hidden = uint64(max(0, edits.Elst[0].Entries[0].MediaTime))
	}
	stsd := t.Trak.Mdia.Minf.Stbl.Stsd
	t.SampleEntry = stsd.Children[0].Type()
	switch {
	case stsd.AvcX != nil:
		t.Kind = Video
		if t.SPS, err = avc.ParseSPSNALUnit(stsd.AvcX.AvcC.SPSnalus[0], true); err != nil {
			return err
		}
		t.Codec = avc.CodecString(t.SampleEntry, t.SPS)
	case stsd.HvcX != nil:
		t.Kind = Video
	case stsd.Av01 != nil:
		t.Kind = Video
	case stsd.Mp4a != nil:
		t.Kind = Audio
		t.Codec = fmt.Sprintf("mp4a.40.%d", stsd.Mp4a.Esds.DecConfigDescriptor.DecSpecificInfo.DecConfig[0]>>3)
	default:
		return fmt.Errorf("sample entry %q", t.SampleEntry)
	}
	return nil
}

func (s *Segment) read() error {
	parsed, err := mp4.DecodeFile(bytes.NewReader(s.Body))
	if err != nil {
		return err
	}
	for _, part := range parsed.Segments {
		for _, f := range part.Fragments {
			samples, err := f.GetFullSamples(nil)
			if err != nil {
				return err
			}
			s.Samples = append(s.Samples, samples...)
		}
	}
	if len(s.Samples) == 0 {
		return fmt.Errorf("no samples")
	}
	s.Start = s.Samples[0].DecodeTime
	for _, sample := range s.Samples {
		s.Duration += uint64(sample.Dur)
	}
	return nil
}

// readFrame reads what an I-frame playlist names: a fragment's header and as much of
// its data as its first sample takes.
func (s *Segment) readFrame() error {
	box, err := mp4.DecodeBox(0, bytes.NewReader(s.Body))
	if err != nil {
		return err
	}
	moof, ok := box.(*mp4.MoofBox)
	if !ok || len(moof.Traf.Trun.Samples) == 0 {
		return fmt.Errorf("begins with %s, not with a fragment", box.Type())
	}
	moof.Traf.Trun.AddSampleDefaultValues(moof.Traf.Tfhd, nil)
	first, from := moof.Traf.Trun.Samples[0], int(moof.Traf.Trun.DataOffset)
	if from+int(first.Size) != len(s.Body) {
		return fmt.Errorf("the first sample ends at %d of %d bytes", from+int(first.Size), len(s.Body))
	}
	s.Start = moof.Traf.Tfdt.BaseMediaDecodeTime()
	s.Samples = []mp4.FullSample{{Sample: first, DecodeTime: s.Start, Data: s.Body[from:]}}
	s.Duration = uint64(first.Dur)
	return nil
}

// StartsAtIDR tells whether the first sample can be decoded without others before
// it, by its NAL units, not by what the container says of it.
func (t *Track) StartsAtIDR(s Segment) bool {
	first := s.Samples[0]
	switch t.SampleEntry {
	case "avc1", "avc3":
		return avc.IsIDRSample(first.Data)
	case "hvc1", "hev1":
		return hevc.IsRAPSample(first.Data)
	}
	return first.IsSync()
}
