package auth

import (
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Attempts bounds guesses at passwords and login links: 10 a minute from one
// network (an IPv4 address or an IPv6 /64).
const (
	attemptsPerMinute = 10
	maxRemembered     = 10_000 // networks; past that, idle ones are forgotten
)

type limiter struct {
	mu   sync.Mutex
	seen map[string]*rate.Limiter
}

func newLimiter() *limiter { return &limiter{seen: map[string]*rate.Limiter{}} }

func (l *limiter) allow(addr string, now time.Time) bool {
	key := network(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seen) >= maxRemembered {
		for k, r := range l.seen {
			if r.TokensAt(now) >= attemptsPerMinute {
				delete(l.seen, k)
			}
		}
	}
	r, ok := l.seen[key]
	if !ok {
		r = rate.NewLimiter(rate.Every(time.Minute/attemptsPerMinute), attemptsPerMinute)
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
