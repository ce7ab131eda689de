package av

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/vitascope/vitascope/transcode/child"
)

// videoTrack decodes the picture and feeds rungs, poster and storyboard.
type videoTrack struct {
	e       *encoding
	decoder *decoder
	steady  *steady
	weave   *graph // makes frames of fields; nil for progressive pictures
	grid    *grid
	graph   *graph
	sinks   []string
	rungs   []*rungEncoder
	images  *images
	// waiting says that packets up to the next keyframe are no use.
	waiting bool
	// lastPTS and lastHold are of the last frame decoded, in the stream's time base.
	lastPTS  int64
	lastHold int64
	// slot is the grid's frame in the graph, shown times times.
	slot, times int64
}

const (
	posterSink = "poster"
	storySink  = "story"
)

func newVideoTrack(e *encoding) (*videoTrack, error) {
	v := &videoTrack{e: e, images: &images{session: e.session, spec: e.spec}}
	for _, r := range e.spec.Rungs {
		encoder, err := newRungEncoder(e, r)
		if err != nil {
			v.close()
			return nil, err
		}
		v.rungs = append(v.rungs, encoder)
	}
	if err := v.begin(false); err != nil {
		v.close()
		return nil, err
	}
	return v, nil
}

// begin makes ready to decode from where the input is now.
func (v *videoTrack) begin(seeked bool) error {
	v.end()
	var err error
	var options []string
	switch {
	case v.sparse():
		options = []string{"skip_frame", "nokey"}
	case v.small():
		options = []string{"skip_loop_filter", "all"}
	}
	if v.decoder, err = newDecoder(v.e.in.video, options...); err != nil {
		return err
	}
	v.waiting, v.lastPTS = seeked, noPTS
	rate, spec := v.e.spec.FrameRate, v.e.spec
	v.grid = &grid{
		base: v.decoder.stream.TimeBase(), unit: astiav.NewRational(rate.Den, rate.Num),
		next: spec.SegmentStart(spec.FromSegment), to: math.MaxInt64,
		seeked: seeked, held: astiav.AllocFrame(), show: v.shown,
	}
	if spec.ToSegment > 0 {
		v.grid.to = spec.SegmentStart(spec.ToSegment)
	}
	return nil
}

// sparse tells that only keyframes are decoded: enough for images, at a small part
// of the cost.
func (v *videoTrack) sparse() bool {
	return len(v.e.spec.Rungs) == 0 && v.e.session.Job().Op != child.OpClip
}

// small tells that pictures come out at a third of their size or less, where what a
// loop filter smooths is not seen.
func (v *videoTrack) small() bool {
	if rungs := v.e.spec.Rungs; len(rungs) > 0 && v.e.session.Job().Op == child.OpClip {
		p := v.e.in.video.CodecParameters()
		return 3*max(rungs[0].Width, rungs[0].Height) <= max(p.Width(), p.Height())
	}
	return false
}

// end lets go of what begin made.
func (v *videoTrack) end() {
	if v.steady != nil {
		v.steady.close()
		v.steady = nil
	}
	if v.weave != nil {
		v.weave.close()
		v.weave = nil
	}
	if v.grid != nil {
		v.grid.close()
		v.grid = nil
	}
	if v.decoder != nil {
		v.decoder.close()
		v.decoder = nil
	}
}

func (v *videoTrack) close() {
	for _, r := range v.rungs {
		r.close()
	}
	v.end()
	if v.graph != nil {
		v.graph.close()
	}
}

// packet decodes a packet, nil to drain. It returns errComplete when a chunk needs
// no more.
func (v *videoTrack) packet(p *astiav.Packet) error {
	if p != nil && v.waiting {
		if !p.Flags().Has(astiav.PacketFlagKey) {
			return nil
		}
		v.waiting = false
	}
	if err := v.decoder.decode(p, v.decoded); err != nil || p != nil {
		return err
	}
	if v.steady == nil {
		return child.Refuse(child.DecodeFailed, "no picture decoded")
	}
	if v.weave != nil {
		if err := v.weave.push(nil, v.woven); err != nil {
			return err
		}
	}
	end := v.lastPTS + v.lastHold
	if v.sparse() {
		end = max(end, fromDuration(v.e.session.Job().Duration, v.grid.base))
	}
	if err := v.grid.finish(end); err != nil {
		return err
	}
	return v.drain()
}

// drain ends the graph. Filters take the last frame's time for the end of the
// stream: shown once more at its real end, to no encoder, it gets its duration.
func (v *videoTrack) drain() error {
	if v.graph == nil {
		return nil // a chunk past the end of the media
	}
	v.slot, v.times = v.grid.next, 0
	v.grid.held.SetPts(v.slot)
	if err := v.graph.push(v.grid.held, v.filtered); err != nil {
		return err
	}
	return v.graph.push(nil, v.filtered)
}

