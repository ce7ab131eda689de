package av

import (
	"context"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/vitascope/vitascope/transcode/child"
)

// measureWindow is the length of the windows in which a long track is measured.
const measureWindow = 3 * time.Second

// silence is the loudness of a track without sound: the gate of EBU R 128.
const silence = -70

// measure tells the loudness of the first tracks, as they will be heard.
func measure(ctx context.Context, s *child.Session) error {
	spec := s.Job().Measure
	if spec == nil || spec.Tracks < 1 || spec.Most <= 0 {
		return errors.New("measuring needs a spec")
	}
	in, err := open(ctx, s)
	if err != nil {
		return err
	}
	defer in.close()
	var meters []*meter
	defer func() {
		for _, m := range meters {
			m.close()
		}
	}()
	for n := range min(spec.Tracks, len(in.audio)) {
		m, err := newMeter(in.audio[n])
		if err != nil {
			return err
		}
		meters = append(meters, m)
	}
	if len(meters) == 0 {
		return child.Refuse(child.NoStreams, "no sound to measure")
	}
	in.only(in.audio[:len(meters)])
	if err := in.sample(ctx, meters, s.Job().Duration, spec.Most); err != nil {
		return in.blame(err)
	}
	for n, m := range meters {
		if err := m.drain(); err != nil {
			return err
		}
		loudness := child.Loudness{Track: n, LUFS: max(m.lufs, silence), PeakDB: max(-100, 20*math.Log10(float64(m.peak)))}
		if err := s.Emit(child.Event{Loudness: &loudness}); err != nil {
			return err
		}
	}
	return s.Emit(child.Event{Done: &child.Done{}})
}

// sample feeds the meters all of the input, or windows of it that last most in sum.
func (in *input) sample(ctx context.Context, meters []*meter, total, most time.Duration) error {
	if total <= most {
		return in.feed(ctx, meters, math.MaxInt64)
	}
	windows := int(max(1, most/measureWindow))
	main := in.audio[0]
	for n := range windows {
		from := in.start() + time.Duration(n)*(total/time.Duration(windows))
		if n > 0 {
			err := in.format.SeekFrame(main.Index(), fromDuration(from, main.TimeBase()), astiav.NewSeekFlags(astiav.SeekFlagBackward))
			if err != nil {
				return nil // what was measured has to do
			}
		}
		if err := in.feed(ctx, meters, from+measureWindow); err != nil {
			return err
		}
	}
	return nil
}

// feed reads up to a time of the first track.
func (in *input) feed(ctx context.Context, meters []*meter, until time.Duration) error {
	packet := astiav.AllocPacket()
	defer packet.Free()
	for {
		err := in.readPacket(ctx, packet)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		over := false
		for n, m := range meters {
			if packet.StreamIndex() != m.decoder.stream.Index() {
				continue
			}
			over = n == 0 && packet.Pts() != noPTS && toDuration(packet.Pts(), m.decoder.stream.TimeBase()) >= until
			if !over {
				err = m.decoder.decode(packet, m.decoded)
			}
		}
		packet.Unref()
		if err != nil || over {
			return err
		}
	}
}

// meter decodes a track, brings it to stereo as the encoder gets it, and measures.
type meter struct {
	decoder *decoder
	convert *graph
	shape   string
	scan    *graph
	sent    int64
	peak    float32
	lufs    float64
}

func newMeter(s *astiav.Stream) (*meter, error) {
	d, err := newDecoder(s)
	if err != nil {
		return nil, err
	}
	m := &meter{decoder: d, lufs: silence}
	m.scan, err = newGraph("a", "[in]ebur128=metadata=1:framelog=verbose[out]", stereo(), []string{"out"})
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// stereo describes what is encoded, to a filter graph.
func stereo() astiav.FilterArgs {
	return astiav.FilterArgs{
		"sample_rate": strconv.Itoa(sampleRate), "sample_fmt": "fltp", "channel_layout": audioChannel,
		"time_base": "1/" + strconv.Itoa(sampleRate),
	}
}

func (m *meter) close() {
	for _, g := range []*graph{m.convert, m.scan} {
		if g != nil {
			g.close()
		}
	}
	m.decoder.close()
}

func (m *meter) decoded(f *astiav.Frame) error {
	if f.SampleRate() <= 0 || f.NbSamples() <= 0 {
		return nil
	}
	layout, err := layoutOf(f)
	if err != nil {
		return err
	}
	base := m.decoder.stream.TimeBase()
	shape := shapeOfSound(f, layout)
	if shape != m.shape {
		if m.convert != nil {
			m.convert.close()
		}
		m.shape = shape
		m.convert, err = newGraph("a", "[in]aresample="+strconv.Itoa(sampleRate)+","+toStereo+"[out]", soundSource(f, layout, base), []string{"out"})
		if err != nil {
			m.convert = nil
			return err
		}
	}
	return m.convert.push(f, m.converted)
}

func (m *meter) converted(_ int, f *astiav.Frame) error {
	m.peak = max(m.peak, peakOf(f))
	f.SetPts(m.sent)
	m.sent += int64(f.NbSamples())
	return m.scan.push(f, m.scanned)
}

func (m *meter) scanned(_ int, f *astiav.Frame) error {
	if value := frameMetadata(f, "lavfi.r128.I"); value != "" {
		if lufs, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && !math.IsNaN(lufs) {
			m.lufs = max(silence, min(lufs, 20))
		}
	}
	return nil
}

func (m *meter) drain() error {
	if err := m.decoder.decode(nil, m.decoded); err != nil {
		return err
	}
	if m.convert != nil {
		if err := m.convert.push(nil, m.converted); err != nil {
			return err
		}
	}
	return m.scan.push(nil, m.scanned)
}
