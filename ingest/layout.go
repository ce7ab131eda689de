package ingest

import "github.com/vitascope/vitascope/internal/blob"

// layout cuts a file of size bytes at fixed offsets into parts of part bytes.
type layout struct{ size, part int64 }

// newLayout uses preferred-sized parts, or the smallest whole number of MiB with
// which the file fits into maxParts.
func newLayout(size, preferred int64) layout {
	part := preferred
	if least := (size + maxParts - 1) / maxParts; least > part {
		const mib = 1 << 20
		part = (least + mib - 1) / mib * mib
	}
	return layout{size: size, part: part}
}

// count is the number of parts.
func (l layout) count() int { return int((l.size + l.part - 1) / l.part) }

// number is the part, from 1, that holds the byte at offset.
func (l layout) number(offset int64) int { return int(offset/l.part) + 1 }

// bounds returns the bytes [from, to) of a part.
func (l layout) bounds(number int) (from, to int64) {
	from = int64(number-1) * l.part
	return from, min(from+l.part, l.size)
}

// end is where the part that holds the byte at offset ends.
func (l layout) end(offset int64) int64 {
	_, to := l.bounds(l.number(offset))
	return to
}

// whole returns the leading parts that are stored in full, without a gap.
func (l layout) whole(parts []blob.Part) []blob.Part {
	byNumber := make(map[int]blob.Part, len(parts))
	for _, p := range parts {
		byNumber[p.Number] = p
	}
	var lead []blob.Part
	for n := 1; n <= l.count(); n++ {
		p, ok := byNumber[n]
		if from, to := l.bounds(n); !ok || p.Size != to-from {
			break
		}
		lead = append(lead, p)
	}
	return lead
}
