package av

import (
	"fmt"

	"github.com/asticode/go-astiav"
)

// steady keeps size and format of frames what they were at first: a stream
// that changes in the middle is fitted to its beginning.
type steady struct {
	first  pictureShape
	base   astiav.Rational
	now    pictureShape
	fitted *graph
}

type pictureShape struct {
	width, height int
	format        astiav.PixelFormat
}

func shapeOf(f *astiav.Frame) pictureShape {
	return pictureShape{f.Width(), f.Height(), f.PixelFormat()}
}

func newSteady(f *astiav.Frame, base astiav.Rational) *steady {
	return &steady{first: shapeOf(f), now: shapeOf(f), base: base}
}

func (s *steady) close() {
	if s.fitted != nil {
		s.fitted.close()
	}
}

func (s *steady) push(f *astiav.Frame, take func(*astiav.Frame) error) error {
	shape := shapeOf(f)
	if shape == s.first {
		return take(f)
	}
	if shape != s.now || s.fitted == nil {
		s.close()
		s.fitted = nil
		text := fmt.Sprintf("[in]scale=%d:%d,format=%s[out]", s.first.width, s.first.height, s.first.format.Name())
		g, err := newGraph("", text, pictureSource(f, s.base), []string{"out"})
		if err != nil {
			return err
		}
		s.fitted, s.now = g, shape
	}
	return s.fitted.push(f, func(_ int, f *astiav.Frame) error { return take(f) })
}
