package query

import (
	"context"
	"time"

	"github.com/vitascope/vitascope/internal/beacon"
)

// Counts are what became of received beacons: received is the sum of the others.
type Counts struct {
	Received  uint64 `json:"received"`
	Accepted  uint64 `json:"accepted" doc:"In the figures, with a visitor."`
	OptedOut  uint64 `json:"opted_out" doc:"In the figures, without a visitor."`
	Bot       uint64 `json:"bot" doc:"Kept and marked, in no figure."`
	Duplicate uint64 `json:"duplicate" doc:"Received before."`
	Late      uint64 `json:"late" doc:"Refused: the view token had expired."`
	Invalid   uint64 `json:"invalid" doc:"Refused: malformed, or with a token that is not ours."`
}

func (c *Counts) add(class beacon.Class, n uint64) {
	c.Received += n
	switch class {
	case beacon.ClassAccepted:
		c.Accepted += n
	case beacon.ClassOptedOut:
		c.OptedOut += n
	case beacon.ClassBot:
		c.Bot += n
	case beacon.ClassDuplicate:
		c.Duplicate += n
	case beacon.ClassLate:
		c.Late += n
	case beacon.ClassInvalid:
		c.Invalid += n
	}
}

// LedgerHour are the counts of one hour.
type LedgerHour struct {
	Start time.Time `json:"start"`
	Counts
}

// Ledger says what became of every beacon received.
type Ledger struct {
	Total       Counts            `json:"total"`
	Items       []LedgerHour      `json:"items" doc:"Hours in which beacons were received, oldest first."`
	Definitions map[string]string `json:"definitions" doc:"The formula of each figure."`
}

// Range is a range of time.
type Range struct {
	From time.Time `query:"from" doc:"By default 48 hours before “to”."`
	To   time.Time `query:"to" doc:"By default now."`
}

// Ledger returns the account's counts by the hour in which beacons were received.
// Beacons whose token could not be verified belong to no account; they are under
// the account "".
func (s *Service) Ledger(ctx context.Context, account string, r Range) (*Ledger, error) {
	f := Filter{From: r.From, To: r.To}
	if f.To.IsZero() {
		f.To = s.now()
	}
	if f.From.IsZero() {
		f.From = f.To.Add(-48 * time.Hour)
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	out := &Ledger{Items: []LedgerHour{}, Definitions: definitions("received", "accepted", "opted_out", "bot", "duplicate", "late", "invalid")}
	statement := `SELECT toInt64(toUnixTimestamp(hour)) AS start, class, count() FROM receipts FINAL
		WHERE account_id = ? AND hour >= fromUnixTimestamp(?) AND hour < fromUnixTimestamp(?) GROUP BY start, class ORDER BY start, class`
	args := []any{account, f.From.Truncate(time.Hour).Unix(), f.To.Unix()}
	err := s.each(ctx, "ledger", statement, args, func(read func(...any) error) error {
		var start int64
		var class uint8
		var n uint64
		if err := read(&start, &class, &n); err != nil {
			return err
		}
		hour := time.Unix(start, 0).UTC()
		if last := len(out.Items) - 1; last < 0 || !out.Items[last].Start.Equal(hour) {
			out.Items = append(out.Items, LedgerHour{Start: hour})
		}
		out.Items[len(out.Items)-1].add(beacon.Class(class), n)
		out.Total.add(beacon.Class(class), n)
		return nil
	})
	return out, err
}
