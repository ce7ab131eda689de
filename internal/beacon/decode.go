package beacon

import (
	"encoding/json"
	"errors"
	"slices"
	"unicode/utf8"
)

// Client times outside these Unix milliseconds are nonsense, not skew.
const (
	minTimeMS = 1_577_836_800_000 // 2020-01-01
	maxTimeMS = 4_102_444_800_000 // 2100-01-01
)

// wireBatch tells a missing seq from a zero one.
type wireBatch struct {
	V        int     `json:"v"`
	Token    string  `json:"token"`
	Seq      *int64  `json:"seq"`
	SentAtMS int64   `json:"sent_at_ms"`
	Page     *Page   `json:"page"`
	Events   []Event `json:"events"`
}

// Decode reads and checks one body. The error is always an [*Error]. The token
// is only checked for presence; see [VerifyViewToken].
func Decode(body []byte) (*Batch, error) {
	if len(body) > MaxBody {
		return nil, refuse(CodeTooLarge, "the body has %d bytes, more than %d", len(body), MaxBody)
	}
	if !utf8.Valid(body) {
		return nil, refuse(CodeNotUTF8, "the body is not valid UTF-8")
	}
	var w wireBatch
	if err := json.Unmarshal(body, &w); err != nil {
		if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return nil, refuse(CodeWrongType, "field %q has the wrong JSON type", t.Field)
		}
		return nil, refuse(CodeNotJSON, "the body is not one JSON value")
	}
	b := &Batch{V: w.V, Token: w.Token, SentAtMS: w.SentAtMS, Page: w.Page, Events: w.Events}
	if w.Seq == nil {
		b.Seq = -1
	} else {
		b.Seq = *w.Seq
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *Batch) check() error {
	switch {
	case b.V != Version:
		return refuse(CodeVersion, "version %d is not %d", b.V, Version)
	case b.Token == "":
		return refuse(CodeTokenMissing, "the batch has no view token")
	case len(b.Token) > MaxTokenLen:
		return refuse(CodeFieldTooLong, "the token is longer than %d bytes", MaxTokenLen)
	case b.Seq < 0 || b.Seq > MaxSeq:
		return refuse(CodeSeq, "seq is missing or outside 0 to %d", MaxSeq)
	case badTime(b.SentAtMS):
		return refuse(CodeTime, "sent_at_ms is missing or not a present-day time")
	case len(b.Events) == 0:
		return refuse(CodeEventsMissing, "the batch has no events")
	case len(b.Events) > MaxEvents:
		return refuse(CodeEventsTooMany, "the batch has %d events, more than %d", len(b.Events), MaxEvents)
	}
	if p := b.Page; p != nil && (badSide(p.PlayerWidth) || badSide(p.PlayerHeight)) {
		return refuse(CodePlayerSize, "the player size is outside 0 to %d", MaxPlayerSide)
	}
	for i := range b.Events {
		if err := b.Events[i].check(i); err != nil {
			return err
		}
	}
	return b.checkDisjoint()
}

func badTime(ms int64) bool { return ms < minTimeMS || ms > maxTimeMS }
func badSide(n int) bool    { return n < 0 || n > MaxPlayerSide }
func badMedia(ms int64) bool {
	return ms < 0 || ms > MaxMediaMS
}

// check validates the fields the kind uses and drops the others, so that two
// batches which mean the same are the same.
func (e *Event) check(i int) error {
	if badTime(e.AtMS) {
		return refuse(CodeTime, "event %d: at_ms is missing or not a present-day time", i)
	}
	in := *e
	*e = Event{Kind: in.Kind, AtMS: in.AtMS}
	switch in.Kind {
	case KindLoad:
	case KindPlay, KindPause, KindEnd, KindRebuffer:
		if badMedia(in.PosMS) {
			return refuse(CodePosition, "event %d: pos_ms is outside 0 to %d", i, MaxMediaMS)
		}
		e.PosMS = in.PosMS
		e.Autoplay = in.Autoplay && in.Kind == KindPlay
	case KindSeek:
		if badMedia(in.FromMS) || badMedia(in.ToMS) {
			return refuse(CodePosition, "event %d: from_ms or to_ms is outside 0 to %d", i, MaxMediaMS)
		}
		e.FromMS, e.ToMS = in.FromMS, in.ToMS
	case KindWatch:
		if badMedia(in.FromMS) || badMedia(in.ToMS) || in.FromMS >= in.ToMS {
			return refuse(CodeInterval, "event %d: from_ms must be before to_ms, both within 0 to %d", i, MaxMediaMS)
		}
		if in.Rate <= 0 || in.Rate > MaxRate {
			return refuse(CodeRate, "event %d: rate must be above 0, at most %d", i, MaxRate)
		}
		e.FromMS, e.ToMS, e.Rate, e.Repeat = in.FromMS, in.ToMS, in.Rate, in.Repeat
	case KindStartup:
	case KindError:
		if in.Code == "" {
			return refuse(CodeFieldMissing, "event %d: an error needs a code", i)
		}
		if len(in.Code) > MaxCodeLen {
			return refuse(CodeFieldTooLong, "event %d: code is longer than %d bytes", i, MaxCodeLen)
		}
		e.Code, e.Fatal, e.Message = in.Code, in.Fatal, cut(in.Message, MaxMessageLen)
	default:
		return refuse(CodeKind, "event %d has a kind this server does not know", i)
	}
	if in.Kind == KindStartup || in.Kind == KindRebuffer {
		if badMedia(in.TookMS) {
			return refuse(CodeTook, "event %d: took_ms is outside 0 to %d", i, MaxMediaMS)
		}
		e.TookMS = in.TookMS
	}
	return nil
}

// checkDisjoint refuses first-time intervals that overlap: counted as they are
// they would let one view count twice in a cell.
func (b *Batch) checkDisjoint() error {
	var first []Span
	for i := range b.Events {
		if e := &b.Events[i]; e.Kind == KindWatch && !e.Repeat {
			first = append(first, Span{e.FromMS, e.ToMS})
		}
	}
	slices.SortFunc(first, func(a, b Span) int { return int(a.From - b.From) })
	for i := 1; i < len(first); i++ {
		if first[i].From < first[i-1].To {
			return refuse(CodeIntervalOverlap, "first-time intervals of one batch overlap")
		}
	}
	return nil
}

// cut shortens s to at most n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
