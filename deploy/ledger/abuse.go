package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/vitascope/vitascope/internal/beacon"
)

// What strangers may cost. Growth is against the memory of a process that honest
// load has warmed up. A sink may grow by the views it remembers, 20 MiB for each of 8
// partitions, and by the batches it has in hand, as records and as rows; collected
// garbage may be as much again.
const (
	abusedAccount   = "abused0001"
	mostParts       = 100
	mostCollector   = 256 << 20
	mostSink        = 512 << 20
	strangersAtOnce = 128
)

// runAbuse sends what strangers with bad intentions can, beside an honest load whose
// figures must not change by it: views with random ids, addresses, pages, campaigns
// and words wherever a word fits; forged tokens; one honest batch over and over;
// bodies as large as may be, and larger; bodies that unpack to megabytes. Memory and
// parts are watched meanwhile.
func runAbuse(ctx context.Context, o options, w *world, j *journal) error {
	began := time.Now()
	l := newLoad(j, w.collectAddrs, o.rate)
	l.giveUp = 0
	w.strangers = newTally()
	seen := newWatch(w)
	var sending time.Duration
	took, err := w.under(ctx, l, o, 8, func(ctx context.Context) error {
		if err := pause(ctx, 5*time.Second); err != nil {
			return err
		}
		seen.start(ctx)
		defer func(began time.Time) { sending = time.Since(began) }(time.Now())
		return w.abuse(ctx, o, l)
	})
	if err := errors.Join(err, seen.stop()); err != nil {
		return err
	}
	sent, answered := w.strangers.sum()
	facts := fmt.Sprintf("strangers=%d answered=%d sending=%.1fs catch_up=%.1fs %s", sent, answered, sending.Seconds(), took.Seconds(), seen)
	if err := w.conclude(ctx, j, o, began, facts); err != nil {
		return err
	}
	return seen.verdict()
}

// abuse sends it all.
func (w *world) abuse(ctx context.Context, o options, l *load) error {
	replay, err := newAuthor(o.seed, 1<<32, w.key, w.films, 8).playback()
	if err != nil {
		return err
	}
	first := &parcel{item: replay[0], id: l.journal.id()}
	for !first.acked {
		if err := l.try(ctx, rand.New(rand.NewPCG(o.seed, 1)), first); err != nil {
			return err
		}
	}
	kinds := []struct {
		n    int
		make func(*stranger) (*parcel, error)
	}{
		{o.strangers, (*stranger).anybody},
		{o.strangers / 10, (*stranger).forged},
		{o.strangers / 10, func(*stranger) (*parcel, error) { return &parcel{item: replay[0]}, nil }},
		{o.strangers / 1000, (*stranger).large},
		{o.strangers / 1000, (*stranger).tooLarge},
		{o.strangers / 1000, (*stranger).bomb},
	}
	for i, kind := range kinds {
		var left atomic.Int64
		left.Store(int64(kind.n))
		errs := make([]error, strangersAtOnce)
		var wg sync.WaitGroup
		for k := range errs {
			s := &stranger{rnd: rand.New(rand.NewPCG(o.seed, uint64(i*1000+k))), key: w.key}
			wg.Go(func() {
				for errs[k] == nil && ctx.Err() == nil && left.Add(-1) >= 0 {
					var p *parcel
					if p, errs[k] = kind.make(s); errs[k] == nil {
						errs[k] = w.insist(ctx, s.rnd, l, p)
					}
				}
			})
		}
		wg.Wait()
		if err := errors.Join(append(errs, context.Cause(ctx))...); err != nil {
			return err
		}
		w.log.Info("strangers", "kind", i, "sent", kind.n)
	}
	return nil
}

// insist sends a body until it is answered for good and keeps count.
func (w *world) insist(ctx context.Context, rnd *rand.Rand, l *load, p *parcel) error {
	for ctx.Err() == nil {
		w.strangers.try(p.Account)
		status, err := l.post(ctx, l.targets[rnd.IntN(len(l.targets))], p)
		switch {
		case err != nil, status == http.StatusServiceUnavailable, status == http.StatusTooManyRequests:
			if err := pause(ctx, time.Duration(rnd.IntN(200))*time.Millisecond); err != nil {
				return err
			}
			continue
		case p.Want == wantTaken && status != http.StatusNoContent, p.Want != wantTaken && status/100 != 4:
			return fmt.Errorf("a stranger's body that is %s (%s) was answered %d", p.Want, p.Flaw, status)
		}
		w.strangers.answer(p.Account)
		return nil
	}
	return context.Cause(ctx)
}

