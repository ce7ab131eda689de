// Package limit bounds how often one network may try something: an IPv4 address
// or an IPv6 /64, which is what one subscriber gets. A Networks is safe for
// concurrent use.
package limit

import (
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxRemembered is how many networks are told apart; past that, idle ones are
// forgotten.
const maxRemembered = 10_000

// Networks counts the attempts of each network.
type Networks struct {
	perMinute int
	mu        sync.Mutex
	seen      map[string]*rate.Limiter
}

// New allows each network perMinute attempts a minute, as many at once.
func New(perMinute int) *Networks {
	return &Networks{perMinute: perMinute, seen: map[string]*rate.Limiter{}}
}

// Allow tells whether the network of addr, with or without a port, may try again.
func (l *Networks) Allow(addr string, now time.Time) bool {
	key := network(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seen) >= maxRemembered {
		for k, r := range l.seen {
			if r.TokensAt(now) >= float64(l.perMinute) {
				delete(l.seen, k)
			}
		}
	}
	r, ok := l.seen[key]
	if !ok {
		r = rate.NewLimiter(rate.Every(time.Minute/time.Duration(l.perMinute)), l.perMinute)
		l.seen[key] = r
	}
	return r.AllowN(now, 1)
}

func network(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	ip := net.ParseIP(host)
	if ip == nil || ip.To4() != nil {
		return host
	}
	return ip.Mask(net.CIDRMask(64, 128)).String()
}
