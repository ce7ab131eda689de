package av

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/vitascope/vitascope/transcode/child"
)

// rungEncoder encodes one video rendition and packages it.
type rungEncoder struct {
	rung    child.Rung
	rate    child.Rational
	coder   videoCoder
	ctx     *astiav.CodecContext
	packet  *astiav.Packet
	out     *packager
	perUnit int64 // duration of a frame in the timescale
	spec    *child.EncodeSpec
	first   int64 // frame of the media with which the encoder starts
	sent    int64
	written int64
	limit   int64
	opening bool  // the first segment is waited for
	settled int64 // frame up to which there is no doubt that others follow
}

// minTimescale keeps rounding of one tick below 0.1 ms.
const minTimescale = 10_000

// maxFrames is twelve hours at 60 frames per second.
const maxFrames = child.MaxDurationSeconds * 60

// longest is how long an output may become: half as long again as the media
// was found to be, since some durations are estimates. Two pictures ten hours
// apart in a file of two seconds would otherwise be filled with copies.
func longest(job child.Job) time.Duration {
	most := (child.MaxDurationSeconds + 60) * time.Second
	if job.Duration <= 0 {
		return most
	}
	return min(most, job.Duration+job.Duration/2+10*time.Second)
}

func newRungEncoder(e *encoding, r child.Rung) (*rungEncoder, error) {
	spec := e.spec
	if spec.FrameRate.Num <= 0 || spec.FrameRate.Den <= 0 || spec.GOPFrames <= 0 || spec.SegmentGOPs <= 0 {
		return nil, errors.New("encode needs a frame rate and a GOP")
	}
	coder, ok := videoCoders[r.Codec]
	if !ok {
		return nil, fmt.Errorf("encode %s: unknown codec %q", r.Name, r.Codec)
	}
	timescale, perUnit, err := ticks(spec)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", r.Name, err)
	}
	x := &rungEncoder{
		rung: r, rate: spec.FrameRate, coder: coder, packet: astiav.AllocPacket(),
		opening: e.session.Job().Opening, perUnit: perUnit, spec: spec, first: spec.SegmentStart(spec.FromSegment),
		limit: min(maxFrames, int64(longest(e.session.Job()).Seconds()*spec.FrameRate.Float64())),
	}
	x.settled = int64((e.in.certain() - leastTail*time.Millisecond).Seconds() * spec.FrameRate.Float64())
	x.out = newPackager(e.session, r.Name, timescale)
	x.out.next = spec.FromSegment
	err = x.open()
	if err == nil {
		err = coder.init(x)
	}
	if err != nil {
		x.close()
		return nil, fmt.Errorf("open %s for %s: %w", coder.name, r.Name, err)
	}
	return x, nil
}

// ticks returns how many a second has, and how many a frame.
func ticks(spec *child.EncodeSpec) (timescale, frame int64, err error) {
	num, den := int64(spec.FrameRate.Num), int64(spec.FrameRate.Den)
	if timescale = int64(spec.Timescale); timescale != 0 {
		if frame = timescale * den / num; frame <= 0 || frame*num != timescale*den {
			return 0, 0, fmt.Errorf("no frame of %d/%d s is whole at %d ticks a second", den, num, timescale)
		}
		return timescale, frame, nil
	}
	for timescale, frame = num, den; timescale < minTimescale; timescale, frame = 10*timescale, 10*frame {
	}
	return timescale, frame, nil
}

// open makes the encoder.
func (x *rungEncoder) open() error {
	codec := astiav.FindEncoderByName(x.coder.name)
	if codec == nil {
		return errors.New("FFmpeg does not have it")
	}
	x.ctx = astiav.AllocCodecContext(codec)
	x.ctx.SetWidth(x.rung.Width)
	x.ctx.SetHeight(x.rung.Height)
	x.ctx.SetPixelFormat(astiav.PixelFormatYuv420P)
	x.ctx.SetSampleAspectRatio(astiav.NewRational(1, 1))
	x.ctx.SetTimeBase(astiav.NewRational(x.rate.Den, x.rate.Num))
	x.ctx.SetFramerate(astiav.NewRational(x.rate.Num, x.rate.Den))
	x.ctx.SetGopSize(x.spec.GOPFrames)
	x.ctx.SetThreadCount(threads())
	x.ctx.SetFlags(x.ctx.Flags().Add(astiav.CodecContextFlagGlobalHeader))
	options := astiav.NewDictionary()
	defer options.Free()
	for key, value := range x.coder.options(x) {
		if err := options.Set(key, value, 0); err != nil {
			return err
		}
	}
	return x.ctx.Open(codec, options)
}

