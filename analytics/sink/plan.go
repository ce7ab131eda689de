package sink

import (
	"cmp"
	"slices"
	"time"

	"github.com/vitascope/vitascope/internal/warehouse"
)

// ReceiptRow says what became of one received beacon.
type ReceiptRow struct {
	Account string    `ch:"account_id"`
	Hour    time.Time `ch:"hour"`
	Receipt uint64    `ch:"receipt"`
	Class   uint8     `ch:"class"`
}

// receipt returns the row of the record. Records from before receipts were named
// are named by where they are in the log.
func (a *arrival) receipt(partition int, repeated bool) ReceiptRow {
	name := a.record.Receipt
	if name == 0 {
		name = uint64(partition)<<48 | uint64(a.offset)
	}
	return ReceiptRow{a.record.Account, utc(a.record.ReceivedAtMS).Truncate(time.Hour), name, uint8(a.record.Class(repeated))}
}

// plan is what a batch writes. It depends on nothing but the batch's records,
// the repeats among them, what earlier batches made of their views and which media
// are busy, none of which changes once the batch is begun, so that building it again
// gives the same rows in the same order.
type plan struct {
	events   []EventRow
	views    []ViewRow
	heat     []HeatRow
	figures  []FigureRow
	uniques  []UniqueRow
	receipts []ReceiptRow
	repeats  int // records dropped
}

// half is the part of a view that came with the marks of a bot, or that which
// did not.
type half struct {
	key ViewKey
	bot bool
}

// build makes rows of the arrivals that are not in known, and adds them to it.
func build(partition int, arrivals []arrival, known map[ViewKey]*memory, busy map[warehouse.Key]bool) plan {
	var p plan
	views := map[half]*ViewRow{}
	for _, a := range arrivals {
		if a.record.Refused != "" {
			p.receipts = append(p.receipts, a.receipt(partition, false))
			continue
		}
		m := known[a.key]
		fresh := m.seqs.add(uint32(a.record.Seq))
		p.receipts = append(p.receipts, a.receipt(partition, !fresh))
		if !fresh {
			p.repeats++
			continue
		}
		if len(a.record.Events) == 0 {
			continue
		}
		h := half{a.key, a.record.Bot}
		view := views[h]
		if view == nil {
			view = newViewRow(a.key, a.record)
			views[h] = view
		}
		view.add(a.record, m.state(a.record.Bot))
		for i := range a.record.Events {
			p.events = append(p.events, EventRow{Key: a.key, Record: a.record, Idx: i, Offset: a.offset})
		}
	}
	c := newChanges(busy)
	for h, v := range views {
		p.views = append(p.views, *v)
		state := known[h.key].state(h.bot)
		before := *state
		*state = before.with(v)
		if !h.bot {
			c.add(v, &before, state)
		}
	}
	slices.SortFunc(p.views, func(a, b ViewRow) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Media, b.Media), slices.Compare(a.View[:], b.View[:]), cmp.Compare(a.Bot, b.Bot))
	})
	p.heat, p.figures, p.uniques = c.heatRows(), c.figureRows(), c.uniqueRows()
	return p
}
