package query

import (
	"context"
	"math"
	"time"
)

// people reads from uniques, where c holds, how many visitors and players there
// were by the Unix second in which each start begins; start is an expression of
// bucket that is a Date, and takes startArgs. grain is the widest of what c asks
// for: months have no bits.
func (s *Service) people(ctx context.Context, start string, startArgs []any, c *clause, grain string, into map[int64][2]uint64) error {
	from := " FROM uniques WHERE " + c.sql.String() + " GROUP BY start"
	args := append(startArgs, c.args...)
	if grain != "month" {
		ok, err := s.countPeople(ctx, "SELECT "+start+" AS start, toUInt64(groupBitmapIfMerge(visitor_bits)), toUInt64(groupBitmapIfMerge(player_bits))"+from, args, fromBits, into)
		if ok || err != nil {
			return err
		}
	}
	_, err := s.countPeople(ctx, "SELECT "+start+" AS start, uniqCombined64Merge(14)(visitors), uniqCombined64IfMerge(14)(players)"+from, args, asIs, into)
	return err
}

// countPeople reads rows of people; ok is false when count could not tell.
func (s *Service) countPeople(ctx context.Context, statement string, args []any, count func(uint64) (uint64, bool), into map[int64][2]uint64) (ok bool, err error) {
	ok = true
	err = s.eachSum(ctx, "visitors", statement, args, func(read func(...any) error) error {
		var start time.Time
		var visitors, players uint64
		if err := read(&start, &visitors, &players); err != nil {
			return err
		}
		visitors, sure := count(visitors)
		players, _ = count(players) // never more of them
		into[start.Unix()], ok = [2]uint64{visitors, players}, ok && sure
		return nil
	})
	return ok, err
}

func asIs(n uint64) (uint64, bool) { return n, true }

// visitorBits is how many bits there are in uniques' visitor_bits and player_bits.
const visitorBits = 1 << 18

// fromBits estimates how many visitors have set so many bits, each a random one of
// them, by linear counting (Whang, Vander-Zanden, Taylor, 1990). The standard error
// is 0.15 % up to a quarter of a million visitors, 0.3 % at a million and 1 % at
// 1.9 million, where ok becomes false.
func fromBits(set uint64) (visitors uint64, ok bool) {
	const most = visitorBits * 9993 / 10000
	if set > most {
		return set, false
	}
	return uint64(math.Round(-visitorBits * math.Log1p(-float64(set)/visitorBits))), true
}
