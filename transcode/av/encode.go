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

	video *videoTrack
	audio *audioTrack

	reported time.Time
}

// encode decodes the input once and makes everything that the job asks for.
func encode(ctx context.Context, s *child.Session) error {
	spec := s.Job().Encode
	if spec == nil || spec.From != 0 || spec.To != 0 {
		return errors.New("encode needs a spec for the whole media")
	}
	in, err := open(ctx, s)
	if err != nil {
		return err
	}
	defer in.close()
	e := &encoding{session: s, spec: spec, in: in, start: in.start()}
	defer e.close()
	if err := e.openTracks(); err != nil {
		return err
	}
	if err := e.pump(ctx); err != nil {
		return in.blame(err)
	}
	return e.finish()
}

func (e *encoding) openTracks() (err error) {
	if e.in.video != nil && (len(e.spec.Rungs) > 0 || e.spec.Poster || e.spec.Storyboard != nil) {
		if e.video, err = newVideoTrack(e); err != nil {
			return err
		}
	}
	if len(e.in.audio) > 0 && e.spec.Audio != nil {
		if e.audio, err = newAudioTrack(e); err != nil {
			return err
		}
	}
	if e.video == nil && e.audio == nil {
		return child.Refuse(child.NoStreams, "nothing to encode")
	}
	return nil
}

func (e *encoding) close() {
	if e.video != nil {
		e.video.close()
	}
	if e.audio != nil {
		e.audio.close()
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
		if err != nil {
			return err
		}
	}
	if e.video != nil {
		if err := e.video.packet(nil); err != nil {
			return err
		}
	}
	if e.audio != nil {
		return e.audio.packet(nil)
	}
	return nil
}

func (e *encoding) packet(p *astiav.Packet) error {
	switch {
	case e.video != nil && p.StreamIndex() == e.video.decoder.stream.Index():
		e.progress(p, e.video.decoder.stream)
		return e.video.packet(p)
	case e.audio != nil && p.StreamIndex() == e.audio.decoder.stream.Index():
		if e.video == nil {
			e.progress(p, e.audio.decoder.stream)
		}
		return e.audio.packet(p)
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
	total := e.session.Job().Duration
	if total <= 0 || p.Pts() == noPTS || time.Since(e.reported) < progressInterval {
		return
	}
	e.reported = time.Now()
	done := float64(toDuration(p.Pts(), s.TimeBase())-e.start) / float64(total)
	_ = e.session.Emit(child.Event{Progress: &child.Progress{Fraction: max(0, min(done, 1))}})
}

// finish closes the tracks and tells the result.
func (e *encoding) finish() error {
	done := &child.Done{}
	longest := time.Duration(0)
	if e.video != nil {
		d, err := e.video.finish()
		if err != nil {
			return err
		}
		longest = d
		done.Damaged += e.video.decoder.damaged
	}
	if e.audio != nil {
		d, err := e.audio.finish()
		if err != nil {
			return err
		}
		longest = max(longest, d)
		done.Damaged += e.audio.decoder.damaged
	}
	done.DurationMS = longest.Milliseconds()
	return e.session.Emit(child.Event{Done: done})
}
