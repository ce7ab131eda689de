package transcode

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/transcode/child"
)

// outputs is what a chunk's row in the catalog says about what was made.
type outputs struct {
	Renditions map[string]*madeSegments `json:"renditions"`
	Images     map[string]child.Image   `json:"images,omitempty"`
	DurationMS int64                    `json:"duration_ms,omitempty"`
	Damaged    int                      `json:"damaged,omitempty"`
}

// madeSegments are those of one rendition in one chunk.
type madeSegments struct {
	Codecs    string `json:"codecs"`
	Timescale int    `json:"timescale"`
	Digest    string `json:"init_sha256"`
	First     int    `json:"first"` // number of the first segment
	// Segments are duration, in the timescale, and size in bytes.
	Segments [][2]int64 `json:"segments"`
	// Iframes are the keyframes of each segment.
	Iframes [][]child.Iframe `json:"iframes,omitempty"`
}

// output is a rendition put together from chunks: what its playlist is made of.
type output struct {
	codecs    string
	timescale int
	digest    string
	folder    string // of the init segment
	segments  []segment
	complete  bool
}

// segment is one media segment of a rendition.
type segment struct {
	n        int
	duration int64 // in the rendition's timescale
	bytes    int64
	folder   string // object folder, with trailing slash
	iframes  []child.Iframe
}

// join puts together what has been made of a part, up to the first chunk that is
// missing. Chunks must fit: the same init segments, no segment missing between them.
func join(part *Part, rows []catalog.Chunk) (map[string]*output, error) {
	made := map[string]*output{}
	names := make([]string, 0, len(part.Spec.Rungs)+len(part.Spec.Audio))
	for _, r := range part.Spec.Rungs {
		names = append(names, r.Name)
	}
	for _, a := range part.Spec.Audio {
		names = append(names, a.Name)
	}
	for _, name := range names {
		made[name] = &output{}
	}
	complete := true
	for i := range part.Chunks {
		if i >= len(rows) || rows[i].Chunk != i {
			complete = false
			break
		}
		var found outputs
		if err := json.Unmarshal([]byte(rows[i].Outputs), &found); err != nil {
			return nil, fmt.Errorf("read chunk %d of %s: %w", i, part.Name, err)
		}
		for _, name := range names {
			if s := found.Renditions[name]; s != nil {
				if err := made[name].add(s, rows[i].OutputPrefix+name+"/"); err != nil {
					return nil, fmt.Errorf("chunk %d of %s: %s: %w", i, part.Name, name, err)
				}
			}
		}
		if !rows[i].Done {
			complete = false
			break
		}
	}
	for _, o := range made {
		o.complete = complete
	}
	return made, nil
}

func (o *output) add(s *madeSegments, folder string) error {
	if o.folder == "" {
		o.codecs, o.timescale, o.digest, o.folder = s.Codecs, s.Timescale, s.Digest, folder
	}
	if s.Digest != o.digest || s.Codecs != o.codecs || s.Timescale != o.timescale {
		return fmt.Errorf("init segment %.12s (%s, %d) differs from that of the first chunk, %.12s (%s, %d)",
			s.Digest, s.Codecs, s.Timescale, o.digest, o.codecs, o.timescale)
	}
	if len(s.Segments) > 0 && s.First != len(o.segments) {
		return fmt.Errorf("segment %d follows %d segments", s.First, len(o.segments))
	}
	for i, d := range s.Segments {
		made := segment{n: s.First + i, duration: d[0], bytes: d[1], folder: folder}
		if i < len(s.Iframes) {
			made.iframes = s.Iframes[i]
		}
		o.segments = append(o.segments, made)
	}
	return nil
}

func (o *output) seconds(s segment) float64 { return float64(s.duration) / float64(o.timescale) }

// length is the duration of all segments.
func (o *output) length() time.Duration {
	ticks := int64(0)
	for _, s := range o.segments {
		ticks += s.duration
	}
	if ticks == 0 {
		return 0
	}
	return time.Duration(float64(ticks) / float64(o.timescale) * float64(time.Second))
}

// rates are a rendition's peak segment rate and its average, in bits per second. The
// peak is that of the run of segments with the largest, among those that last between
// a half and one and a half of the target duration (RFC 8216bis, 4.4.6.2).
func (o *output) rates() (peak, average int) {
	bits, seconds := 0.0, 0.0
	for i, s := range o.segments {
		bits += float64(s.bytes) * 8
		seconds += o.seconds(s)
		runBits, run := 0.0, 0.0
		for _, next := range o.segments[i:] {
			runBits += float64(next.bytes) * 8
			if run += o.seconds(next); run > 1.5*targetDuration {
				break
			}
			if run >= 0.5*targetDuration {
				peak = max(peak, int(math.Ceil(runBits/run)))
			}
		}
	}
	if seconds > 0 {
		average = int(math.Ceil(bits / seconds))
	}
	return max(peak, average), average
}