// tally counts what strangers sent, by the account their tokens are of.
type tally struct {
	mu              sync.Mutex
	tries, answered map[string]uint64
}

func newTally() *tally { return &tally{tries: map[string]uint64{}, answered: map[string]uint64{}} }

func (t *tally) try(account string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tries[account]++
}

func (t *tally) answer(account string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answered[account]++
}

func (t *tally) sum() (tries, answered uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for account, n := range t.tries {
		tries, answered = tries+n, answered+t.answered[account]
	}
	return tries, answered
}

// stranger writes bodies. It is not safe for concurrent use.
type stranger struct {
	rnd *rand.Rand
	key []byte
}

// word is one that nobody said before.
func (s *stranger) word() string { return fmt.Sprintf("%016x%08x", s.rnd.Uint64(), s.rnd.Uint32()) }

// body writes a batch of a new view and signs its token with key.
func (s *stranger) body(key []byte, events []fields) (item, error) {
	view, err := uuid.NewV7()
	if err != nil {
		return item{}, err
	}
	now := time.Now()
	it := item{
		Want: wantTaken, Account: abusedAccount, Media: "abused", View: view.String(), Agent: "Mozilla/5.0 " + s.word(),
		Address: fmt.Sprintf("%d.%d.%d.%d", 1+s.rnd.IntN(200), s.rnd.IntN(256), s.rnd.IntN(256), s.rnd.IntN(256)),
	}
	token, err := beacon.SignViewToken(key, beacon.Claims{
		Account: it.Account, Media: it.Media, View: it.View, Duration: time.Hour, Identity: s.word(), IssuedAt: now, ExpiresAt: now.Add(beacon.TokenLife),
	})
	if err != nil {
		return it, err
	}
	page := fields{"url": "https://" + s.word() + ".example/" + strings.Repeat(s.word(), s.rnd.IntN(80)) + "?q=" + s.word(), "referrer": "https://" + s.word() + ".example/"}
	for _, name := range []string{"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "variant", "language"} {
		page[name] = s.word()
	}
	for _, e := range events {
		e["at_ms"] = now.UnixMilli()
	}
	it.Body, err = json.Marshal(fields{"v": 1, "token": token, "seq": 0, "sent_at_ms": now.UnixMilli(), "page": page, "events": events})
	return it, err
}

func (s *stranger) happenings() []fields {
	from := s.rnd.IntN(3_000_000)
	return []fields{
		{"k": "load"}, {"k": "play"}, {"k": "watch", "from_ms": from, "to_ms": from + 1 + s.rnd.IntN(500_000), "rate": 1},
		{"k": "action", "type": "cta", "id": s.word(), "verb": "click", "content": s.word()},
		{"k": "error", "code": s.word(), "severity": "fatal", "message": s.word()},
	}
}

// anybody is a view whose every word is new.
func (s *stranger) anybody() (*parcel, error) {
	it, err := s.body(s.key, s.happenings())
	return &parcel{item: it}, err
}

// forged is the same under a key of their own.
func (s *stranger) forged() (*parcel, error) {
	it, err := s.body([]byte(s.word()+s.word()), s.happenings())
	it.Account, it.Want, it.Flaw = "", wantInvalid, "forged token"
	return &parcel{item: it}, err
}

// large is a batch of as many events and bytes as are taken.
func (s *stranger) large() (*parcel, error) {
	events := make([]fields, beacon.MaxEvents)
	for i := range events {
		events[i] = fields{"k": "error", "code": s.word(), "severity": "warning", "message": strings.Repeat("x", 100) + s.word()}
	}
	it, err := s.body(s.key, events)
	it.Body = append(it.Body, bytes.Repeat([]byte(" "), max(0, beacon.MaxBody-len(it.Body)))...)
	return &parcel{item: it}, err
}

func (s *stranger) tooLarge() (*parcel, error) {
	p, err := s.large()
	p.Account, p.Want, p.Flaw = "", wantInvalid, "too large"
	p.Body = append(p.Body, ' ')
	return p, err
}

var bomb = sync.OnceValues(func() ([]byte, error) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := io.Copy(z, io.LimitReader(blank{}, 60<<20))
	return packed.Bytes(), errors.Join(err, z.Close())
})

// blank reads as blanks without end.
type blank struct{}

func (blank) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// bomb is a body that unpacks to 60 MiB.
func (s *stranger) bomb() (*parcel, error) {
	raw, err := bomb()
	return &parcel{item: item{Want: wantInvalid, Flaw: "gzip bomb", Encoding: "gzip", Body: raw, Agent: s.word(), Address: "198.51.100.1"}}, err
}
