package sink

import (
	"fmt"

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

// haul is what was read for a batch, in the order of the log.
type haul struct {
	arrivals []arrival
	bad      []poison
	records  int   // both
	last     int64 // offset of the last one
	bytes    int   // of the records
	rowBytes int   // about what their rows take
}

// take decodes a message and adds it.
func (h *haul) take(m eventlog.Message) {
	h.records, h.last, h.bytes = h.records+1, m.Offset, h.bytes+len(m.Value)
	r, err := beacon.DecodeRecord(m.Value)
	var view uuid.UUID
	if err == nil && r.Refused == "" {
		if view, err = uuid.Parse(r.View); err != nil {
			err = fmt.Errorf("%w: view is not a UUID", beacon.ErrRecord)
		}
	}
	if err != nil {
		h.bad = append(h.bad, poison{message: m, err: err})
		h.rowBytes += len(m.Value)
		return
	}
	h.arrivals = append(h.arrivals, arrival{key: ViewKey{r.Account, r.Media, view}, offset: m.Offset, record: r})
	h.rowBytes += rowBytes(r)
}

// full reports whether the batch takes no more.
func (h *haul) full(cfg *Config) bool {
	return h.records >= cfg.BatchRecords || h.bytes >= cfg.BatchBytes || h.rowBytes >= cfg.BatchRowBytes
}

// usualRow is about what a row takes beside its texts, as columns and on its way there.
const usualRow = 256

// rowBytes is about what the rows of a record take. What its page is called is said
// once and stands in the row of every event, as it came and without its query; so a
// body of 12 KiB may come to a hundred times that.
func rowBytes(r *beacon.Record) int {
	each, n := usualRow+len(r.Visitor)+len(r.Identity), usualRow
	if p := r.Page; p != nil {
		each += 2 * (len(p.URL) + len(p.Referrer))
		n += len(p.UTMSource) + len(p.UTMMedium) + len(p.UTMCampaign) + len(p.UTMTerm) + len(p.UTMContent)
	}
	for i := range r.Events {
		e := &r.Events[i]
		n += each + len(e.Message) + len(e.ID) + len(e.Content) + len(e.Code)
	}
	return n
}
