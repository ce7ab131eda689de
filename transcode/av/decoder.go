package av

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/asticode/go-astiav"

	"github.com/vitascope/vitascope/transcode/child"
)

// decoder turns packets of one stream into frames.
type decoder struct {
	stream *astiav.Stream
	ctx    *astiav.CodecContext
	frame  *astiav.Frame
	// frames and damaged count what came out and what did not decode.
	frames, damaged int
}

// newDecoder opens a decoder of s with pairs of options, names and values.
func newDecoder(s *astiav.Stream, extra ...string) (*decoder, error) {
	codec := decoderFor(s.CodecParameters().CodecID())
	if codec == nil {
		return nil, child.Refuse(child.UnsupportedCodec, "%s", s.CodecParameters().CodecID().Name())
	}
	d := &decoder{stream: s, ctx: astiav.AllocCodecContext(codec), frame: astiav.AllocFrame()}
	if err := s.CodecParameters().ToCodecContext(d.ctx); err != nil {
		d.close()
		return nil, fmt.Errorf("decoder parameters: %w", err)
	}
	d.ctx.SetThreadCount(threads())
	options := astiav.NewDictionary()
	defer options.Free()
	extra = append(extra, "max_pixels", strconv.Itoa(child.MaxPixels))
	for i := 0; i < len(extra); i += 2 {
		if err := options.Set(extra[i], extra[i+1], 0); err != nil {
			d.close()
			return nil, err
		}
	}
	if err := d.ctx.Open(codec, options); err != nil {
		d.close()
		if errors.Is(err, errNoMemory) {
			return nil, fmt.Errorf("open decoder: %w", err)
		}
		return nil, child.Refuse(child.UnsupportedCodec, "open %s: %v", codec.Name(), err)
	}
	return d, nil
}

func (d *decoder) close() {
	d.frame.Free()
	d.ctx.Free()
}

// decode sends a packet, nil to drain, and gives each frame to take, which
// must not keep it. Damaged packets are counted and skipped, as players do.
func (d *decoder) decode(p *astiav.Packet, take func(*astiav.Frame) error) error {
	if err := d.ctx.SendPacket(p); err != nil {
		if errors.Is(err, errNoMemory) {
			return fmt.Errorf("decode: %w", err)
		}
		if !errors.Is(err, astiav.ErrEof) {
			d.damaged++
		}
	}
	for failures := 0; failures < maxFailures; {
		err := d.ctx.ReceiveFrame(d.frame)
		switch {
		case errors.Is(err, astiav.ErrEagain), errors.Is(err, astiav.ErrEof):
			return nil
		case errors.Is(err, errNoMemory):
			return fmt.Errorf("decode: %w", err)
		case err != nil:
			// A frame-threaded decoder reports earlier packets' errors here,
			// and good frames may follow.
			d.damaged++
			failures++
			continue
		}
		d.frames++
		err = take(d.frame)
		d.frame.Unref()
		if err != nil {
			return err
		}
	}
	return nil
}

// maxFailures bounds the errors taken in a row for one packet.
const maxFailures = 64
