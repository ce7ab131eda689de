package beacon

import (
	"encoding/json"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/mailru/easyjson/jlexer"
)

// Types that are read or written for every beacon have generated JSON code.
//go:generate go run github.com/mailru/easyjson/easyjson@v0.9.0 -no_std_marshalers -pkg -output_filename wire_easyjson.go .

// wireBatch tells a missing seq from a zero one.
//
//easyjson:json
type wireBatch struct {
	V        int     `json:"v"`
	Token    string  `json:"token"`
	Seq      *int64  `json:"seq"`
	SentAtMS int64   `json:"sent_at_ms"`
	Viewer   string  `json:"viewer"`
	Leaving  bool    `json:"leaving"`
	Page     *Page   `json:"page"`
	Events   []Event `json:"events"`
}

// Decode reads and checks one body. The error is always an [*Error]. The token
// is only checked for presence; see [VerifyViewToken]. A batch that is refused
// for what it says is returned beside the error, unchecked, so that its token
// may tell whose it is; one that could not be read is nil. Strings of the batch may
// be parts of the body.
func Decode(body []byte) (*Batch, error) {
	b := &Batch{}
	readable, err := b.Decode(body)
	if !readable {
		return nil, err
	}
	return b, err
}

// Decode is the function of that name, into b, whose memory it uses again.
func (b *Batch) Decode(body []byte) (readable bool, err error) {
	if len(body) > MaxBody {
		return false, refuse(CodeTooLarge, "the body has %d bytes, more than %d", len(body), MaxBody)
	}
	if !utf8.Valid(body) {
		return false, refuse(CodeNotUTF8, "the body is not valid UTF-8")
	}
	*b = Batch{Seq: -1, Events: b.Events[:0]}
	if q := (quick{data: body}); !q.batch(b) {
		w, err := readBatch(body)
		if err != nil {
			return false, err
		}
		*b = Batch{V: w.V, Token: w.Token, Seq: -1, SentAtMS: w.SentAtMS, Viewer: w.Viewer, Leaving: w.Leaving, Page: w.Page, Events: w.Events}
		if w.Seq != nil {
			b.Seq = *w.Seq
		}
	}
	return true, b.check()
}

// readBatch reads what quick does not, by generated code, ten times as fast as
// reflection. What that cannot read is read again by encoding/json, which decides
// whether it is wrong and how.
func readBatch(body []byte) (*wireBatch, error) {
	var w wireBatch
	lexer := jlexer.Lexer{Data: body}
	w.UnmarshalEasyJSON(&lexer)
	if lexer.Consumed(); lexer.Error() == nil {
		return &w, nil
	}
	type plain wireBatch // without the generated methods
	w = wireBatch{}
	err := json.Unmarshal(body, (*plain)(&w))
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return nil, refuse(CodeWrongType, "field %q has the wrong JSON type", t.Field)
	}
	if err != nil {
		return nil, refuse(CodeNotJSON, "the body is not one JSON value")
	}
	return &w, nil
}

func (b *Batch) check() error {
	switch {
	case b.V != Version:
		return refuse(CodeVersion, "version %d is not %d", b.V, Version)
	case b.Token == "":
		return refuse(CodeTokenMissing, "the batch has no view token")
	case len(b.Token) > MaxTokenLen:
		return refuse(CodeFieldTooLong, "the token is longer than %d bytes", MaxTokenLen)
	case len(b.Viewer) > MaxTokenLen:
		return refuse(CodeFieldTooLong, "the viewer token is longer than %d bytes", MaxTokenLen)
	case b.Seq < 0 || b.Seq > MaxSeq:
		return refuse(CodeSeq, "seq is missing or outside 0 to %d", MaxSeq)
	case badTime(b.SentAtMS):
		return refuse(CodeTime, "sent_at_ms is missing or not a present-day time")
	case len(b.Events) == 0:
		return refuse(CodeEventsMissing, "the batch has no events")
	case len(b.Events) > MaxEvents:
		return refuse(CodeEventsTooMany, "the batch has %d events, more than %d", len(b.Events), MaxEvents)
	}
	if p := b.Page; p != nil && (badSide(p.PlayerWidth) || badSide(p.PlayerHeight) || badSide(p.ScreenWidth) || badSide(p.ScreenHeight)) {
		return refuse(CodePlayerSize, "the player or screen size is outside 0 to %d", MaxPlayerSide)
	}
	for i := range b.Events {
		if err := b.Events[i].check(i); err != nil {
			return err
		}
	}
	return b.checkDisjoint()
}

// checkDisjoint refuses first-time intervals that overlap: counted as they are
// they would let one view count twice in a cell.
func (b *Batch) checkDisjoint() error {
	var few [8]Span
	first := few[:0]
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
