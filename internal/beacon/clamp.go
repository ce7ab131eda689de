package beacon

import (
	"net/url"
	"time"
)

// MaxAge is how long before its arrival an event may claim to have happened;
// older claims are moved to that edge. It is the life of a view token.
const MaxAge = 24 * time.Hour

// Sent takes over when the batch was sent, from [SentAtParam], if that can be:
// it is a present-day time and the batch was packed before. A batch that waited
// for its collector is otherwise dated as if it had been packed on arrival.
func (b *Batch) Sent(atMS int64) {
	if !badTime(atMS) && atMS >= b.SentAtMS {
		b.SentAtMS = atMS
	}
}

// Clamp brings a decoded batch within bounds, in place: media times into
// [0, duration], intervals that are left empty removed, event times moved from
// the viewer's clock onto the server's (the difference between sent_at_ms and
// received) and into [received - MaxAge, received], identical events reduced to
// one, campaign parameters that are left out taken from the page's URL, page
// strings cut to length. It panics if duration is not positive.
func (b *Batch) Clamp(duration time.Duration, received time.Time) {
	dur := duration.Milliseconds()
	if dur <= 0 {
		panic("beacon: Clamp needs a positive duration")
	}
	now := received.UnixMilli()
	skew := now - b.SentAtMS
	kept := b.Events[:0]
	for i := range b.Events {
		e := &b.Events[i]
		e.AtMS = min(max(e.AtMS+skew, now-MaxAge.Milliseconds()), now)
		e.PosMS, e.FromMS, e.ToMS = min(e.PosMS, dur), min(e.FromMS, dur), min(e.ToMS, dur)
		if e.Kind == KindWatch && e.FromMS >= e.ToMS {
			continue
		}
		if among(kept, e) {
			continue
		}
		kept = append(kept, *e)
	}
	clear(b.Events[len(kept):])
	b.Events = kept
	if p := b.Page; p != nil {
		p.fillCampaign()
		p.URL, p.Referrer = cut(p.URL, MaxURLLen), cut(p.Referrer, MaxURLLen)
		p.UTMSource, p.UTMMedium, p.UTMCampaign = cut(p.UTMSource, MaxTextLen), cut(p.UTMMedium, MaxTextLen), cut(p.UTMCampaign, MaxTextLen)
		p.UTMTerm, p.UTMContent, p.Variant = cut(p.UTMTerm, MaxTextLen), cut(p.UTMContent, MaxTextLen), cut(p.Variant, MaxIDLen)
		p.Language = cut(p.Language, MaxLanguageLen)
	}
}

// among tells whether an event is one of the list. Events are large: nearly all are
// told apart by what differs most.
func among(list []Event, e *Event) bool {
	for i := range list {
		if l := &list[i]; l.FromMS == e.FromMS && l.AtMS == e.AtMS && l.PosMS == e.PosMS && *l == *e {
			return true
		}
	}
	return false
}

// fillCampaign reads from the URL what the player left out: the facade, whose every
// byte delays a page, leaves out all of it.
func (p *Page) fillCampaign() {
	u, err := url.Parse(p.URL)
	if err != nil || u.RawQuery == "" {
		return
	}
	query := u.Query()
	for name, field := range map[string]*string{
		"utm_source": &p.UTMSource, "utm_medium": &p.UTMMedium, "utm_campaign": &p.UTMCampaign,
		"utm_term": &p.UTMTerm, "utm_content": &p.UTMContent,
	} {
		if *field == "" {
			*field = query.Get(name)
		}
	}
}
