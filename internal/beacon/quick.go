package beacon

import (
	"bytes"
	"slices"
	"strconv"
	"unsafe"

	"github.com/josharian/intern"
)

// quick reads JSON as players and EncodeRecord write it: objects of known fields, one
// after the other, strings without escapes, whole numbers. It gives up on anything
// else, which is then read by code that knows all of JSON; what it does read, it reads
// as that does.
type quick struct {
	data []byte
	at   int // what comes next
}

// next takes c if it is what comes next.
func (q *quick) next(c byte) bool {
	if q.at < len(q.data) && q.data[q.at] == c {
		q.at++
		return true
	}
	return false
}

// text reads a string. It is valid as long as the data.
func (q *quick) text() ([]byte, bool) {
	if !q.next('"') {
		return nil, false
	}
	for i, c := range q.data[q.at:] {
		if c == '"' {
			text := q.data[q.at : q.at+i]
			q.at += i + 1
			return text, true
		}
		if c == '\\' || c < ' ' {
			break
		}
	}
	return nil, false
}

// whole reads a whole number of at most 18 digits that is not negative.
func (q *quick) whole() (n int64, ok bool) {
	from := q.at
	for q.at < len(q.data) && q.data[q.at]-'0' <= 9 {
		n = n*10 + int64(q.data[q.at]-'0')
		q.at++
	}
	digits := q.at - from
	return n, digits > 0 && digits <= 18 && (digits == 1 || q.data[from] != '0') && q.ended()
}

// ended tells whether what comes next may follow a value in an object.
func (q *quick) ended() bool {
	return q.at < len(q.data) && (q.data[q.at] == ',' || q.data[q.at] == '}')
}

// number reads a number that is not negative and has no exponent.
func (q *quick) number() (float64, bool) {
	from := q.at
	n, ok := q.whole()
	if ok || q.at == from || q.at-from > 1 && q.data[from] == '0' || !q.next('.') {
		return float64(n), ok
	}
	point := q.at
	for q.at < len(q.data) && q.data[q.at]-'0' <= 9 {
		q.at++
	}
	f, err := strconv.ParseFloat(alias(q.data[from:q.at]), 64)
	return f, err == nil && q.at > point && q.ended()
}

func (q *quick) truth() (value, ok bool) {
	word := "false"
	if q.at < len(q.data) && q.data[q.at] == 't' {
		word = "true"
	}
	if len(q.data)-q.at < len(word) || string(q.data[q.at:q.at+len(word)]) != word {
		return false, false
	}
	q.at += len(word)
	return word == "true", q.ended()
}

// object reads an object, whose values are read by field.
func (q *quick) object(field func(name []byte) bool) bool {
	if !q.next('{') {
		return false
	}
	for {
		name, ok := q.text()
		if !ok || !q.next(':') || !field(name) {
			return false
		}
		if !q.next(',') {
			return q.next('}')
		}
	}
}

// events reads the array of events into the memory of into.
func (q *quick) events(into []Event) ([]Event, bool) {
	into = into[:0]
	if !q.next('[') {
		return into, false
	}
	for len(into) <= MaxEvents {
		if into = append(into, Event{}); cap(into) == 1 {
			into = slices.Grow(into, bytes.Count(q.data[q.at:], []byte(`"k":`)))
		}
		if !q.event(&into[len(into)-1]) {
			return into, false
		}
		if !q.next(',') {
			return into, q.next(']')
		}
	}
	return into, false
}

// event reads one event of the kinds that nearly all are of.
func (q *quick) event(e *Event) bool {
	return q.object(func(name []byte) (ok bool) {
		switch string(name) {
		case "k":
			var kind []byte
			kind, ok = q.text()
			e.Kind = commonKind(kind)
			return ok && e.Kind != ""
		case "at_ms":
			e.AtMS, ok = q.whole()
		case "pos_ms":
			e.PosMS, ok = q.whole()
		case "from_ms":
			e.FromMS, ok = q.whole()
		case "to_ms":
			e.ToMS, ok = q.whole()
		case "took_ms":
			e.TookMS, ok = q.whole()
		case "rate":
			e.Rate, ok = q.number()
		case "repeat":
			e.Repeat, ok = q.truth()
		case "autoplay":
			e.Autoplay, ok = q.truth()
		case "muted":
			e.Muted, ok = q.truth()
		case "fullscreen":
			e.Fullscreen, ok = q.truth()
		case "hidden":
			e.Hidden, ok = q.truth()
		}
		return ok
	})
}

