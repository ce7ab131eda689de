package av

import (
	"io"
	"slices"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/vitascope/vitascope/internal/captions"
	"github.com/vitascope/vitascope/transcode/child"
)

// describeTexts adds subtitle tracks and chapters to what a probe found.
func (in *input) describeTexts(result *child.ProbeResult) {
	for _, s := range in.texts {
		d := dispositionOf(s)
		result.Texts = append(result.Texts, child.TextStream{
			Codec: s.CodecParameters().CodecID().Name(), Language: languageOf(s), Title: metadataOf(s, "title", maxTitle),
			Default: d.isDefault(), Forced: d.isForced(), Captions: d.captions(),
		})
	}
	start := in.start()
	for _, c := range chaptersOf(in.format, child.MaxChapters) {
		if ms := (c.start - start).Milliseconds(); ms < result.DurationMS {
			result.Chapters = append(result.Chapters, child.Chapter{StartMS: max(0, ms), Title: c.title})
		}
	}
	slices.SortStableFunc(result.Chapters, func(a, b child.Chapter) int { return int(a.StartMS - b.StartMS) })
}

// textTrack collects the packets of one subtitle track, which are text already:
// no decoder sees them.
type textTrack struct {
	spec    child.TextSpec
	stream  *astiav.Stream
	builder *captions.Builder
	// last is a packet that did not tell for how long it is shown: until the next.
	last   []byte
	lastAt time.Duration
}

// longestCue is for how long a cue without an end is shown at most.
const longestCue = 8 * time.Second

func newTextTrack(in *input, spec child.TextSpec) *textTrack {
	s := in.texts[spec.Track]
	return &textTrack{spec: spec, stream: s, builder: captions.NewBuilder(s.CodecParameters().CodecID().Name())}
}

func (t *textTrack) packet(p *astiav.Packet, start time.Duration) {
	if p.Pts() == noPTS {
		return
	}
	from := toDuration(p.Pts(), t.stream.TimeBase()) - start
	t.end(from)
	length := toDuration(p.Duration(), t.stream.TimeBase())
	if length <= 0 {
		t.last, t.lastAt = append([]byte(nil), p.Data()...), from
		return
	}
	t.builder.Add(p.Data(), max(0, from), from+length)
}

// end shows the packet before until the next one comes.
func (t *textTrack) end(next time.Duration) {
	if t.last != nil {
		t.builder.Add(t.last, max(0, t.lastAt), min(next, t.lastAt+longestCue))
		t.last = nil
	}
}

func (t *textTrack) finish(s *child.Session) error {
	t.end(t.lastAt + longestCue)
	track, err := t.builder.Track()
	if err != nil {
		return nil // no text in it, or none that can be read: the media plays without
	}
	name := t.spec.Name + ".vtt"
	if _, err := write(name, func(w io.Writer) error {
		_, err := w.Write(track.VTT())
		return err
	}); err != nil {
		return err
	}
	return s.Emit(child.Event{Text: &child.Text{Name: t.spec.Name, File: name}})
}
