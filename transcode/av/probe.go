package av

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/vitascope/vitascope/transcode/child"
)

// probePackets bounds the search for a first frame.
const probePackets = 600

// errFound ends a search.
var errFound = errors.New("found")

// probe tells what the input is, having decoded its first frame.
func probe(ctx context.Context, s *child.Session) error {
	in, err := open(ctx, s)
	if err != nil {
		return err
	}
	defer in.close()
	result := &child.ProbeResult{Container: in.format.InputFormat().Name(), DurationEstimated: in.estimated(), Start: in.start()}
	duration := in.duration()
	main := in.video
	if main == nil {
		main = in.audio[0]
	}
	var info frameInfo
	var picture struct {
		width, height int
		format        string
		aspect        astiav.Rational
	}
	err = in.firstFrame(ctx, main, func(f *astiav.Frame) {
		info = infoOf(f)
		picture.width, picture.height = f.Width(), f.Height()
		picture.format, picture.aspect = f.PixelFormat().Name(), in.format.GuessSampleAspectRatio(main, f)
	})
	if err != nil {
		return err
	}
	if duration <= 0 {
		if duration, err = in.measure(ctx); err != nil {
			return err
		}
	}
	switch {
	case duration > child.MaxDurationSeconds*time.Second:
		return child.Refuse(child.TooLong, "%s", duration)
	case duration < time.Millisecond:
		return child.Refuse(child.ZeroDuration, "%s", duration)
	}
	result.DurationMS = duration.Milliseconds()
	if in.video != nil {
		if err := checkPicture(picture.width, picture.height); err != nil {
			return err
		}
		turn := turnOf(in.video)
		w, h := displaySize(picture.width, picture.height, picture.aspect, turn)
		rate := in.video.AvgFrameRate()
		if rate.Num() <= 0 || rate.Den() <= 0 {
			rate = in.format.GuessFrameRate(in.video, nil)
		}
		result.Video = &child.VideoStream{
			Codec: in.video.CodecParameters().CodecID().Name(),
			Width: picture.width, Height: picture.height, DisplayWidth: w, DisplayHeight: h,
			Rotation:          turn.degrees,
			SampleAspectRatio: child.Rational{Num: picture.aspect.Num(), Den: picture.aspect.Den()},
			FrameRate:         child.Rational{Num: rate.Num(), Den: rate.Den()},
			PixelFormat:       picture.format, BitDepth: info.depth, Interlaced: info.interlaced,
			ColorSpace: info.color.space, ColorTransfer: info.color.transfer, ColorPrimaries: info.color.primaries,
			FullRange: info.color.fullRange, HDR: info.color.hdr(),
		}
		if duration >= seekFrom {
			if result.Unseekable, err = in.unseekable(ctx, duration); err != nil {
				return err
			}
		}
	}
	for _, a := range in.audio {
		p := a.CodecParameters()
		result.Audio = append(result.Audio, child.AudioStream{
			Codec: p.CodecID().Name(), Channels: p.Channels(), SampleRate: p.SampleRate(), Language: languageOf(a),
			Title: metadataOf(a, "title", maxTitle), Default: dispositionOf(a).isDefault(), Described: dispositionOf(a).describes(),
		})
	}
	in.describeTexts(result)
	return s.Emit(child.Event{Probe: result})
}

// Seeking is tried at this many places, each of which must be reached from a
// keyframe no further back than maxKeyframeGap.
const (
	seekFrom       = 8 * time.Second // nobody seeks in less
	seekTrials     = 3
	maxKeyframeGap = 30 * time.Second
	trialPackets   = 2000
)

// unseekable tells why the picture cannot be decoded from the middle of the input,
// empty if it can. What follows a keyframe must not depend on what came before it,
// and times must not either.
func (in *input) unseekable(ctx context.Context, duration time.Duration) (string, error) {
	if in.estimated() {
		return "the format has no index", nil
	}
	if in.video.StartTime() == noPTS {
		return "the picture has no times", nil
	}
	packet := astiav.AllocPacket()
	defer packet.Free()
	base, start := in.video.TimeBase(), in.start()
	for i := range seekTrials {
		target := start + duration*time.Duration(i+1)/(seekTrials+1)
		if err := in.format.SeekFrame(in.video.Index(), fromDuration(target, base), astiav.NewSeekFlags(astiav.SeekFlagBackward)); err != nil {
			return fmt.Sprintf("seek to %s: %v", target, err), in.blame(nil)
		}
		for n := 0; ; n++ {
			err := in.readPacket(ctx, packet)
			if errors.Is(err, io.EOF) || n == trialPackets {
				return fmt.Sprintf("nothing follows a seek to %s", target), nil
			}
			if err != nil {
				return "", err
			}
			if packet.StreamIndex() == in.video.Index() {
				break
			}
			packet.Unref()
		}
		key, pts := packet.Flags().Has(astiav.PacketFlagKey), packet.Pts()
		packet.Unref()
		at := toDuration(pts, base)
		switch {
		case pts == noPTS:
			return "the picture has no times", nil
		case !key:
			return fmt.Sprintf("a seek to %s ends between keyframes", target), nil
		case at > target+time.Millisecond || target-at > maxKeyframeGap:
			return fmt.Sprintf("a seek to %s ends at %s", target, at), nil
		}
	}
	return "", nil
}