// commonKind returns the kind that is written so, if it is one of those that quick
// reads all fields of.
func commonKind(text []byte) Kind {
	switch string(text) {
	case string(KindWatch):
		return KindWatch
	case string(KindPause):
		return KindPause
	case string(KindPlay):
		return KindPlay
	case string(KindSeek):
		return KindSeek
	case string(KindLoad):
		return KindLoad
	case string(KindEnd):
		return KindEnd
	case string(KindStartup):
		return KindStartup
	case string(KindStall):
		return KindStall
	case string(KindRebuffer):
		return KindRebuffer
	case string(KindSeekWait):
		return KindSeekWait
	case string(KindRate):
		return KindRate
	}
	return ""
}

// batch reads a body without a page. The strings of b are valid as long as the data.
func (q *quick) batch(b *Batch) bool {
	listed := false
	return q.object(func(name []byte) (ok bool) {
		var n int64
		var text []byte
		switch string(name) {
		case "v":
			n, ok = q.whole()
			b.V = int(n)
		case "token":
			text, ok = q.text()
			b.Token = alias(text)
		case "viewer":
			text, ok = q.text()
			b.Viewer = alias(text)
		case "leaving":
			b.Leaving, ok = q.truth()
		case "seq":
			b.Seq, ok = q.whole()
		case "sent_at_ms":
			b.SentAtMS, ok = q.whole()
		case "events":
			if listed {
				return false
			}
			listed = true
			b.Events, ok = q.events(b.Events)
		}
		return ok
	}) && q.at == len(q.data)
}

// record reads a record without a page.
func (q *quick) record(r *Record) bool {
	listed := false
	return q.object(func(name []byte) (ok bool) {
		var n int64
		switch string(name) {
		case "v":
			n, ok = q.whole()
			r.V = int(n)
		case "account":
			r.Account, ok = q.shared()
		case "media":
			r.Media, ok = q.shared()
		case "view":
			r.View, ok = q.own()
		case "seq":
			r.Seq, ok = q.whole()
		case "received_at_ms":
			r.ReceivedAtMS, ok = q.whole()
		case "rid":
			r.Receipt, ok = q.receipt()
		case "visitor":
			r.Visitor, ok = q.own()
		case "identity":
			r.Identity, ok = q.own()
		case "opted_out":
			r.OptedOut, ok = q.truth()
		case "leaving":
			r.Leaving, ok = q.truth()
		case "country":
			r.Country, ok = q.shared()
		case "device":
			r.Device, ok = q.shared()
		case "browser":
			r.Browser, ok = q.shared()
		case "os":
			r.OS, ok = q.shared()
		case "bot":
			r.Bot, ok = q.truth()
		case "bot_reason":
			r.BotReason, ok = q.shared()
		case "dur_ms":
			r.DurationMS, ok = q.whole()
		case "events":
			if listed {
				return false
			}
			listed = true
			r.Events, ok = q.events(nil)
		}
		return ok
	}) && q.at == len(q.data)
}

// own reads a string into memory of its own, shared one that many have.
func (q *quick) own() (string, bool) {
	text, ok := q.text()
	return string(text), ok
}

func (q *quick) shared() (string, bool) {
	text, ok := q.text()
	return intern.Bytes(text), ok
}

// receipt reads a number of up to 64 bits.
func (q *quick) receipt() (uint64, bool) {
	from := q.at
	for q.at < len(q.data) && q.data[q.at]-'0' <= 9 {
		q.at++
	}
	n, err := strconv.ParseUint(alias(q.data[from:q.at]), 10, 64)
	return n, err == nil && q.data[from] != '0' && q.ended()
}

// alias returns text as a string without copying it.
func alias(text []byte) string { return unsafe.String(unsafe.SliceData(text), len(text)) }
