package child

import (
	"fmt"
	"path"
)

// checker holds a child to its job: renditions it was asked for, segments in
// order, files where they belong.
type checker struct {
	op         string
	renditions map[string]*renditionCheck
	texts      map[string]bool // not yet announced
	over       bool
}

type renditionCheck struct {
	init     bool
	next, to int // segments; to is 0 when there is no bound
}

func newChecker(job Job) *checker {
	c := &checker{op: job.Op, renditions: map[string]*renditionCheck{}, texts: map[string]bool{}}
	if job.Encode != nil {
		for _, r := range job.Encode.Rungs {
			c.renditions[r.Name] = &renditionCheck{next: job.Encode.FromSegment, to: job.Encode.ToSegment}
		}
		for _, a := range job.Encode.Audio {
			c.renditions[a.Name] = &renditionCheck{}
		}
		for _, t := range job.Encode.Texts {
			c.texts[t.Name] = true
		}
	}
	return c
}

// event returns an error, of kind ErrProtocol, for what the job does not allow. Words
// for the log are cut to what a log takes.
func (c *checker) event(e Event) error {
	if c.over {
		return fmt.Errorf("%w: event after the end", ErrProtocol)
	}
	set := 0
	for _, is := range []bool{e.Probe != nil, e.Init != nil, e.Segment != nil, e.Image != nil, e.Text != nil, e.Progress != nil, e.Done != nil, e.Failed != nil, e.SelfTest != nil} {
		if is {
			set++
		}
	}
	if set != 1 {
		return fmt.Errorf("%w: %d events in a line", ErrProtocol, set)
	}
	c.over = e.ends()
	switch {
	case e.Failed != nil:
		if !e.Failed.Code.known() {
			return fmt.Errorf("%w: failure code %q", ErrProtocol, clip(string(e.Failed.Code)))
		}
		return nil
	case e.Probe != nil != (c.op == OpProbe), e.SelfTest != nil != (c.op == OpSelfTest):
		return fmt.Errorf("%w: wrong event for %s", ErrProtocol, c.op)
	case e.Init != nil:
		return c.init(e.Init)
	case e.Segment != nil:
		return c.segment(e.Segment)
	case e.Image != nil && (e.Image.Kind != ImagePoster && e.Image.Kind != ImageStoryboard || e.Image.File != e.Image.Kind+".jpg"):
		return fmt.Errorf("%w: image %q", ErrProtocol, clip(e.Image.File))
	case e.Text != nil:
		return c.text(e.Text)
	case e.Done != nil:
		e.Done.LevelLeft = clip(e.Done.LevelLeft)
	case e.Progress != nil && !(e.Progress.Fraction >= 0 && e.Progress.Fraction <= 1):
		return fmt.Errorf("%w: progress %g", ErrProtocol, e.Progress.Fraction)
	}
	return nil
}

func (c *checker) init(i *Init) error {
	r := c.renditions[i.Rendition]
	if r == nil || r.init || i.Timescale <= 0 || i.File != path.Join(i.Rendition, "init.mp4") {
		return fmt.Errorf("%w: init segment %q of %q", ErrProtocol, clip(i.File), clip(i.Rendition))
	}
	r.init = true
	return nil
}

func (c *checker) segment(s *Segment) error {
	r := c.renditions[s.Rendition]
	if r == nil || !r.init || s.N != r.next || r.to > 0 && s.N >= r.to || s.Duration <= 0 || s.File != SegmentFile(s.Rendition, s.N) {
		return fmt.Errorf("%w: segment %d, %q of %q", ErrProtocol, s.N, clip(s.File), clip(s.Rendition))
	}
	last := Iframe{At: -1}
	for _, f := range s.Iframes {
		if f.At <= last.At || f.At >= s.Duration || f.Offset < last.Offset+last.Bytes || f.Bytes <= 0 || f.Bytes > s.Bytes-f.Offset {
			return fmt.Errorf("%w: I-frame at %d of segment %d of %q", ErrProtocol, f.At, s.N, clip(s.Rendition))
		}
		last = f
	}
	r.next++
	return nil
}

func (c *checker) text(t *Text) error {
	if !c.texts[t.Name] || t.File != t.Name+".vtt" {
		return fmt.Errorf("%w: text %q of %q", ErrProtocol, clip(t.File), clip(t.Name))
	}
	c.texts[t.Name] = false
	return nil
}

// SegmentFile is where segment n of a rendition lies in the job folder.
func SegmentFile(rendition string, n int) string {
	return path.Join(rendition, fmt.Sprintf("%d.m4s", n))
}
