package av

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/vitascope/vitascope/internal/captions"
	"github.com/vitascope/vitascope/transcode/child"
)

// input is an opened media: the demuxer and the streams chosen from it.
type input struct {
	src    source
	format *astiav.FormatContext
	io     *astiav.IOContext
	pos    int64
	// broken is the first failure of the input itself, as opposed to its
	// content: FFmpeg turns it into an error about the media.
	broken error

	video *astiav.Stream
	audio []*astiav.Stream
	texts []*astiav.Stream
}

// ioBuffer is FFmpeg's read buffer. Large, as each fill crosses a socket.
const ioBuffer = 256 << 10

const avseekSize = 0x10000

// open checks and opens the input and chooses its streams.
func open(ctx context.Context, src source) (_ *input, err error) {
	if src.InputSize() == 0 {
		return nil, child.Refuse(child.EmptyFile, "")
	}
	head := make([]byte, min(sniffBytes, src.InputSize()))
	if _, err := readFull(src, head, 0); err != nil {
		return nil, err
	}
	if err := refuseByHead(head); err != nil {
		return nil, err
	}
	if err := checkBoxes(src, head); err != nil {
		return nil, err
	}
	in := &input{src: src}
	defer func() {
		if err != nil {
			in.close()
		}
	}()
	if err := in.demux(ctx, head); err != nil {
		return nil, in.blame(err)
	}
	return in, in.choose()
}

func (in *input) demux(ctx context.Context, head []byte) error {
	isBMFF, isMatroska := isISOBMFF(head), signature{0, "\x1a\x45\xdf\xa3"}.matches(head)
	var err error
	if in.io, err = astiav.AllocIOContext(ioBuffer, false, in.read, in.seek, nil); err != nil {
		return err
	}
	in.format = astiav.AllocFormatContext()
	in.format.SetPb(in.io)
	interrupter := in.format.SetInterruptCallback()
	context.AfterFunc(ctx, interrupter.Interrupt)

	options := astiav.NewDictionary()
	defer options.Free()
	for key, value := range map[string]string{
		"format_whitelist":   formatAllowList,
		"codec_whitelist":    codecAllowList,
		"protocol_whitelist": "none",
	} {
		if err := options.Set(key, value, 0); err != nil {
			return err
		}
	}
	if err := in.format.OpenInput("", nil, options); err != nil {
		in.format = nil // freed by FFmpeg
		if errors.Is(err, errNoMemory) {
			return err
		}
		if errors.Is(err, astiav.ErrEof) && isMatroska {
			return child.Refuse(child.ZeroDuration, "header only")
		}
		if isBMFF || isMatroska {
			return child.Refuse(child.DecodeFailed, "open: %v", err)
		}
		return child.Refuse(child.UnsupportedContainer, "open: %v", err)
	}
	if err := in.checkStreams(); err != nil {
		return err
	}
	if err := in.format.FindStreamInfo(nil); err != nil {
		return child.Refuse(child.DecodeFailed, "find stream info: %v", err)
	}
	return in.checkStreams()
}

// blame gives the failure of the input the precedence over what it led to.
func (in *input) blame(err error) error {
	if err != nil && in.broken != nil {
		return in.broken
	}
	return err
}

func (in *input) read(p []byte) (int, error) {
	n, err := in.src.ReadAt(p, in.pos)
	switch {
	case errors.Is(err, io.EOF):
		return 0, astiav.ErrEof
	case err != nil:
		in.broken = err
		return 0, astiav.ErrEio
	}
	in.pos += int64(n)
	return n, nil
}

func (in *input) seek(offset int64, whence int) (int64, error) {
	switch whence &^ 0x20000 { // AVSEEK_FORCE is no matter
	case avseekSize:
		return in.src.InputSize(), nil
	case io.SeekStart:
	case io.SeekCurrent:
		offset += in.pos
	case io.SeekEnd:
		offset += in.src.InputSize()
	default:
		return 0, astiav.ErrEio
	}
	if offset < 0 {
		return 0, astiav.ErrEio
	}
	in.pos = offset
	return offset, nil
}

func (in *input) close() {
	if in.format != nil {
		in.format.CloseInput()
	}
	if in.io != nil {
		in.io.Free()
	}
}

// checkStreams refuses bombs by what headers say.
func (in *input) checkStreams() error {
	if n := in.format.NbStreams(); n > child.MaxStreams {
		return child.Refuse(child.TooManyStreams, "%d streams", n)
	}
	for _, s := range in.format.Streams() {
		p := s.CodecParameters()
		if p.MediaType() != astiav.MediaTypeVideo {
			continue
		}
		if err := checkPicture(p.Width(), p.Height()); err != nil {
			return err
		}
	}
	if d := in.duration(); d > child.MaxDurationSeconds*time.Second {
		return child.Refuse(child.TooLong, "%s", d)
	}
	return nil
}

