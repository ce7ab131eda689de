package av

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
	"slices"

	"github.com/Eyevinn/mp4ff/aac"
	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/vitascope/vitascope/transcode/child"
)

// packager writes one rendition as CMAF: an init segment and media segments with
// absolute decode times. Each keyframe starts a fragment, so that a player can
// fetch it alone when seeking.
type packager struct {
	session   *child.Session
	rendition string
	timescale int64
	video     bool
	av1       bool
	next      int   // segment
	hidden    int64 // media time at which the presentation starts
	unheard   int64 // of the next segment: priming
	samples   []mp4.FullSample
	ended     int // samples of a segment that is to end there, if more follow; 0: none is
}

const trackID = 1

func newPackager(s *child.Session, rendition string, timescale int64) *packager {
	return &packager{session: s, rendition: rendition, timescale: timescale}
}

// initAVC writes the init segment from the encoder's parameter sets. hidden is
// how long before its first picture is shown the encoder starts to decode: the
// decode times of a track start at zero and its presentation there.
func (p *packager) initAVC(extradata []byte, hidden int64) error {
	var sets, pictures [][]byte
	for _, unit := range avc.ExtractNalusFromByteStream(extradata) {
		switch avc.GetNaluType(unit[0]) {
		case avc.NALU_SPS:
			sets = append(sets, unit)
		case avc.NALU_PPS:
			pictures = append(pictures, unit)
		}
	}
	if len(sets) == 0 || len(pictures) == 0 || len(sets[0]) < 4 {
		return fmt.Errorf("package %s: encoder gave no parameter sets", p.rendition)
	}
	segment := mp4.CreateEmptyInit()
	trak := segment.AddEmptyTrack(uint32(p.timescale), "video", "und")
	if err := trak.SetAVCDescriptor("avc1", sets, pictures, true); err != nil {
		return fmt.Errorf("package %s: %w", p.rendition, err)
	}
	// Profile, constraints and level, as RFC 6381 wants them, are the bytes
	// after the header of the sequence parameter set.
	p.video = true
	return p.init(segment, hidden, fmt.Sprintf("avc1.%02X%02X%02X", sets[0][1], sets[0][2], sets[0][3]))
}

// initAAC writes the init segment of stereo AAC-LC that starts with hidden
// samples of priming.
func (p *packager) initAAC(sampleRate int, hidden int64, language string) error {
	segment := mp4.CreateEmptyInit()
	if len(language) != 3 {
		language = "und"
	}
	trak := segment.AddEmptyTrack(uint32(p.timescale), "audio", language)
	if err := trak.SetAACDescriptor(aac.AAClc, sampleRate); err != nil {
		return fmt.Errorf("package %s: %w", p.rendition, err)
	}
	p.unheard = hidden
	return p.init(segment, hidden, "mp4a.40.2")
}

// init writes an init segment. An edit list sets presentation time zero to hidden
// in the media's own time: players take a signed composition offset in its place,
// but FFmpeg shows such a track late.
func (p *packager) init(segment *mp4.InitSegment, hidden int64, codecs string) error {
	p.hidden = hidden
	if hidden > 0 {
		edts := &mp4.EdtsBox{}
		edts.AddChild(&mp4.ElstBox{Version: 1, Entries: []mp4.ElstEntry{{MediaTime: hidden, MediaRateInteger: 1}}})
		trak := segment.Moov.Trak
		trak.AddChild(edts)
		// Readers expect it between track header and media.
		trak.Children[1], trak.Children[2] = trak.Children[2], trak.Children[1]
	}
	brands := mp4.NewFtyp("cmf2", 0, []string{"cmf2", "cmfc", "iso6", "mp41"})
	segment.Ftyp = brands
	segment.Children[0] = brands
	if err := os.Mkdir(p.rendition, 0o700); err != nil {
		return err
	}
	name := path.Join(p.rendition, "init.mp4")
	if _, err := write(name, segment.Encode); err != nil {
		return err
	}
	return p.session.Emit(child.Event{Init: &child.Init{
		Rendition: p.rendition, File: name, Codecs: codecs, Timescale: int(p.timescale),
	}})
}

