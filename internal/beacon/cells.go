package beacon

// Span is a half-open interval of media time, [From, To), in milliseconds.
type Span struct{ From, To int64 }

// MaxLevel is the highest of the six heatmap levels.
const MaxLevel = 5

// MaxCells is how many cells a heatmap or an engagement graph has at most.
const MaxCells = 1000

// Run is a run of equal heatmap cells: level, number of cells. In JSON it is a
// pair.
type Run [2]int

// Seconds returns how many one-second cells a media has: its duration in
// seconds, rounded up.
func Seconds(durationMS int64) int { return int((durationMS + 999) / 1000) }

// Cells returns the seconds whose midpoint s covers, as a half-open range. It
// is empty (lo == hi) when s lies between two midpoints.
func Cells(s Span, durationMS int64) (lo, hi int) {
	n := Seconds(durationMS)
	if n == 0 || s.From >= s.To {
		return 0, 0
	}
	lo, hi = firstAtOrAfter(s.From, durationMS, n), firstAtOrAfter(s.To, durationMS, n)
	return lo, hi
}

// firstAtOrAfter returns the first second whose midpoint is not before ms, or
// n when there is none.
func firstAtOrAfter(ms, durationMS int64, n int) int {
	if ms <= 0 {
		return 0
	}
	i := int((ms + 499) / 1000) // ceil((ms - 500) / 1000)
	if i < n-1 {
		return i
	}
	if midpoint(n-1, durationMS) >= ms {
		return n - 1
	}
	return n
}

// midpoint returns the moment that stands for a second: its middle, or, when
// the media ends before that, the middle of what is left of it.
func midpoint(second int, durationMS int64) int64 {
	start := int64(second) * 1000
	if start+500 < durationMS {
		return start + 500
	}
	return (start + durationMS) / 2
}

// Counts returns, for each second of a media, how many spans cover it. Time
// outside [0, durationMS) is ignored.
func Counts(spans []Span, durationMS int64) []int {
	deltas := make([]int, Seconds(durationMS)+1)
	for _, s := range spans {
		lo, hi := Cells(s, durationMS)
		deltas[lo]++
		deltas[hi]--
	}
	n := 0
	for i := range deltas {
		n += deltas[i]
		deltas[i] = n
	}
	return deltas[:len(deltas)-1]
}

// Scale reduces per-second counts to at most MaxCells cells of equal whole
// seconds; the second in the middle of a cell stands for it.
func Scale(counts []int) (cells []int, cellSeconds int) {
	cellSeconds = max(1, (len(counts)+MaxCells-1)/MaxCells)
	if cellSeconds == 1 {
		return counts, 1
	}
	for at := 0; at < len(counts); at += cellSeconds {
		cells = append(cells, counts[min(at+cellSeconds/2, len(counts)-1)])
	}
	return cells, cellSeconds
}

// Level returns the heatmap level of a cell watched n times.
func Level(n int) int { return min(max(n, 0), MaxLevel) }

// Strip returns the heatmap of one view: the levels of its cells, run-length
// coded in order.
func Strip(counts []int) []Run {
	runs := []Run{}
	for _, n := range counts {
		level := Level(n)
		if last := len(runs) - 1; last >= 0 && runs[last][0] == level {
			runs[last][1]++
			continue
		}
		runs = append(runs, Run{level, 1})
	}
	return runs
}
