package av

import (
	"errors"
	"fmt"

	"github.com/asticode/go-astiav"
)

// grid puts decoded frames on the constant grid of the output: its frame n shows
// the last picture whose time, rounded to the grid, is n or earlier. That does not
// depend on where decoding began, so chunks fit together to the frame.
type grid struct {
	base, unit astiav.Rational // of the source, of the grid
	// next is the frame to be shown next, to the one after the last, which may be
	// math.MaxInt64.
	next, to int64
	// seeked says that decoding began in the middle, where the first frame must not
	// stand in for those before it.
	seeked bool

	held *astiav.Frame
	some bool // held holds one
	show func(f *astiav.Frame, n, times int64) error
}

var (
	// errComplete ends a chunk: all of its frames have been shown.
	errComplete = errors.New("the chunk is complete")
	// errLate says that a seek went past the first frame of a chunk.
	errLate = errors.New("decoding began after the start of the chunk")
)

// push takes the next frame, whose PTS is on the output's timeline.
func (g *grid) push(f *astiav.Frame) error {
	n := astiav.RescaleQ(f.Pts(), g.base, g.unit)
	if !g.some && g.seeked && n > g.next {
		return errLate
	}
	if err := g.until(n); err != nil {
		return err
	}
	if g.next >= g.to {
		return errComplete
	}
	g.held.Unref()
	if err := g.held.Ref(f); err != nil {
		return fmt.Errorf("keep frame: %w", err)
	}
	g.some = true
	return nil
}

// until shows the held frame up to frame n.
func (g *grid) until(n int64) error {
	n = min(n, g.to)
	if !g.some || n <= g.next {
		return nil
	}
	from := g.next
	g.next = n
	return g.show(g.held, from, n-from)
}

// finish shows the last frame up to a time of the source's base.
func (g *grid) finish(end int64) error {
	return g.until(astiav.RescaleQ(end, g.base, g.unit))
}

func (g *grid) close() { g.held.Free() }
