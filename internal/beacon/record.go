package beacon

import (
	"errors"
	"fmt"

	"github.com/mailru/easyjson"
	"github.com/mailru/easyjson/jwriter"
)

// Record is what the event log carries for one body that was answered for good.
// When it was accepted that is the batch, checked, clamped, enriched; its key in
// the log is the view, so that repeats of a batch meet in one partition. When
// Refused is set it is a receipt only: account and media are those of the view
// token if that could be verified, else empty. It holds no address of the viewer.
//
//easyjson:json
type Record struct {
	V            int     `json:"v"`
	Account      string  `json:"account,intern"`
	Media        string  `json:"media,intern"`
	View         string  `json:"view"`
	Seq          int64   `json:"seq"`
	ReceivedAtMS int64   `json:"received_at_ms"`
	Receipt      uint64  `json:"rid,omitempty"`       // names this receipt; 0 from before receipts were named
	Visitor      string  `json:"visitor,omitempty"`   // pseudonym of the day; empty when the viewer opted out
	Identity     string  `json:"identity,omitempty"`  // who the viewer is, as the embedding site signed it
	OptedOut     bool    `json:"opted_out,omitempty"` // Sec-GPC or DNT: neither visitor nor identity is kept
	Leaving      bool    `json:"leaving,omitempty"`   // see [Batch]
	Page         *Page   `json:"page,omitempty"`
	Country      string  `json:"country,omitempty,intern"` // ISO 3166-1 alpha-2
	Device       string  `json:"device,omitempty,intern"`  // desktop, mobile, tablet, tv, bot
	Browser      string  `json:"browser,omitempty,intern"`
	OS           string  `json:"os,omitempty,intern"`
	Bot          bool    `json:"bot,omitempty"`
	BotReason    string  `json:"bot_reason,omitempty"` // why, one of the Bot constants
	Refused      Code    `json:"refused,omitempty"`    // why nothing was taken; then there are no events
	DurationMS   int64   `json:"dur_ms"`
	Events       []Event `json:"events"` // times on the server's clock
}

// Reasons to take a viewer for a bot.
const (
	BotAgent   = "agent"    // the user agent names one
	BotNoAgent = "no_agent" // there is no user agent: browsers send one
)

// ErrRecord is matched by every error of DecodeRecord.
var ErrRecord = errors.New("not a beacon record")

// EncodeRecord returns r as the event log stores it.
func EncodeRecord(r *Record) ([]byte, error) { return AppendRecord(nil, r) }

// AppendRecord appends it to b.
func AppendRecord(b []byte, r *Record) ([]byte, error) {
	if longer, ok := appendQuick(b, r); ok {
		return longer, nil
	}
	var w jwriter.Writer
	r.MarshalEasyJSON(&w)
	value, err := w.BuildBytes()
	if err != nil {
		return nil, fmt.Errorf("encode beacon record: %w", err)
	}
	return append(b, value...), nil
}

// DecodeRecord reads what EncodeRecord wrote. What others may have put into
// the topic is refused with an error that matches [ErrRecord].
func DecodeRecord(value []byte) (*Record, error) {
	var r Record
	if q := (quick{data: value}); !q.record(&r) {
		r = Record{}
		if err := easyjson.Unmarshal(value, &r); err != nil {
			return nil, fmt.Errorf("%w: %v", ErrRecord, err)
		}
	}
	switch {
	case r.V != Version:
		return nil, fmt.Errorf("%w: version %d", ErrRecord, r.V)
	case badTime(r.ReceivedAtMS):
		return nil, fmt.Errorf("%w: received_at_ms %d", ErrRecord, r.ReceivedAtMS)
	case r.Refused != "":
		if len(r.Events) > 0 || r.Receipt == 0 {
			return nil, fmt.Errorf("%w: a refusal has a receipt and no events", ErrRecord)
		}
		return &r, nil
	case r.Account == "" || r.Media == "" || r.View == "":
		return nil, fmt.Errorf("%w: account, media or view is missing", ErrRecord)
	case r.Seq < 0 || r.Seq > MaxSeq:
		return nil, fmt.Errorf("%w: seq %d", ErrRecord, r.Seq)
	case r.DurationMS <= 0 || r.DurationMS > MaxMediaMS:
		return nil, fmt.Errorf("%w: duration %d ms", ErrRecord, r.DurationMS)
	case len(r.Events) > MaxEvents:
		return nil, fmt.Errorf("%w: %d events", ErrRecord, len(r.Events))
	}
	for i := range r.Events {
		e := &r.Events[i]
		if err := e.check(i); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRecord, err)
		}
		if e.PosMS > r.DurationMS || e.FromMS > r.DurationMS || e.ToMS > r.DurationMS {
			return nil, fmt.Errorf("%w: event %d is past the end of the media", ErrRecord, i)
		}
	}
	return &r, nil
}
