package collect

import (
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

// burst is for how many seconds' worth a limit lets come at once.
const burst = 10

// limits is one rate limiter for each of the keys met lately. It forgets the
// least used first, so memory is bounded whatever the keys.
type limits struct {
	perSecond int
	known     *otter.Cache[string, *rate.Limiter]
}

func newLimits(perSecond, size int) (*limits, error) {
	known, err := otter.New(&otter.Options[string, *rate.Limiter]{MaximumSize: size})
	if err != nil {
		return nil, err
	}
	return &limits{perSecond: perSecond, known: known}, nil
}

// of returns the limiter of key. Two strangers who meet a new key at once may each
// get one; one of them stays.
func (l *limits) of(key string) *rate.Limiter {
	limiter, ok := l.known.GetIfPresent(key)
	if !ok {
		limiter = rate.NewLimiter(rate.Limit(l.perSecond), burst*l.perSecond)
		l.known.Set(key, limiter)
	}
	return limiter
}

// allow counts one for key and tells whether that is within its rate.
func (l *limits) allow(key string, at time.Time) bool { return l.of(key).AllowN(at, 1) }
