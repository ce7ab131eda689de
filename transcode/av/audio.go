package av

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/vitascope/vitascope/transcode/child"
)

// The audio rendition's form: what every player takes.
const (
	sampleRate   = 48_000
	aacFrame     = 1024
	audioChannel = "stereo"
	// priming is what FFmpeg's AAC encoder puts before the first sample: without
	// it a decoder fades in. The edit list keeps it from being heard.
	priming = aacFrame
)

// waveSegment is the segment length of media without a picture.
const waveSegment = 6 * time.Second

// audioTrack decodes one audio stream, brings it to stereo at 48 kHz without
// gaps, and encodes and packages it as AAC-LC.
type audioTrack struct {
	e       *encoding
	spec    child.AudioSpec
	level   level
	decoder *decoder
	// convert fits the source's format, and is renewed when that changes;
	// chunk cuts what comes out into the encoder's frames.
	convert *graph
	shape   string
	chunk   *graph
	ctx     *astiav.CodecContext
	pkt     *astiav.Packet
	out     *packager
	wave    *waveform

	lastPTS  int64
	sent     int64 // samples given to the encoder
	written  int64 // samples packaged, with the encoder's priming
	segments int64
	flushing bool // all samples have been sent
}

func newAudioTrack(e *encoding, spec child.AudioSpec) (*audioTrack, error) {
	d, err := newDecoder(e.in.audio[spec.Track])
	if err != nil {
		return nil, err
	}
	a := &audioTrack{e: e, spec: spec, level: e.levels[spec.Track], decoder: d, lastPTS: noPTS, pkt: astiav.AllocPacket()}
	if e.in.video == nil && e.spec.Poster && len(e.audio) == 0 {
		a.wave = &waveform{}
	}
	if err := a.open(); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func (a *audioTrack) open() (err error) {
	a.chunk, err = newGraph("a", fmt.Sprintf("[in]asetnsamples=n=%d:p=0[out]", aacFrame), stereo(), []string{"out"})
	if err != nil {
		return err
	}
	codec := astiav.FindEncoderByName("aac")
	if codec == nil {
		return errors.New("FFmpeg has no AAC encoder")
	}
	a.ctx = astiav.AllocCodecContext(codec)
	a.ctx.SetSampleRate(sampleRate)
	a.ctx.SetSampleFormat(astiav.SampleFormatFltp)
	a.ctx.SetChannelLayout(astiav.ChannelLayoutStereo)
	a.ctx.SetTimeBase(astiav.NewRational(1, sampleRate))
	a.ctx.SetBitRate(int64(a.spec.BitrateBPS))
	a.ctx.SetFlags(a.ctx.Flags().Add(astiav.CodecContextFlagGlobalHeader))
	if err := a.ctx.Open(codec, nil); err != nil {
		return fmt.Errorf("open AAC encoder: %w", err)
	}
	a.out = newPackager(a.e.session, a.spec.Name, sampleRate)
	return a.out.initAAC(sampleRate, priming, languageOf(a.decoder.stream))
}

func (a *audioTrack) close() {
	for _, g := range []*graph{a.convert, a.chunk} {
		if g != nil {
			g.close()
		}
	}
	if a.ctx != nil {
		a.ctx.Free()
	}
	a.pkt.Free()
	a.decoder.close()
}

func (a *audioTrack) packet(p *astiav.Packet) error {
	if err := a.decoder.decode(p, a.decoded); err != nil || p != nil {
		return err
	}
	if a.convert != nil {
		if err := a.convert.push(nil, a.converted); err != nil {
			return err
		}
	}
	return a.chunk.push(nil, a.encode)
}

// decoded puts a frame on the output's timeline and converts it.
func (a *audioTrack) decoded(f *astiav.Frame) error {
	base := a.decoder.stream.TimeBase()
	if f.SampleRate() <= 0 || f.NbSamples() <= 0 {
		return nil
	}
	layout, err := layoutOf(f)
	if err != nil {
		return err
	}
	pts := infoOf(f).pts
	switch {
	case pts == noPTS && a.lastPTS == noPTS:
		pts = 0
	case pts == noPTS:
		pts = a.lastPTS
	default:
		pts -= fromDuration(a.e.start, base)
	}
	if err := a.e.inTime(pts, base); err != nil {
		return err
	}
	a.lastPTS = pts + astiav.RescaleQ(int64(f.NbSamples()), astiav.NewRational(1, f.SampleRate()), base)
	f.SetPts(pts)
	shape := shapeOfSound(f, layout)
	if shape != a.shape {
		if err := a.reshape(f, layout, base); err != nil {
			return err
		}
		a.shape = shape
	}
	return a.convert.push(f, a.converted)
}

// layoutOf is a frame's channel layout, set in it where it had none.
func layoutOf(f *astiav.Frame) (astiav.ChannelLayout, error) {
	layout := f.ChannelLayout()
	if name := layout.String(); !layout.Valid() || strings.HasSuffix(name, " channels") {
		plain, ok := plainLayouts[layout.NbChannels()]
		if !ok {
			return layout, child.Refuse(child.UnsupportedCodec, "%d channels without a layout", layout.NbChannels())
		}
		layout = plain
		f.SetChannelLayout(layout)
	}
	return layout, nil
}

func shapeOfSound(f *astiav.Frame, layout astiav.ChannelLayout) string {
	return fmt.Sprintf("%d %s %s", f.SampleRate(), f.SampleFormat().Name(), layout)
}

// soundSource describes decoded frames to a filter graph.
func soundSource(f *astiav.Frame, layout astiav.ChannelLayout, base astiav.Rational) astiav.FilterArgs {
	return astiav.FilterArgs{
		"sample_rate": strconv.Itoa(f.SampleRate()), "sample_fmt": f.SampleFormat().Name(),
		"channel_layout": layout.String(), "time_base": base.String(),
	}
}

// toStereo mixes any layout down.
const toStereo = "aformat=sample_fmts=fltp:sample_rates=48000:channel_layouts=" + audioChannel

// plainLayouts are what a bare number of channels is taken to mean.
var plainLayouts = map[int]astiav.ChannelLayout{
	1: astiav.ChannelLayoutMono, 2: astiav.ChannelLayoutStereo, 3: astiav.ChannelLayout2Point1, 4: astiav.ChannelLayoutQuad,
	5: astiav.ChannelLayout5Point0, 6: astiav.ChannelLayout5Point1, 7: astiav.ChannelLayout6Point1, 8: astiav.ChannelLayout7Point1,
}

// reshape starts a converter for frames like f. The first one pads or trims to
// time zero; each fills gaps and drops overlaps above 25 ms, so that sound
// stays within that of its timestamps.
func (a *audioTrack) reshape(f *astiav.Frame, layout astiav.ChannelLayout, base astiav.Rational) error {
	first := ":first_pts=0"
	if a.convert != nil {
		if err := a.convert.push(nil, a.converted); err != nil {
			return err
		}
		a.convert.close()
		a.convert = nil
		first = ""
	}
	text := fmt.Sprintf("[in]aresample=%d:async=1:min_hard_comp=0.025%s,%s[out]", sampleRate, first, chain(toStereo, a.loudness()))
	var err error
	a.convert, err = newGraph("a", text, soundSource(f, layout, base), []string{"out"})
	return err
}

// loudness is the filter that brings the track to the loudness asked for. The
// limiter works on samples: between them sound may be louder by some 1 dB, for
// which its ceiling of -1.5 dB of full scale leaves room.
func (a *audioTrack) loudness() string {
	if a.level.gainDB == 0 {
		return ""
	}
	gain := fmt.Sprintf("volume=%.2fdB:precision=float", a.level.gainDB)
	if !a.level.limit {
		return gain
	}
	return chain(gain, "alimiter=limit=0.841:level=false:attack=5:release=80:latency=true", toStereo)
}

func (a *audioTrack) converted(_ int, f *astiav.Frame) error { return a.chunk.push(f, a.encode) }

// encode takes frames of 1024 samples, the last one shorter.
func (a *audioTrack) encode(_ int, f *astiav.Frame) error {
	if a.sent >= int64(longest(a.e.session.Job()).Seconds()*sampleRate) {
		return child.Refuse(child.LimitExceeded, "more than %d samples", a.sent)
	}
	if a.wave != nil {
		a.wave.add(peakOf(f))
	}
	f.SetPts(a.sent)
	a.sent += int64(f.NbSamples())
	if err := a.ctx.SendFrame(f); err != nil {
		return fmt.Errorf("encode audio: %w", err)
	}
	return a.drain()
}

func (a *audioTrack) drain() error {
	for {
		err := a.ctx.ReceivePacket(a.pkt)
		if errors.Is(err, astiav.ErrEagain) || errors.Is(err, astiav.ErrEof) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("encode audio: %w", err)
		}
		err = a.take(a.pkt)
		a.pkt.Unref()
		if err != nil {
			return err
		}
	}
}