// addVideo adds a frame as the encoder gave it to the current segment. It is
// shown offset after decodeTime.
func (p *packager) addVideo(data []byte, decodeTime, duration int64, offset int32, key bool) error {
	flags := mp4.SetNonSyncSampleFlags(0)
	if key {
		flags = mp4.SyncSampleFlags
	}
	return p.add(p.sampleOf(data), flags, decodeTime, duration, offset+int32(p.hidden))
}

// addAudio adds an AAC frame to the current segment.
func (p *packager) addAudio(data []byte, decodeTime, duration int64) error {
	return p.add(append([]byte(nil), data...), mp4.SyncSampleFlags, decodeTime, duration, 0)
}

func (p *packager) add(data []byte, flags uint32, decodeTime, duration int64, offset int32) error {
	p.samples = append(p.samples, mp4.FullSample{
		Sample:     mp4.NewSample(flags, uint32(duration), uint32(len(data)), offset),
		DecodeTime: uint64(decodeTime),
		Data:       data,
	})
	if p.ended == 0 || decodeTime+duration-int64(p.samples[p.ended].DecodeTime) < leastTail*p.timescale/1000 {
		return nil
	}
	next := slices.Clone(p.samples[p.ended:])
	p.samples = p.samples[:p.ended]
	err := p.cut()
	p.samples = append(p.samples, next...)
	return err
}

// leastTail is how long the last segment is at least, in milliseconds; what is
// shorter is part of the one before it, which stays within half a second of the
// target. A player may see times shifted by the encoder's reordering of some frames,
// and never fetch a segment that is no longer than that.
const leastTail = 400

// end ends the current segment where it is: at once if enough is known to follow, else
// when it does.
func (p *packager) end(followed bool) error {
	if followed {
		return p.cut()
	}
	p.ended = len(p.samples)
	return nil
}

// cut writes the current segment, when there is anything in it.
func (p *packager) cut() error {
	if len(p.samples) == 0 {
		return nil
	}
	segment := mp4.NewMediaSegmentWithStyp(mp4.NewStyp("msdh", 0, []string{"msdh", "msix", "cmfs", "cmff"}))
	segment.EncOptimize = mp4.OptimizeTrun
	duration := int64(0)
	var iframes []child.Iframe
	for i, s := range p.samples {
		if i == 0 || p.video && s.IsSync() {
			fragment, err := mp4.CreateFragment(uint32(p.next*maxFragments+len(segment.Fragments)+1), trackID)
			if err != nil {
				return fmt.Errorf("package %s: %w", p.rendition, err)
			}
			segment.AddFragment(fragment)
			iframes = append(iframes, child.Iframe{At: duration, Bytes: int64(s.Size)})
		}
		segment.LastFragment().AddFullSample(s)
		duration += int64(s.Dur)
	}
	name := child.SegmentFile(p.rendition, p.next)
	size, err := write(name, segment.Encode)
	if err != nil {
		return err
	}
	if duration -= p.unheard; p.video {
		locate(iframes, segment)
	} else {
		iframes = nil
	}
	n := p.next
	p.next++
	p.samples, p.unheard, p.ended = p.samples[:0], 0, 0
	return p.session.Emit(child.Event{Segment: &child.Segment{
		Rendition: p.rendition, N: n, Duration: duration, Bytes: size, File: name, Iframes: iframes,
	}})
}

// maxFragments is more than a segment has keyframes: sequence numbers of fragments
// rise from segment to segment.
const maxFragments = 64

// locate completes the places of the first samples of an encoded segment's
// fragments: from the fragment's first byte to the sample's last.
func locate(iframes []child.Iframe, segment *mp4.MediaSegment) {
	offset := int64(segment.Styp.Size())
	for i, f := range segment.Fragments {
		iframes[i].Offset = offset
		iframes[i].Bytes += int64(f.Moof.Size()) + int64(f.Mdat.HeaderSize())
		offset += int64(f.Size())
	}
}

// write makes a file in the job folder and returns its size.
func write(name string, encode func(w io.Writer) error) (int64, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	buffered := bufio.NewWriterSize(f, 64<<10)
	err = encode(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	size := int64(0)
	if info, statErr := f.Stat(); statErr == nil {
		size = info.Size()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", name, err)
	}
	return size, nil
}
