package av

import (
	"errors"
	"fmt"
	"strings"

	"github.com/asticode/go-astiav"
)

// graph is a libavfilter graph with one source and named sinks.
type graph struct {
	graph  *astiav.FilterGraph
	source *astiav.FilterContext
	sinks  []*astiav.FilterContext
	frame  *astiav.Frame
	ended  []bool
}

// newGraph builds a graph from its text, whose open pads are "in" and the
// names of the sinks. kind is "" for video and "a" for audio.
func newGraph(kind, text string, source astiav.FilterArgs, sinks []string) (_ *graph, err error) {
	g := &graph{graph: astiav.AllocFilterGraph(), frame: astiav.AllocFrame(), ended: make([]bool, len(sinks))}
	defer func() {
		if err != nil {
			g.close()
			err = fmt.Errorf("filter graph %q: %w", text, err)
		}
	}()
	g.graph.SetThreadCount(threads())
	if g.source, err = g.graph.NewFilterContext(astiav.FindFilterByName(kind+"buffer"), "in", source); err != nil {
		return nil, err
	}
	from := astiav.AllocFilterInOut()
	from.SetName("in")
	from.SetFilterContext(g.source)
	var to *astiav.FilterInOut
	for i := len(sinks) - 1; i >= 0; i-- {
		sink, err := g.graph.NewFilterContext(astiav.FindFilterByName(kind+"buffersink"), sinks[i], nil)
		if err != nil {
			return nil, err
		}
		g.sinks = append([]*astiav.FilterContext{sink}, g.sinks...)
		pad := astiav.AllocFilterInOut()
		pad.SetName(sinks[i])
		pad.SetFilterContext(sink)
		pad.SetNext(to)
		to = pad
	}
	err = g.graph.Parse(text, to, from)
	to.Free()
	from.Free()
	if err != nil {
		return nil, err
	}
	return g, g.graph.Configure()
}

func (g *graph) close() {
	g.frame.Free()
	g.graph.Free()
}

// push sends a frame, nil to drain, and gives what comes out to take with the
// index of its sink. take must not keep the frame.
func (g *graph) push(f *astiav.Frame, take func(sink int, f *astiav.Frame) error) error {
	if err := g.source.BuffersrcAddFrame(f, astiav.NewBuffersrcFlags(astiav.BuffersrcFlagKeepRef)); err != nil && !errors.Is(err, astiav.ErrEof) {
		return fmt.Errorf("filter: %w", err)
	}
	for again := true; again; {
		again = false
		for i, sink := range g.sinks {
			for !g.ended[i] {
				err := sink.BuffersinkGetFrame(g.frame, astiav.NewBuffersinkFlags())
				if errors.Is(err, astiav.ErrEagain) {
					break
				}
				if errors.Is(err, astiav.ErrEof) {
					g.ended[i] = true
					break
				}
				if err != nil {
					return fmt.Errorf("filter: %w", err)
				}
				again = true
				err = take(i, g.frame)
				g.frame.Unref()
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// chain joins filters, leaving out empty ones.
func chain(filters ...string) string {
	kept := filters[:0]
	for _, f := range filters {
		if f != "" {
			kept = append(kept, f)
		}
	}
	return strings.Join(kept, ",")
}
