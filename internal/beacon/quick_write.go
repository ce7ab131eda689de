package beacon

import "strconv"

// appendQuick appends r as EncodeRecord returns it, if all it has are plain strings
// and events that quick reads.
func appendQuick(to []byte, r *Record) ([]byte, bool) {
	if r.Page != nil || r.Events == nil || r.Refused != "" {
		return to, false
	}
	w := quickWriter{to: to, ok: true}
	w.number(`{"v":`, int64(r.V))
	w.text(`,"account":`, r.Account)
	w.text(`,"media":`, r.Media)
	w.text(`,"view":`, r.View)
	w.number(`,"seq":`, r.Seq)
	w.number(`,"received_at_ms":`, r.ReceivedAtMS)
	if r.Receipt != 0 {
		w.to = strconv.AppendUint(append(w.to, `,"rid":`...), r.Receipt, 10)
	}
	w.textIfAny(`,"visitor":`, r.Visitor)
	w.textIfAny(`,"identity":`, r.Identity)
	w.flag(`,"opted_out":true`, r.OptedOut)
	w.flag(`,"leaving":true`, r.Leaving)
	w.textIfAny(`,"country":`, r.Country)
	w.textIfAny(`,"device":`, r.Device)
	w.textIfAny(`,"browser":`, r.Browser)
	w.textIfAny(`,"os":`, r.OS)
	w.flag(`,"bot":true`, r.Bot)
	w.textIfAny(`,"bot_reason":`, r.BotReason)
	w.number(`,"dur_ms":`, r.DurationMS)
	w.to = append(w.to, `,"events":[`...)
	for i := range r.Events {
		if i > 0 {
			w.to = append(w.to, ',')
		}
		w.event(&r.Events[i])
	}
	return append(w.to, `]}`...), w.ok
}

type quickWriter struct {
	to []byte
	ok bool
}

func (w *quickWriter) event(e *Event) {
	rest := *e
	rest.Kind, rest.AtMS, rest.PosMS, rest.FromMS, rest.ToMS, rest.TookMS, rest.Rate = "", 0, 0, 0, 0, 0, 0
	rest.Repeat, rest.Autoplay, rest.Muted, rest.Fullscreen, rest.Hidden = false, false, false, false, false
	w.ok = w.ok && rest == Event{}
	w.text(`{"k":`, string(e.Kind))
	w.number(`,"at_ms":`, e.AtMS)
	w.numberIfAny(`,"pos_ms":`, e.PosMS)
	w.numberIfAny(`,"from_ms":`, e.FromMS)
	w.numberIfAny(`,"to_ms":`, e.ToMS)
	switch {
	case e.Rate == 1:
		w.to = append(w.to, `,"rate":1`...)
	case e.Rate != 0:
		w.to = strconv.AppendFloat(append(w.to, `,"rate":`...), e.Rate, 'g', -1, 64)
	}
	w.flag(`,"repeat":true`, e.Repeat)
	w.flag(`,"autoplay":true`, e.Autoplay)
	w.numberIfAny(`,"took_ms":`, e.TookMS)
	w.flag(`,"muted":true`, e.Muted)
	w.flag(`,"fullscreen":true`, e.Fullscreen)
	w.flag(`,"hidden":true`, e.Hidden)
	w.to = append(w.to, '}')
}

func (w *quickWriter) number(name string, n int64) {
	w.to = strconv.AppendInt(append(w.to, name...), n, 10)
}

func (w *quickWriter) numberIfAny(name string, n int64) {
	if n != 0 {
		w.number(name, n)
	}
}

func (w *quickWriter) flag(text string, on bool) {
	if on {
		w.to = append(w.to, text...)
	}
}

func (w *quickWriter) textIfAny(name, s string) {
	if s != "" {
		w.text(name, s)
	}
}

// text writes s, if it needs no escapes.
func (w *quickWriter) text(name, s string) {
	for i := range len(s) {
		w.ok = w.ok && plainByte[s[i]]
	}
	w.to = append(append(append(append(w.to, name...), '"'), s...), '"')
}

// plainByte tells which bytes stand for themselves in a string, also in HTML.
var plainByte = func() (plain [256]bool) {
	for c := byte(' '); c < 0x7f; c++ {
		plain[c] = c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	return plain
}()
