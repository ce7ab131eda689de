package av

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/vitascope/vitascope/transcode/child"
)

// encoding is one pass over the input.
type encoding struct {
	session *child.Session
	spec    *child.EncodeSpec
	in      *input
	start   time.Duration
	levels  map[int]level // of audio tracks
	// levelLeft says why there are none although they are wanted.
	levelLeft string

	video *videoTrack
	audio []*audioTrack
	texts []*textTrack

	reported time.Time
}

// encode decodes the input once and makes everything that the job asks for.
func encode(ctx context.Context, s *child.Session) error {
	spec := s.Job().Encode
	if spec == nil {
		return errors.New("encode needs a spec")
	}
	if chunk := spec.FromSegment > 0 || spec.ToSegment > 0; chunk && (len(spec.Audio) > 0 || len(spec.Texts) > 0 || spec.Poster || spec.Storyboard != nil) {
		return errors.New("sound, texts and images are made of the whole media")
	}
	levels, levelLeft, err := levels(ctx, s)
	if err != nil {
		return err
	}
	in, err := open(ctx, s)
	if err != nil {
		return err
	}
	e := &encoding{session: s, spec: spec, in: in, start: in.start(), levels: levels, levelLeft: levelLeft}
	defer func() { e.in.close() }()
	defer e.close()
	if err := e.openTracks(); err != nil {
		return err
	}
	if err := e.decode(ctx); err != nil {
		return e.in.blame(err)
	}
	return e.finish()
}

// preroll is how far before a chunk each attempt to decode it looks for a
// keyframe. The last resort is the start of the media.
var preroll = [...]time.Duration{0, 10 * time.Second, time.Minute}

// decode decodes what the job needs, from the keyframe before its first frame.
func (e *encoding) decode(ctx context.Context) error {
	first := e.spec.SegmentStart(e.spec.FromSegment)
	if first == 0 || e.video == nil {
		return e.pump(ctx)
	}
	from := time.Duration(float64(first) / e.spec.FrameRate.Float64() * float64(time.Second))
	for _, before := range preroll {
		base := e.in.video.TimeBase()
		at := fromDuration(e.start+max(0, from-before), base)
		if err := e.in.format.SeekFrame(e.in.video.Index(), at, astiav.NewSeekFlags(astiav.SeekFlagBackward)); err != nil {
			continue
		}
		if err := e.video.begin(true); err != nil {
			return err
		}
		if err := e.pump(ctx); !errors.Is(err, errLate) {
			return err
		}
	}
	in, err := open(ctx, e.session)
	if err != nil {
		return err
	}
	old := e.in
	e.in = in
	err = e.video.begin(false)
	old.close()
	if err != nil {
		return err
	}
	return e.pump(ctx)
}

func (e *encoding) openTracks() (err error) {
	if e.in.video != nil && (len(e.spec.Rungs) > 0 || e.spec.Poster || e.spec.Storyboard != nil) {
		if e.video, err = newVideoTrack(e); err != nil {
			return err
		}
	}
	for _, spec := range e.spec.Audio {
		if spec.Track < 0 || spec.Track >= len(e.in.audio) {
			continue // the file is not what the probe saw: its other tracks are
		}
		track, err := newAudioTrack(e, spec)
		if err != nil {
			return err
		}
		e.audio = append(e.audio, track)
	}
	for _, spec := range e.spec.Texts {
		if spec.Track >= 0 && spec.Track < len(e.in.texts) {
			e.texts = append(e.texts, newTextTrack(e.in, spec))
		}
	}
	if e.video == nil && len(e.audio) == 0 && len(e.texts) == 0 {
		return child.Refuse(child.NoStreams, "nothing to encode")
	}
	return nil
}

func (e *encoding) close() {
	if e.video != nil {
		e.video.close()
	}
	for _, a := range e.audio {
		a.close()
	}
}

// pump moves packets from the demuxer to the tracks and drains these.
func (e *encoding) pump(ctx context.Context) error {
	packet := astiav.AllocPacket()
	defer packet.Free()
	for {
		err := e.in.readPacket(ctx, packet)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = e.packet(packet)
		}
		packet.Unref()
		if errors.Is(err, errComplete) {
			return nil // a chunk, which has nothing but the picture
		}
		if err != nil {
			return err
		}
	}
	if e.video != nil {
		if err := e.video.packet(nil); err != nil && !errors.Is(err, errComplete) {
			return err
		}
	}
	for _, a := range e.audio {
		if err := a.packet(nil); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoding) packet(p *astiav.Packet) error {
	if e.video != nil && p.StreamIndex() == e.video.decoder.stream.Index() {
		e.progress(p, e.video.decoder.stream)
		return e.video.packet(p)
	}
	for i, a := range e.audio {
		if p.StreamIndex() != a.decoder.stream.Index() {
			continue
		}
		if e.video == nil && i == 0 {
			e.progress(p, a.decoder.stream)
		}
		return a.packet(p)
	}
	for _, t := range e.texts {
		if p.StreamIndex() == t.stream.Index() {
			t.packet(p, e.start)
		}
	}
	return nil
}

// inTime refuses a timestamp so late that filling the time before it would make
// more than the media can have.
func (e *encoding) inTime(pts int64, base astiav.Rational) error {
	if at := toDuration(pts, base); at > longest(e.session.Job()) {
		return child.Refuse(child.LimitExceeded, "a frame at %s of %s", at, e.session.Job().Duration)
	}
	return nil
}

// progressInterval is how often progress is told.
const progressInterval = 400 * time.Millisecond

// progress tells how far the input has been read. A server that hung up is
// noticed elsewhere.
func (e *encoding) progress(p *astiav.Packet, s *astiav.Stream) {
	from, total := time.Duration(0), e.session.Job().Duration
	if job := e.session.Job(); job.Span > 0 && e.spec.FrameRate.Num > 0 {
		from = time.Duration(float64(e.spec.SegmentStart(e.spec.FromSegment)) / e.spec.FrameRate.Float64() * float64(time.Second))
		total = job.Span
	}
	if total <= 0 || p.Pts() == noPTS || time.Since(e.reported) < progressInterval {
		return
	}
	e.reported = time.Now()
	done := float64(toDuration(p.Pts(), s.TimeBase())-e.start-from) / float64(total)
	_ = e.session.Emit(child.Event{Progress: &child.Progress{Fraction: max(0, min(done, 1))}})
}

// finish closes the tracks and tells the result.
func (e *encoding) finish() error {
	done := &child.Done{LevelLeft: e.levelLeft}
	longest := time.Duration(0)
	if e.video != nil {
		d, err := e.video.finish()
		if err != nil {
			return err
		}
		longest = d
		done.Damaged += e.video.decoder.damaged
	}
	for _, a := range e.audio {
		d, err := a.finish()
		if err != nil {
			return err
		}
		longest = max(longest, d)
		done.Damaged += a.decoder.damaged
	}
	for _, t := range e.texts {
		if err := t.finish(e.session); err != nil {
			return err
		}
	}
	if longest == 0 && e.in.video == nil {
		return child.Refuse(child.DecodeFailed, "no sound decoded")
	}
	done.DurationMS = longest.Milliseconds()
	return e.session.Emit(child.Event{Done: done})
}