// decoded puts a frame on the output's timeline.
func (v *videoTrack) decoded(f *astiav.Frame) error {
	base := v.decoder.stream.TimeBase()
	info := infoOf(f)
	pts := info.pts
	switch {
	case pts == noPTS && v.lastPTS == noPTS:
		pts = 0
	case pts == noPTS:
		rate := v.e.spec.FrameRate
		pts = v.lastPTS + max(1, astiav.RescaleQ(1, astiav.NewRational(rate.Den, rate.Num), base))
	default:
		pts -= fromDuration(v.e.start, base)
	}
	if err := v.e.inTime(pts, base); err != nil {
		return err
	}
	v.lastPTS, v.lastHold = pts, v.hold(pts, info.duration, base)
	f.SetPts(pts)
	if v.steady == nil {
		if err := v.open(f, info, base); err != nil {
			return err
		}
	}
	return v.steady.push(f, func(f *astiav.Frame) error {
		if v.weave != nil {
			return v.weave.push(f, v.woven)
		}
		return v.grid.push(f)
	})
}

// open makes ready for pictures like the first one.
func (v *videoTrack) open(f *astiav.Frame, info frameInfo, base astiav.Rational) error {
	v.steady = newSteady(f, base)
	if !info.interlaced {
		return nil
	}
	var err error
	text := fmt.Sprintf("[in]bwdif=mode=send_frame:deint=all,settb=expr=%d/%d[out]", base.Num(), base.Den())
	v.weave, err = newGraph("", text, pictureSource(f, base), []string{"out"})
	return err
}

func (v *videoTrack) woven(_ int, f *astiav.Frame) error { return v.grid.push(f) }

// shown takes a frame of the grid, and how often it is shown, into the graph,
// which is built from the first one.
func (v *videoTrack) shown(f *astiav.Frame, n, times int64) error {
	if v.graph == nil {
		text := v.text(f, infoOf(f))
		var err error
		if v.graph, err = newGraph("", text, pictureSource(f, v.grid.unit), v.sinks); err != nil {
			return err
		}
	}
	v.slot, v.times = n, times
	f.SetPts(n)
	return v.graph.push(f, v.filtered)
}

// hold is how long a frame at pts is shown if it is the last: its own duration
// as far as the media's goes, or one frame of the grid.
func (v *videoTrack) hold(pts, duration int64, base astiav.Rational) int64 {
	rate := v.e.spec.FrameRate
	frame := max(1, astiav.RescaleQ(1, astiav.NewRational(rate.Den, rate.Num), base))
	rest := fromDuration(v.e.session.Job().Duration, base) - pts
	return max(frame, min(duration, rest))
}

func pictureSource(f *astiav.Frame, base astiav.Rational) astiav.FilterArgs {
	return astiav.FilterArgs{
		"video_size": fmt.Sprintf("%dx%d", f.Width(), f.Height()),
		"pix_fmt":    strconv.Itoa(int(f.PixelFormat())),
		"time_base":  base.String(),
	}
}

// text is the graph: upright, BT.709, then each rung scaled from the larger one,
// with poster and storyboard on the side.
func (v *videoTrack) text(f *astiav.Frame, info frameInfo) string {
	spec := v.e.spec
	base := chain(turnOf(v.decoder.stream).filters)
	normal, same := normalise(f, info)
	if info.color.hdr() && len(spec.Rungs) > 0 && astiav.FindFilterByName("zscale") != nil && astiav.FindFilterByName("tonemap") != nil {
		base = chain(base, toneMap(info.color, spec.Rungs[0]))
		normal = "in_color_matrix=bt709:in_range=tv:out_color_matrix=bt709:out_range=tv"
		same = true
	}

	var branches []string // what hangs off the base
	var cascade []string
	if len(spec.Rungs) > 0 {
		branches = append(branches, "base0")
		if same {
			cascade = v.cascade("")
		} else {
			cascade = v.cascade(normal)
		}
	}
	if spec.Poster {
		branches = append(branches, posterSink+"0")
		v.sinks = append(v.sinks, posterSink)
		w, h := v.images.posterSize(f, turnOf(v.decoder.stream), v.e.in)
		cascade = append(cascade, fmt.Sprintf("[%s0]%s,scale=%d:%d:flags=bicubic:%s,format=rgb24,thumbnail=n=%d[%s]",
			posterSink, posterWindow(v.e.session.Job().Duration, v.sparse()), w, h, imageRange(normal), posterFrames, posterSink))
	}
	if s := spec.Storyboard; s != nil {
		branches = append(branches, storySink+"0")
		v.sinks = append(v.sinks, storySink)
		w, h := v.images.tileSize(f, turnOf(v.decoder.stream), v.e.in)
		cascade = append(cascade, fmt.Sprintf("[%s0]fps=fps=1000/%d:start_time=0,scale=%d:%d:flags=bilinear:%s,format=rgb24[%s]",
			storySink, s.Interval.Milliseconds(), w, h, imageRange(normal), storySink))
	}
	split := ""
	for _, b := range branches {
		split += "[" + b + "]"
	}
	return "[in]" + chain(base, fmt.Sprintf("split=%d", len(branches))) + split + ";" + strings.Join(cascade, ";")
}