// take packages an AAC frame, the first of which is priming. A segment ends at
// the whole frame nearest to the end of the video's. The last frame lasts only as
// long as there is sound in it, so that the track is as long as its source.
func (a *audioTrack) take(p *astiav.Packet) error {
	duration := int64(aacFrame)
	if a.flushing {
		duration = min(duration, priming+a.sent-a.written)
	}
	if duration <= 0 {
		return nil
	}
	if a.written-priming >= a.boundary(a.segments+1) {
		if err := a.out.end(false); err != nil {
			return err
		}
		a.segments++
	}
	if err := a.out.addAudio(p.Data(), a.written, duration); err != nil {
		return err
	}
	a.written += duration
	return nil
}

// boundary is where segment n starts, in samples; math.MaxInt64 when there is none.
func (a *audioTrack) boundary(n int64) int64 {
	spec := a.e.spec
	samples := float64(n) * waveSegment.Seconds() * sampleRate
	if a.e.in.video != nil && spec.FrameRate.Num > 0 {
		frame := spec.SegmentStart(int(n))
		if frame == math.MaxInt64 {
			return frame
		}
		samples = float64(frame) * float64(spec.FrameRate.Den) * sampleRate / float64(spec.FrameRate.Num)
	}
	return int64(samples/aacFrame+0.5) * aacFrame
}

// finish drains the encoder and returns the track's duration.
func (a *audioTrack) finish() (time.Duration, error) {
	a.flushing = true
	if a.sent == 0 {
		return 0, nil // a track without sound is left out
	}
	if err := a.ctx.SendFrame(nil); err != nil && !errors.Is(err, astiav.ErrEof) {
		return 0, fmt.Errorf("encode audio: %w", err)
	}
	if err := a.drain(); err != nil {
		return 0, err
	}
	if err := a.out.cut(); err != nil {
		return 0, err
	}
	if a.wave != nil {
		if err := a.wave.emit(a.e.session); err != nil {
			return 0, err
		}
	}
	return time.Duration(a.sent) * time.Second / sampleRate, nil
}