// restart ends the encoder and begins another like it, with a keyframe.
func (x *rungEncoder) restart() error {
	if err := x.flush(); err != nil {
		return err
	}
	header := bytes.Clone(x.ctx.ExtraData())
	x.ctx.Free()
	if err := x.open(); err != nil {
		return fmt.Errorf("open %s again for %s: %w", x.coder.name, x.rung.Name, err)
	}
	if !bytes.Equal(x.ctx.ExtraData(), header) {
		return fmt.Errorf("encode %s: the header changes at frame %d", x.rung.Name, x.first+x.sent)
	}
	return nil
}

func (x *rungEncoder) close() {
	x.packet.Free()
	if x.ctx != nil {
		x.ctx.Free()
	}
}

// frame encodes frame n of the grid, times times. Keyframes follow from the GOP
// length, so the source's own picture types are taken off, and from where segments
// start, so they are asked for there.
func (x *rungEncoder) frame(f *astiav.Frame, n, times int64) error {
	if n != x.first+x.sent {
		return fmt.Errorf("encode %s: frame %d in place of %d", x.rung.Name, n, x.first+x.sent)
	}
	for ; times > 0; times-- {
		if x.sent >= x.limit {
			return child.Refuse(child.LimitExceeded, "more than %d frames", x.limit)
		}
		f.SetPictureType(astiav.PictureTypeNone)
		if err := x.startSegment(f); err != nil {
			return err
		}
		f.SetPts(x.sent)
		x.sent++
		if err := x.ctx.SendFrame(f); err != nil {
			return fmt.Errorf("encode %s: %w", x.rung.Name, err)
		}
		if err := x.drain(); err != nil {
			return err
		}
	}
	return nil
}

// startSegment asks for a keyframe where a segment starts, if it would not come by
// itself. A first segment that is waited for has an encoder of its own: it would be
// whole only when the encoder has seen the frames of the next one that it looks ahead.
func (x *rungEncoder) startSegment(f *astiav.Frame) error {
	frame := x.first + x.sent
	switch {
	case x.opening && frame == x.spec.SegmentStart(x.spec.FromSegment+1) && frame < x.settled:
		if err := x.restart(); err != nil {
			return err
		}
		return x.out.end(true)
	case len(x.spec.Cuts) == 0 || !x.starts(frame):
	case !x.coder.restarts:
		f.SetPictureType(astiav.PictureTypeI)
	case x.sent > 0:
		return x.restart()
	}
	return nil
}

// starts tells whether a segment starts at a frame, which is not before the
// segment being written.
func (x *rungEncoder) starts(frame int64) bool {
	for n := x.out.next; ; n++ {
		if at := x.spec.SegmentStart(n); at >= frame {
			return at == frame
		}
	}
}

func (x *rungEncoder) drain() error {
	for {
		err := x.ctx.ReceivePacket(x.packet)
		if errors.Is(err, astiav.ErrEagain) || errors.Is(err, astiav.ErrEof) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("encode %s: %w", x.rung.Name, err)
		}
		err = x.take(x.packet)
		x.packet.Unref()
		if err != nil {
			return err
		}
	}
}

// take packages a packet. Packets come in decoding order, one frame apart, so
// the n-th is decoded at n frames; it is shown at its PTS.
func (x *rungEncoder) take(p *astiav.Packet) error {
	key := p.Flags().Has(astiav.PacketFlagKey)
	frame := x.first + x.written
	ends := x.written > 0 && frame == x.spec.SegmentStart(x.out.next+1)
	if starts := ends || len(x.out.samples) == 0; starts && (!key || p.Pts() != x.written) {
		return fmt.Errorf("encode %s: frame %d is no keyframe", x.rung.Name, frame)
	}
	if ends {
		if err := x.out.end(frame < x.settled); err != nil {
			return err
		}
	}
	offset := (p.Pts() - x.written) * x.perUnit
	if err := x.out.addVideo(p.Data(), frame*x.perUnit, x.perUnit, int32(offset), key); err != nil {
		return err
	}
	x.written++
	return nil
}

// flush has the encoder give what it holds back.
func (x *rungEncoder) flush() error {
	if err := x.ctx.SendFrame(nil); err != nil && !errors.Is(err, astiav.ErrEof) {
		return fmt.Errorf("encode %s: %w", x.rung.Name, err)
	}
	return x.drain()
}

func (x *rungEncoder) finish() error {
	if err := x.flush(); err != nil {
		return err
	}
	return x.out.cut()
}

// duration is where the rung ends on the media's timeline.
func (x *rungEncoder) duration() time.Duration {
	return time.Duration(float64(x.first+x.written) / x.rate.Float64() * float64(time.Second))
}