// firstFrame decodes the first frame of a stream and shows it to look.
func (in *input) firstFrame(ctx context.Context, s *astiav.Stream, look func(*astiav.Frame)) error {
	d, err := newDecoder(s)
	if err != nil {
		return err
	}
	defer d.close()
	packet := astiav.AllocPacket()
	defer packet.Free()
	take := func(f *astiav.Frame) error {
		look(f)
		return errFound
	}
	packets := 0
	for packets < probePackets {
		err := in.readPacket(ctx, packet)
		if errors.Is(err, io.EOF) {
			err = d.decode(nil, take)
			if err == nil && packets == 0 {
				return child.Refuse(child.ZeroDuration, "no packets")
			}
			if err == nil {
				break
			}
		}
		if err == nil && packet.StreamIndex() == s.Index() {
			packets++
			err = d.decode(packet, take)
		}
		packet.Unref()
		if errors.Is(err, errFound) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return child.Refuse(child.DecodeFailed, "no frame from %d packets", packets)
}

// measure reads the rest of the input to learn its duration, for files that do
// not tell, such as what browsers record.
func (in *input) measure(ctx context.Context) (time.Duration, error) {
	packet := astiav.AllocPacket()
	defer packet.Free()
	end := time.Duration(0)
	for {
		err := in.readPacket(ctx, packet)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		for _, s := range append([]*astiav.Stream{in.video}, in.audio...) {
			if s != nil && packet.StreamIndex() == s.Index() && packet.Pts() != noPTS {
				end = max(end, toDuration(packet.Pts()+packet.Duration(), s.TimeBase()))
			}
		}
		packet.Unref()
	}
	if end -= in.start(); end > 0 {
		return end, nil
	}
	if in.video != nil {
		if rate := in.video.AvgFrameRate(); rate.Num() > 0 && rate.Den() > 0 {
			return time.Duration(float64(time.Second) / rate.Float64()), nil
		}
	}
	return 0, nil
}

// turn is what makes a picture upright.
type turn struct {
	// degrees is clockwise: 0, 90, 180 or 270.
	degrees int
	// filters is the same for libavfilter, with mirroring, empty for none.
	filters string
}

// turnOf reads a stream's display matrix, as FFmpeg's own tool does. Angles
// that are no multiple of 90 are left as they are.
func turnOf(s *astiav.Stream) turn {
	m, err := astiav.NewDisplayMatrixFromBytes(s.SideData(astiav.PacketSideDataTypeDisplaymatrix))
	if err != nil {
		return turn{}
	}
	angle := math.Mod(m.Rotation(), 360)
	if angle < 0 {
		angle += 360
	}
	if math.IsNaN(angle) {
		return turn{}
	}
	cell := func(i int) int32 { return int32(m[i]) }
	pick := func(mirrored bool, yes, no string) string {
		if mirrored {
			return yes
		}
		return no
	}
	switch {
	case math.Abs(angle-90) < 1:
		return turn{90, "transpose=" + pick(cell(3) > 0, "cclock_flip", "clock")}
	case math.Abs(angle-180) < 1:
		filters := pick(cell(0) < 0, "hflip", "")
		if cell(4) < 0 {
			filters = strings.TrimPrefix(filters+",vflip", ",")
		}
		return turn{180, filters}
	case math.Abs(angle-270) < 1:
		return turn{270, "transpose=" + pick(cell(3) < 0, "clock_flip", "cclock")}
	case cell(4) < 0:
		return turn{0, "vflip"}
	}
	return turn{}
}

// displaySize is the size at which a picture is meant to be seen, in square
// pixels and upright: height is kept and width stretched.
func displaySize(width, height int, aspect astiav.Rational, t turn) (int, int) {
	if ratio := aspect.Float64(); aspect.Num() > 0 && aspect.Den() > 0 && ratio > 0.1 && ratio < 10 {
		width = max(1, min(int(math.Round(float64(width)*ratio)), child.MaxSide))
	}
	if t.degrees == 90 || t.degrees == 270 {
		return height, width
	}
	return width, height
}

// languageOf is a stream's language tag when it looks like one.
func languageOf(s *astiav.Stream) string {
	tag := strings.ToLower(metadataOf(s, "language", 3+1))
	if len(tag) < 2 || len(tag) > 3 || tag == "und" || strings.Trim(tag, "abcdefghijklmnopqrstuvwxyz") != "" {
		return ""
	}
	return tag
}

// maxTitle bounds what is told of a title, in bytes.
const maxTitle = 200

// metadataOf is what a file says of a stream under key, in valid UTF-8, cut to
// size bytes; empty when it says nothing.
func metadataOf(s *astiav.Stream, key string, size int) string {
	metadata := s.Metadata()
	if metadata == nil {
		return ""
	}
	entry := metadata.Get(key, nil, 0)
	if entry == nil {
		return ""
	}
	value := entry.Value()
	return strings.ToValidUTF8(value[:min(len(value), size)], "")
}
