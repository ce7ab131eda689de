package sink

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/eventlog"
)

// arrival is a record that could be read, with where it was.
type arrival struct {
	key    ViewKey
	offset int64
	record *beacon.Record
}

// poison is a record that could not.
type poison struct {
	message eventlog.Message
	err     error
}

// read decodes messages in the order of the log.
func read(messages []eventlog.Message) (arrivals []arrival, bad []poison) {
	for _, m := range messages {
		r, err := beacon.DecodeRecord(m.Value)
		var view uuid.UUID
		if err == nil {
			if view, err = uuid.Parse(r.View); err != nil {
				err = fmt.Errorf("%w: view is not a UUID", beacon.ErrRecord)
			}
		}
		if err != nil {
			bad = append(bad, poison{message: m, err: err})
			continue
		}
		arrivals = append(arrivals, arrival{key: ViewKey{r.Account, r.Media, view}, offset: m.Offset, record: r})
	}
	return arrivals, bad
}

// plan is what a batch writes. It depends on nothing but the batch's records and
// the repeats among them, so that building it again gives the same rows in the
// same order.
type plan struct {
	events  []EventRow
	views   []ViewRow
	heat    []HeatRow
	repeats int // records dropped
}

type heatKey struct {
	account, media, kind string
	cell                 uint32
}

// build makes rows of the arrivals for which fresh returns true. It is asked
// once for each, in order.
func build(arrivals []arrival, fresh func(ViewKey, uint32) bool) plan {
	var p plan
	views := map[ViewKey]*ViewRow{}
	heat := map[heatKey]int64{}
	for _, a := range arrivals {
		if !fresh(a.key, uint32(a.record.Seq)) {
			p.repeats++
			continue
		}
		if len(a.record.Events) == 0 {
			continue
		}
		view := views[a.key]
		if view == nil {
			view = &ViewRow{Key: a.key, Record: a.record, StartedAt: utc(a.record.Events[0].AtMS)}
			views[a.key] = view
		}
		view.add(a.record)
		for i := range a.record.Events {
			p.events = append(p.events, EventRow{Key: a.key, Record: a.record, Idx: i, Offset: a.offset})
		}
		if !a.record.Bot {
			addHeat(heat, a.record)
		}
	}
	for _, v := range views {
		p.views = append(p.views, *v)
	}
	slices.SortFunc(p.views, func(a, b ViewRow) int {
		return cmp.Or(cmp.Compare(a.Key.Account, b.Key.Account), cmp.Compare(a.Key.Media, b.Key.Media), slices.Compare(a.Key.View[:], b.Key.View[:]))
	})
	for k, delta := range heat {
		if delta != 0 {
			p.heat = append(p.heat, HeatRow{k.account, k.media, k.kind, k.cell, delta})
		}
	}
	slices.SortFunc(p.heat, func(a, b HeatRow) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Media, b.Media), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Cell, b.Cell))
	})
	return p
}

func addHeat(heat map[heatKey]int64, r *beacon.Record) {
	for i := range r.Events {
		e := &r.Events[i]
		if e.Kind != beacon.KindWatch {
			continue
		}
		lo, hi := beacon.Cells(beacon.Span{From: e.FromMS, To: e.ToMS}, r.DurationMS)
		if lo == hi {
			continue
		}
		kind := HeatFirst
		if e.Repeat {
			kind = HeatRepeat
		}
		heat[heatKey{r.Account, r.Media, kind, uint32(lo)}]++
		heat[heatKey{r.Account, r.Media, kind, uint32(hi)}]--
	}
}

// add counts one record into the row.
func (v *ViewRow) add(r *beacon.Record) {
	v.Batches++
	if r.Page != nil {
		v.Page = *r.Page
	}
	for i := range r.Events {
		e := &r.Events[i]
		at := utc(e.AtMS)
		if at.Before(v.StartedAt) {
			v.StartedAt = at
		}
		if at.After(v.LastSeenAt) {
			v.LastSeenAt = at
		}
		switch e.Kind {
		case beacon.KindLoad:
			v.Loads++
		case beacon.KindPlay:
			v.Plays++
			if e.Autoplay {
				v.Autoplays++
			}
		case beacon.KindPause:
			v.Pauses++
		case beacon.KindSeek:
			v.Seeks++
		case beacon.KindEnd:
			v.Ends++
		case beacon.KindWatch:
			if e.Repeat {
				v.RewatchedMS += uint64(e.ToMS - e.FromMS)
			} else {
				v.WatchedMS += uint64(e.ToMS - e.FromMS)
			}
			v.MaxWatchedToMS = max(v.MaxWatchedToMS, uint32(e.ToMS))
		case beacon.KindStartup:
			v.Startups++
			v.StartupMS += uint64(e.TookMS)
		case beacon.KindRebuffer:
			v.Rebuffers++
			v.RebufferMS += uint64(e.TookMS)
		case beacon.KindError:
			v.Errors++
			if e.Fatal {
				v.FatalErrors++
			}
		}
	}
}
