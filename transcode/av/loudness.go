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

// What is done to a track's level, in dB.
const (
	// quietest is below what anyone would want to hear: noise is not made loud.
	quietest = -55
	// largestGain bounds what is added, gainWorth is the least that is worth it.
	largestGain = 20
	gainWorth   = 0.3
	// ceilingDB is the largest sample without a limiter, in dB of full scale.
	ceilingDB = -1.5
)

// level is what is done to a track before it is encoded.
type level struct {
	gainDB float64
	limit  bool // its peaks, to ceilingDB
}

// levels are what brings the tracks that are to be encoded to the same loudness, by
// their numbers. Sound that cannot be measured keeps its level, and left says why: if
// there is something wrong with it, encoding will tell. The input is opened for it
// alone, so that encoding begins at the beginning of any format; that is a matter of
// milliseconds.
func levels(ctx context.Context, s *child.Session) (found map[int]level, left string, err error) {
	spec := s.Job().Encode
	if spec.Loudness == nil || len(spec.Audio) == 0 {
		return nil, "", nil
	}
	in, err := open(ctx, s)
	if err != nil {
		return nil, "", err
	}
	defer in.close()
	found, err = in.levels(ctx, s.Job())
	switch {
	case ctx.Err() != nil:
		return nil, "", context.Cause(ctx)
	case in.broken != nil:
		return nil, "", in.broken
	case err != nil:
		return nil, err.Error(), nil
	}
	return found, "", nil
}

func (in *input) levels(ctx context.Context, job child.Job) (map[int]level, error) {
	spec := job.Encode.Loudness
	var meters []*meter
	var streams []*astiav.Stream
	defer func() {
		for _, m := range meters {
			m.close()
		}
	}()
	for _, a := range job.Encode.Audio {
		if a.Track < 0 || a.Track >= len(in.audio) {
			continue // as in openTracks
		}
		m, err := newMeter(in.audio[a.Track], a.Track)
		if err != nil {
			return nil, err
		}
		meters, streams = append(meters, m), append(streams, m.decoder.stream)
	}
	if len(meters) == 0 {
		return nil, nil
	}
	in.only(streams)
	if err := in.sample(ctx, meters, job.Duration, spec.Most); err != nil {
		return nil, err
	}
	found := map[int]level{}
	for _, m := range meters {
		if err := m.drain(); err != nil {
			return nil, err
		}
		found[m.track] = m.level(spec.TargetLUFS, job.Duration <= spec.Most)
	}
	return found, nil
}

// level is what brings a track to the target, and whether its peaks then need
// limiting, as those may that were not measured.
func (m *meter) level(target float64, whole bool) level {
	if m.lufs < quietest {
		return level{}
	}
	db := math.Round(10*max(-largestGain, min(target-m.lufs, largestGain))) / 10
	if math.Abs(db) < gainWorth {
		return level{}
	}
	peak := 20 * math.Log10(float64(m.peak))
	return level{gainDB: db, limit: peak+db > ceilingDB || db > 0 && !whole}
}

// sample feeds the meters all of the input, or windows of it that last most in sum.
func (in *input) sample(ctx context.Context, meters []*meter, total, most time.Duration) error {
	if total <= most {
		return in.feed(ctx, meters, math.MaxInt64)
	}
	windows := int(max(1, most/measureWindow))
	main := meters[0].decoder.stream
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

// feed reads up to a time of the first meter's track.
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
	track   int
	decoder *decoder
	convert *graph
	shape   string
	scan    *graph
	sent    int64
	peak    float32
	lufs    float64
}

func newMeter(s *astiav.Stream, track int) (*meter, error) {
	d, err := newDecoder(s)
	if err != nil {
		return nil, err
	}
	m := &meter{track: track, decoder: d, lufs: silence}
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
