// Package limit bounds how often one network may try something: an IPv4 address
// or an IPv6 /64, which is what one subscriber gets. Who asks is told what is left in
// the RateLimit-Policy and RateLimit headers (draft-ietf-httpapi-ratelimit-headers-11),
// and when to come back in Retry-After. A Networks is safe for concurrent use.
package limit

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxRemembered is how many networks are told apart; past that, idle ones are
// forgotten.
const maxRemembered = 10_000

// Headers are what may tell who is asked to wait. Pages of another origin read them only
// where Access-Control-Expose-Headers names them.
const Headers = "RateLimit, RateLimit-Policy, Retry-After"

// Networks counts the attempts of each network.
type Networks struct {
	name      string
	perMinute int
	mu        sync.Mutex
	seen      map[string]*rate.Limiter
}

// New allows each network perMinute attempts a minute, as many at once. The name tells
// clients which limit it is: lower-case letters and dashes.
func New(name string, perMinute int) *Networks {
	return &Networks{name: name, perMinute: perMinute, seen: map[string]*rate.Limiter{}}
}

// Allow tells whether the network of addr, with or without a port, may try again, and
// notes what is left in the headers of the answer, if ctx has them (see WithHeader).
func (l *Networks) Allow(ctx context.Context, addr string, now time.Time) bool {
	ok, left := l.take(network(addr), now)
	if h, _ := ctx.Value(headerKey{}).(http.Header); h != nil {
		l.tell(h, left, ok)
	}
	return ok
}

// take takes an attempt, if there is one, and returns how many are left.
func (l *Networks) take(key string, now time.Time) (ok bool, left float64) {
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
	ok = r.AllowN(now, 1)
	return ok, r.TokensAt(now)
}

// tell writes the headers. Attempts come back one by one: what is left is all there is
// until the next one does.
func (l *Networks) tell(h http.Header, left float64, ok bool) {
	whole := math.Floor(max(0, left))
	next := strconv.Itoa(int(math.Ceil((whole + 1 - left) * 60 / float64(l.perMinute))))
	h.Set("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=60", l.name, l.perMinute))
	h.Set("RateLimit", fmt.Sprintf("%q;r=%d;t=%s", l.name, int(whole), next))
	if !ok {
		h.Set("Retry-After", next)
	}
}

type headerKey struct{}

// WithHeader returns ctx with the headers of the answer to its request.
func WithHeader(ctx context.Context, h http.Header) context.Context {
	return context.WithValue(ctx, headerKey{}, h)
}

// ToldWhen tells whether the answer to ctx's request says already when to come back.
func ToldWhen(ctx context.Context) bool {
	h, _ := ctx.Value(headerKey{}).(http.Header)
	return h.Get("Retry-After") != ""
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