func checkPicture(width, height int) error {
	if width > child.MaxSide || height > child.MaxSide || int64(width)*int64(height) > child.MaxPixels {
		return child.Refuse(child.TooLargePicture, "%dx%d", width, height)
	}
	return nil
}

// choose picks the largest video stream that is not cover art, the audio and the
// subtitles that are text.
func (in *input) choose() error {
	var undecodable string
	best := 0
	for _, s := range in.format.Streams() {
		p := s.CodecParameters()
		kind := p.MediaType()
		if kind == astiav.MediaTypeSubtitle && captions.NewBuilder(p.CodecID().Name()) != nil {
			in.texts = append(in.texts, s)
		}
		if kind != astiav.MediaTypeVideo && kind != astiav.MediaTypeAudio || kind == astiav.MediaTypeVideo && isCover(s) {
			continue
		}
		if decoderFor(p.CodecID()) == nil {
			undecodable = p.CodecID().Name()
			continue
		}
		if kind == astiav.MediaTypeAudio {
			in.audio = append(in.audio, s)
		} else if area := p.Width() * p.Height(); in.video == nil || area > best {
			in.video, best = s, area
		}
	}
	switch {
	case in.video == nil && undecodable != "" || in.video == nil && len(in.audio) == 0 && undecodable != "":
		return child.Refuse(child.UnsupportedCodec, "%s", undecodable)
	case in.format.NbStreams() == 0: // what writers of nothing leave
		return child.Refuse(child.ZeroDuration, "no streams")
	case in.video == nil && len(in.audio) == 0:
		return child.Refuse(child.NoStreams, "%d streams", in.format.NbStreams())
	}
	return nil
}

// isCover recognises an attached picture. go-astiav does not tell a stream's
// disposition, but such a stream is a still codec without a frame rate.
func isCover(s *astiav.Stream) bool {
	switch s.CodecParameters().CodecID().Name() {
	case "mjpeg", "png", "bmp", "gif", "webp", "tiff":
		return s.AvgFrameRate().Num() == 0
	}
	return false
}

// decoderFor is an allowed decoder, or nil. FFmpeg's first choice for a codec
// may be one that is not on the list, but then its others are not wanted.
func decoderFor(id astiav.CodecID) *astiav.Codec {
	c := astiav.FindDecoder(id)
	if c == nil || !strings.Contains(","+codecAllowList+",", ","+c.Name()+",") {
		return nil
	}
	return c
}

// duration is what headers say about the chosen streams, or about the whole
// when they have none of their own; zero when unknown.
func (in *input) duration() time.Duration {
	longest := time.Duration(0)
	for _, s := range append([]*astiav.Stream{in.video}, in.audio...) {
		if s != nil && s.Duration() > 0 {
			longest = max(longest, toDuration(s.Duration(), s.TimeBase()))
		}
	}
	if longest == 0 && in.format.Duration() > 0 {
		longest = time.Duration(in.format.Duration()) * time.Microsecond
	}
	return longest
}

// certain is how much of the picture there is at least: half of what its header says. A
// file that lacks more was refused. Zero where nothing says it.
func (in *input) certain() time.Duration {
	if in.video == nil || in.video.Duration() <= 0 || in.estimated() {
		return 0
	}
	return toDuration(in.video.Duration(), in.video.TimeBase()) / 2
}

// start is the earliest start of the chosen streams: time zero of the output.
func (in *input) start() time.Duration {
	earliest, known := time.Duration(0), false
	for _, s := range append([]*astiav.Stream{in.video}, in.audio...) {
		if s == nil || s.StartTime() == noPTS {
			continue
		}
		if t := toDuration(s.StartTime(), s.TimeBase()); !known || t < earliest {
			earliest, known = t, true
		}
	}
	return earliest
}

// estimated reports formats whose duration FFmpeg guesses from a bit rate or
// from the last packets.
func (in *input) estimated() bool {
	switch in.format.InputFormat().Name() {
	case "mp3", "aac", "ac3", "eac3", "amr", "mpegts", "mpeg", "ogg":
		return true
	}
	return false
}

func toDuration(ts int64, base astiav.Rational) time.Duration {
	return time.Duration(astiav.RescaleQ(ts, base, astiav.NewRational(1, int(time.Second))))
}

func fromDuration(d time.Duration, base astiav.Rational) int64 {
	return astiav.RescaleQ(int64(d), astiav.NewRational(1, int(time.Second)), base)
}

// readPacket reads the next packet, io.EOF at the end. An error in the middle
// of a file ends it: what came before is kept.
func (in *input) readPacket(ctx context.Context, p *astiav.Packet) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	err := in.format.ReadFrame(p)
	switch {
	case err == nil:
		return nil
	case in.broken != nil:
		return in.broken
	case errors.Is(err, errNoMemory):
		return fmt.Errorf("read packet: %w", err)
	}
	return io.EOF
}