// cascade is the chain of rungs: each is scaled from the one before.
func (v *videoTrack) cascade(normal string) []string {
	var parts []string
	last := len(v.e.spec.Rungs) - 1
	for i, r := range v.e.spec.Rungs {
		v.sinks = append(v.sinks, r.Name)
		scale := fmt.Sprintf("[base%d]%s,setsar=1,format=yuv420p", i, scaler(r, i == 0, normal))
		if i == last {
			parts = append(parts, scale+"["+r.Name+"]")
		} else {
			parts = append(parts, fmt.Sprintf("%s,split=2[%s][base%d]", scale, r.Name, i+1))
		}
	}
	return parts
}

// scaler is the filter that brings pictures to a rung's size. The first one also
// brings any format to the rungs'; from rung to rung zimg takes a fifth less time than
// swscale for the same cubic.
func scaler(r child.Rung, first bool, normal string) string {
	switch {
	case first && normal != "":
		return fmt.Sprintf("scale=%d:%d:flags=bicubic:%s", r.Width, r.Height, normal)
	case first || astiav.FindFilterByName("zscale") == nil:
		return fmt.Sprintf("scale=%d:%d:flags=bicubic", r.Width, r.Height)
	}
	return fmt.Sprintf("zscale=%d:%d:filter=bicubic:param_a=0:param_b=0.6", r.Width, r.Height)
}

// normalise is the scale filter's options that turn the source's colors into
// limited-range BT.709, and whether they are that already. Where a picture does not
// tell its matrix, size decides, as it does in players.
func normalise(f *astiav.Frame, info frameInfo) (options string, same bool) {
	matrix := "auto"
	if !info.color.spaceKnown {
		matrix = "bt601"
		if f.Height() >= 720 || f.Width() >= 1280 {
			matrix = "bt709"
		}
	}
	from := "tv"
	if info.color.fullRange {
		from = "pc"
	}
	same = f.PixelFormat() == astiav.PixelFormatYuv420P && !info.color.fullRange && (matrix == "bt709" || info.color.space == "bt709")
	return fmt.Sprintf("in_color_matrix=%s:in_range=%s:out_color_matrix=bt709:out_range=tv", matrix, from), same
}

// imageRange keeps the input half of normal: RGB has no matrix of its own.
func imageRange(normal string) string {
	in, _, _ := strings.Cut(normal, ":out_color_matrix")
	return in
}

// toneMap scales to the largest rung and brings PQ or HLG down to BT.709.
func toneMap(c colorimetry, r child.Rung) string {
	orElse := func(value, otherwise string) string {
		if value == "" || value == "unknown" || value == "reserved" {
			return otherwise
		}
		return value
	}
	return fmt.Sprintf("zscale=w=%d:h=%d:tin=%s:pin=%s:min=%s:t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,"+
		"tonemap=tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv,format=yuv420p",
		r.Width, r.Height, c.transfer, orElse(zscaleName(c.primaries), "2020"), orElse(zscaleName(c.space), "2020_ncl"))
}

// zscaleName turns FFmpeg's names of BT.2020 into zimg's.
func zscaleName(name string) string {
	return map[string]string{"bt2020": "2020", "bt2020nc": "2020_ncl", "bt2020c": "2020_cl", "bt709": "709"}[name]
}

// filtered takes a frame of one of the sinks.
func (v *videoTrack) filtered(sink int, f *astiav.Frame) error {
	switch v.sinks[sink] {
	case posterSink:
		return v.images.poster(f)
	case storySink:
		return v.images.tile(f)
	}
	if v.times == 0 {
		return nil // the end, told to filters
	}
	if f.Pts() != v.slot {
		return fmt.Errorf("frame %d came out of the filters at %d", v.slot, f.Pts())
	}
	return v.rungs[sink].frame(f, v.slot, v.times)
}

// finish drains the encoders and returns the track's duration.
func (v *videoTrack) finish() (time.Duration, error) {
	for _, r := range v.rungs {
		if err := r.finish(); err != nil {
			return 0, err
		}
	}
	if err := v.images.finish(); err != nil {
		return 0, err
	}
	if len(v.rungs) == 0 {
		return 0, nil
	}
	return v.rungs[0].duration(), nil
}
