package collect

import (
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

// memoLife is how long a memo is believed: tables may change, and limiters that
// are not asked for are forgotten.
const memoLife = 10 * time.Second

// memo is what was found out about the sender of a connection's last beacon: nearly
// always the next one's too. Its zero value knows nothing.
type memo struct {
	until   time.Time
	address netip.Addr
	limiter *rate.Limiter // of the address
	country string
	// admitted: the request under way is within the address's rate.
	admitted bool

	day     *daySalt
	account string
	browser string // as in the request
	visitor string // of account, address and browser on that day
}

// recall makes the arrival's memo one of its address.
func (h *Handler) recall(a *arrival, now time.Time) {
	if a.memo == nil {
		a.memo = &memo{}
	}
	if a.memo.limiter != nil && a.memo.address == a.address && now.Before(a.memo.until) {
		return
	}
	*a.memo = memo{until: now.Add(memoLife), address: a.address, limiter: h.addresses.of(addressKey(a.address))}
	if h.countries != nil && a.address.IsValid() {
		a.memo.country = h.countries.Of(a.address)
	}
}

// visitorOf returns the pseudonym of the day.
func (h *Handler) visitorOf(a *arrival, account, ua string, at time.Time) string {
	m, day := a.memo, h.salts.at(at)
	if m.day != day || m.account != account || m.browser != ua {
		m.day, m.account, m.browser = day, account, ua
		m.visitor = day.visitor(account, a.address, ua)
	}
	return m.visitor
}

// addressKey is what a client is limited by: its address, or the /64 of it, of
// which a client may use each.
func addressKey(addr netip.Addr) string {
	if addr = addr.Unmap(); addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			addr = p.Addr()
		}
	}
	raw := addr.As16()
	return string(raw[:])
}
