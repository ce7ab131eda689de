package av

import (
	"context"
	"errors"

	"github.com/asticode/go-astiav"

	"github.com/vitascope/vitascope/transcode/child"
)

// clip makes a part of the picture as if it were all: time zero is where it starts,
// and its end is that of a chunk.
func clip(ctx context.Context, s *child.Session) error {
	spec, part := s.Job().Encode, s.Job().Clip
	if spec == nil || part == nil || part.From < 0 || spec.FromSegment != 0 || spec.ToSegment < 1 || len(spec.Audio) > 0 || spec.Storyboard != nil {
		return errors.New("a clip needs a spec for a part of the picture")
	}
	in, err := open(ctx, s)
	if err != nil {
		return err
	}
	defer in.close()
	if in.video == nil {
		return child.Refuse(child.NoStreams, "no picture")
	}
	e := &encoding{session: s, spec: spec, in: in, start: in.start() + part.From}
	defer e.close()
	if e.video, err = newVideoTrack(e); err != nil {
		return err
	}
	if err := e.decodeClip(ctx); err != nil {
		return in.blame(err)
	}
	if err := e.video.drain(); err != nil { // filters may hold back a poster
		return err
	}
	return e.finish()
}

// decodeClip decodes from the keyframe before the clip, else from further back.
func (e *encoding) decodeClip(ctx context.Context) error {
	base := e.in.video.TimeBase()
	err := errLate
	for _, before := range preroll {
		at := fromDuration(max(e.in.start(), e.start-before), base)
		if err := e.in.format.SeekFrame(e.in.video.Index(), at, astiav.NewSeekFlags(astiav.SeekFlagBackward)); err != nil {
			continue
		}
		if err := e.video.begin(true); err != nil {
			return err
		}
		if err = e.pump(ctx); !errors.Is(err, errLate) {
			return err
		}
	}
	return child.Refuse(child.DecodeFailed, "no picture at %s: %v", e.start, err)
}
