package query

import (
	"context"
	"time"
	_ "time/tzdata" // zones must not depend on the machine

	"github.com/vitascope/vitascope/internal/fault"
)

// maxBuckets bounds a trend.
const maxBuckets = 2200

// TrendPoint are the figures of one bucket.
type TrendPoint struct {
	Start      time.Time `json:"start" doc:"Beginning of the bucket, with the zone's offset then."`
	Unfinished bool      `json:"unfinished" doc:"The bucket ends in the future: it may yet grow."`
	Totals
}

// Trend is how figures went over time.
type Trend struct {
	Interval    string            `json:"interval"`
	TimeZone    string            `json:"time_zone"`
	Items       []TrendPoint      `json:"items" doc:"One for each bucket from the first to the last, empty ones included. The first and the last hold only what lies in the range."`
	Definitions map[string]string `json:"definitions" doc:"The formula of each figure."`
}

// Span says how a trend is cut.
type Span struct {
	Interval string `query:"interval" enum:"hour,day,week,month" default:"day" doc:"Length of a bucket. Weeks begin on Monday."`
	TimeZone string `query:"tz" maxLength:"64" default:"UTC" doc:"IANA time zone whose hours, days, weeks and months are meant, such as Europe/Berlin."`
}

// Trend returns the figures of each bucket; media is "" for the whole account.
// Without a range it is the last 48 hours, 30 days, 26 weeks or 12 months.
func (s *Service) Trend(ctx context.Context, account, media string, span Span, f Filter) (*Trend, error) {
	if err := s.mediaIfAny(ctx, account, media, &f); err != nil {
		return nil, err
	}
	points, err := s.trend(ctx, account, media, span, f)
	if err != nil {
		return nil, err
	}
	return &Trend{Interval: span.Interval, TimeZone: span.TimeZone, Items: points, Definitions: definitions(totalsNames...)}, nil
}

func (s *Service) trend(ctx context.Context, account, media string, span Span, f Filter) ([]TrendPoint, error) {
	edges, err := span.edges(&f, s.now())
	if err != nil {
		return nil, err
	}
	b := bucketsFrom(edges)
	if err := s.fillBuckets(ctx, account, media, f, b); err != nil {
		return nil, err
	}
	return span.points(b, edges, s.now()), nil
}

// buckets are the rows of a trend, by the Unix second each begins at.
type buckets struct {
	starts []int64
	at     map[int64]int
	rows   []totalsRow
}

func bucketsFrom(edges []time.Time) *buckets {
	b := &buckets{at: make(map[int64]int, len(edges)), starts: make([]int64, len(edges)), rows: make([]totalsRow, len(edges))}
	for i, edge := range edges {
		b.starts[i] = edge.Unix()
		b.at[b.starts[i]] = i
	}
	return b
}

// points returns the rows of b, whose buckets begin at edges.
func (p Span) points(b *buckets, edges []time.Time, now time.Time) []TrendPoint {
	points := make([]TrendPoint, len(edges))
	for i, start := range edges {
		points[i] = TrendPoint{Start: start, Unfinished: p.next(start).After(now), Totals: b.rows[i].totals()}
	}
	return points
}

// drawBuckets counts views.
func (s *Service) drawBuckets(ctx context.Context, account, media string, f Filter, b *buckets) error {
	where := f.where(account, media)
	statement := names + "SELECT toInt64(roundDown(toUnixTimestamp(opened_at), ?)) AS bucket," + totalsColumns + " FROM views FINAL WHERE " + where.sql.String() + " GROUP BY bucket"
	return s.each(ctx, "trend", statement, append([]any{b.starts}, where.args...), func(read func(...any) error) error {
		var bucket int64
		var row totalsRow
		if err := read(append([]any{&bucket}, row.targets()...)...); err != nil {
			return err
		}
		b.rows[b.at[bucket]] = row
		return nil
	})
}

// edges returns the beginnings of the buckets of f's range, which it completes.
func (p Span) edges(f *Filter, now time.Time) ([]time.Time, error) {
	zone, err := time.LoadLocation(p.TimeZone)
	if err != nil || p.TimeZone == "Local" {
		return nil, fault.New(fault.Invalid, "unknown-time-zone", "“%s” is not an IANA time zone.", p.TimeZone)
	}
	if f.To.IsZero() {
		f.To = now
	}
	if f.From.IsZero() {
		f.From = p.align(p.before(f.To.In(zone)))
	}
	if !f.From.Before(f.To) {
		return nil, fault.New(fault.Invalid, "wrong-range", "“from” must be before “to”.")
	}
	var edges []time.Time
	for t := p.align(f.From.In(zone)); t.Before(f.To); t = p.next(t) {
		if edges = append(edges, t); len(edges) > maxBuckets {
			return nil, fault.New(fault.Invalid, "too-many-buckets", "The range has more than %d of that interval. Ask for a longer interval or a shorter range.", maxBuckets)
		}
	}
	return edges, nil
}

// before is where a trend that ends at t begins when nobody says.
func (p Span) before(t time.Time) time.Time {
	switch p.Interval {
	case "hour":
		return t.Add(-47 * time.Hour)
	case "week":
		return t.AddDate(0, 0, -25*7)
	case "month":
		return t.AddDate(0, -11, 1-t.Day())
	}
	return t.AddDate(0, 0, -29)
}

// align returns the beginning of the bucket that holds t, in t's zone.
func (p Span) align(t time.Time) time.Time {
	year, month, day := t.Date()
	switch p.Interval {
	case "hour":
		return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()))
	case "week":
		day -= (int(t.Weekday()) + 6) % 7
	case "month":
		day = 1
	}
	return time.Date(year, month, day, 0, 0, 0, 0, t.Location())
}

// next returns the beginning of the bucket after the one that begins at t.
func (p Span) next(t time.Time) time.Time {
	switch p.Interval {
	case "hour":
		return p.align(t.Add(time.Hour)) // shorter where a zone moves by half an hour
	case "week":
		return t.AddDate(0, 0, 7)
	case "month":
		return t.AddDate(0, 1, 0)
	}
	return t.AddDate(0, 0, 1)
}
