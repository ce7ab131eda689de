package transcode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/transcode/child"
)

// maxPreviewInput bounds what is read of a rung for a preview: 4 s of the smallest one
// lie in two segments of at most some 800 kB.
const maxPreviewInput = 16 << 20

// memory is bytes as a [child.Input].
type memory []byte

// Size is the number of bytes.
func (m memory) Size() int64 { return int64(len(m)) }

// ReadAt reads as bytes.Reader does.
func (m memory) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return bytes.NewReader(m).ReadAt(p, off)
}

// madeOf is the time from on, for length, of the smallest rung that is no smaller than
// a preview: its init segment and the segments in question, and how far into them from
// is. It is small, upright, progressive and of plain colors already: a preview of it
// costs a part of one of the source. The input is nil when the ladder is not that far.
func (s *Service) madeOf(ctx context.Context, m catalog.Media, from, length time.Duration) (in child.Input, into time.Duration, err error) {
	plan, err := s.plan(ctx, m)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	part, rung := plan.smallest(previewWidth)
	if part == nil {
		return nil, 0, nil
	}
	rows, err := s.db.Chunks(ctx, m.ID, m.Generation, part.Name)
	if err != nil {
		return nil, 0, err
	}
	made, err := join(part, rows)
	if err != nil {
		return nil, 0, err
	}
	o := made[rung]
	keys, into := o.covering(from, length)
	if keys == nil {
		return nil, 0, nil
	}
	var all bytes.Buffer
	for _, key := range keys {
		r, info, err := s.store.Get(ctx, key)
		if err != nil {
			return nil, 0, err
		}
		if int64(all.Len())+info.Size > maxPreviewInput {
			return nil, 0, r.Close()
		}
		_, err = io.Copy(&all, r)
		if err = errors.Join(err, r.Close()); err != nil {
			return nil, 0, fmt.Errorf("read %s: %w", key, err)
		}
	}
	return memory(all.Bytes()), into, nil
}

// smallest is the smallest H.264 rung of at least so many pixels on its longer side,
// and the part that makes it.
func (p *Plan) smallest(side int) (part *Part, name string) {
	least := 0
	for i := range p.Parts {
		for _, r := range p.Parts[i].Spec.Rungs {
			if size := max(r.Width, r.Height); r.Codec == child.CodecH264 && size >= side && (part == nil || size < least) {
				part, name, least = &p.Parts[i], r.Name, size
			}
		}
	}
	return part, name
}

// covering names the objects that hold a rendition from a time on, for a length: init
// segment and media segments; nil while one is missing. into is how far into the first
// segment from is.
func (o *output) covering(from, length time.Duration) (keys []string, into time.Duration) {
	start := time.Duration(0)
	for _, s := range o.segments {
		end := start + time.Duration(o.seconds(s)*float64(time.Second))
		if end > from {
			if keys == nil {
				keys, into = []string{o.folder + "init.mp4"}, max(0, from-start)
			}
			keys = append(keys, s.folder+strconv.Itoa(s.n)+".m4s")
		}
		if start = end; start >= from+length {
			return keys, into
		}
	}
	if o.complete {
		return keys, into // the media ends here
	}
	return nil, 0
}
