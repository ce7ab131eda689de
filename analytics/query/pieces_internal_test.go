package query

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSumsOfABusyMediaComeToTheWholeDaysOfARange(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 5))
	now := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	first := now.AddDate(0, -7, 0).Truncate(24 * time.Hour)
	holds := func(list []span, day time.Time) (n int) {
		for _, s := range list {
			if !day.Before(s.from) && (s.to.IsZero() || day.Before(s.to)) {
				n++
			}
		}
		return n
	}
	moment := func() time.Time {
		at := now.Add(-time.Duration(rnd.Int64N(int64(200 * 24 * time.Hour))))
		switch rnd.IntN(5) {
		case 0:
			return time.Time{}
		case 1:
			return monthOf(at)
		case 2, 3:
			return dayOf(at)
		}
		return at
	}
	for range 20_000 {
		from, to := moment(), moment()
		if !to.IsZero() && !from.Before(to) || from.IsZero() && to.IsZero() {
			continue
		}
		c := piecesOf(from, to, now)
		got := c.busySums(now)
		require.LessOrEqual(t, daysOf(got.more)+daysOf(got.less), daysOf(c.days), "%s to %s", from, to)
		for day := first; day.Before(now); day = nextDay(day) {
			want := 0
			if !day.Before(from) && (to.IsZero() || !nextDay(day).After(to)) {
				want = 1
			}
			require.Equal(t, want, holds(got.months, day)+holds(got.more, day)-holds(got.less, day), "%s of %s to %s", day, from, to)
		}
	}
}

func TestThirtyDaysToTheLastMidnightTakeAMonthAndFewDays(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	day := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 0, 0, 0, 0, time.UTC) }
	c := piecesOf(day(10, 29), day(11, 28), now)
	require.Equal(t, sums{
		months: []span{{day(11, 1), day(12, 1)}},
		more:   []span{{day(10, 29), day(11, 1)}},
		less:   []span{{day(11, 28), day(12, 1)}},
	}, c.busySums(now))
}
