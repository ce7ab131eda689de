package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// load sends playbacks, malformed bodies among them, and notes in the journal
// what it does.
type load struct {
	journal  *journal
	client   *http.Client
	targets  []string // addresses of the collectors
	pace     *rate.Limiter
	giveUp   int // percent of the items that are left alone after a failure
	patience time.Duration
	// countEvents makes the pace one of events instead of batches.
	countEvents bool

	batches, refused, failures atomic.Int64
	events                     atomic.Int64 // in batches, each counted when it is sent first
	unavailable                atomic.Int64 // answers 503 and 429
	answers, answering         atomic.Int64 // how many, and the ns they took together
	slowest                    atomic.Int64 // ns, of answers for good
}

func newLoad(j *journal, targets []string, perSecond float64) *load {
	return &load{
		journal: j, targets: targets, patience: 6 * time.Second, giveUp: 3,
		pace: rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond/4))),
		client: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: 256, MaxConnsPerHost: 512, IdleConnTimeout: 30 * time.Second,
			DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		}},
	}
}

// steady makes the load one of so many events a second on average: what a pause of
// the machine held up for less than 10 s is made up for.
func (l *load) steady(events float64) {
	l.countEvents = true
	l.pace = rate.NewLimiter(rate.Limit(events), int(10*events))
	l.pace.AllowN(time.Now(), l.pace.Burst())
}

// run sends what the author writes until writing ends; what is begun is brought to
// its end, until ctx ends too.
func (l *load) run(ctx, writing context.Context, a *author) error {
	var pending []*parcel
	for writing.Err() == nil {
		items, err := a.playback()
		if err != nil {
			return err
		}
		if a.chance(20) {
			bad, err := a.malformed()
			if err != nil {
				return err
			}
			items = append(items, bad)
		}
		if a.chance(40) { // as when a page sends its last batch ahead of what waits
			a.rnd.Shuffle(len(items), func(i, k int) { items[i], items[k] = items[k], items[i] })
		}
		for _, it := range items {
			cost := 1
			if l.countEvents {
				cost = it.events
			}
			if l.pace.WaitN(writing, cost) != nil {
				break
			}
			p := &parcel{item: it, id: l.journal.id(), extra: a.rnd.IntN(10) / 9 * (1 + a.rnd.IntN(3)), left: a.chance(l.giveUp)}
			if err := l.try(ctx, a.rnd, p); err != nil {
				return err
			}
			pending = append(pending, p)
		}
		if pending, err = l.settle(ctx, a.rnd, pending, 64); err != nil {
			return err
		}
	}
	_, err := l.settle(ctx, a.rnd, pending, 0)
	return err
}

// parcel is an item on its way.
type parcel struct {
	item
	id    int64
	tries int
	acked bool
	extra int  // how often it is sent again though it was answered
	left  bool // it is not tried again
	next  time.Time
}

func (p *parcel) open() bool { return !p.acked && !p.left || p.acked && p.extra > 0 }

// settle tries open parcels again until at most keep of them are left.
func (l *load) settle(ctx context.Context, rnd *rand.Rand, list []*parcel, keep int) ([]*parcel, error) {
	for {
		list = slices.DeleteFunc(list, func(p *parcel) bool { return !p.open() })
		for _, p := range list {
			if p.acked {
				p.extra--
			}
			if time.Now().Before(p.next) && keep > 0 {
				continue
			}
			if err := l.try(ctx, rnd, p); err != nil {
				return nil, err
			}
		}
		if len(list) <= keep {
			return list, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// try sends a parcel once.
func (l *load) try(ctx context.Context, rnd *rand.Rand, p *parcel) error {
	lines := []line{{ID: p.id, Try: true}}
	if p.tries == 0 {
		lines[0].Item = &p.item
		l.batches.Add(1)
		l.events.Add(int64(p.events))
	}
	p.tries++
	p.next = time.Now().Add(time.Duration(100+rnd.IntN(900)) * time.Millisecond)
	if err := l.journal.write(lines...); err != nil {
		return err
	}
	target := l.targets[rnd.IntN(len(l.targets))]
	if rnd.IntN(100) == 0 && p.Want == wantTaken { // the page is gone before the answer comes
		l.abandon(rnd, target, p)
		return nil
	}
	status, err := l.post(ctx, target, p)
	if err != nil {
		l.failures.Add(1)
		return nil //nolint:nilerr // it is tried again
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		l.unavailable.Add(1)
		return nil
	}
	if good, bad := status == http.StatusNoContent, status/100 == 4; p.Want == wantTaken && !good || p.Want != wantTaken && !bad {
		return fmt.Errorf("a body that is %s (%s) was answered %d", p.Want, p.Flaw, status)
	}
	if status != http.StatusNoContent {
		l.refused.Add(1)
	}
	p.acked = true
	return l.journal.write(line{ID: p.id, Status: status})
}

func (l *load) request(ctx context.Context, target string, p *parcel) (*http.Request, error) {
	url := "http://" + target + "/beacons/v1"
	if p.tries > 1 {
		url += fmt.Sprintf("?sent_at=%d", time.Now().UnixMilli())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(p.Body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	if p.Type != "" {
		req.Header.Set("Content-Type", p.Type)
	}
	if p.Encoding != "" {
		req.Header.Set("Content-Encoding", p.Encoding)
	}
	req.Header.Set("User-Agent", p.Agent)
	req.Header.Set("X-Forwarded-For", p.Address)
	if p.OptedOut {
		req.Header.Set("Sec-GPC", "1")
	}
	return req, nil
}

func (l *load) post(ctx context.Context, target string, p *parcel) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	req, err := l.request(ctx, target, p)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	res, err := l.client.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return 0, err
	}
	took := int64(time.Since(began))
	l.answers.Add(1)
	l.answering.Add(took)
	for {
		slowest := l.slowest.Load()
		if took <= slowest || l.slowest.CompareAndSwap(slowest, took) {
			return res.StatusCode, nil
		}
	}
}

// meanAnswer is how long an answer for good took on average.
func (l *load) meanAnswer() time.Duration {
	return time.Duration(l.answering.Load() / max(1, l.answers.Load()))
}

// abandon sends the request, or half of it, and hangs up.
func (l *load) abandon(rnd *rand.Rand, target string, p *parcel) {
	req, err := l.request(context.Background(), target, p)
	if err != nil {
		return
	}
	var raw bytes.Buffer
	if req.Write(&raw) != nil {
		return
	}
	conn, err := net.DialTimeout("tcp", target, time.Second)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	cut := raw.Len()
	if rnd.IntN(2) == 0 {
		cut = rnd.IntN(cut)
	}
	_, _ = conn.Write(raw.Bytes()[:cut]) // nobody waits for what becomes of it
}

// crowd runs n authors at once.
func (l *load) crowd(ctx, writing context.Context, authors []*author) error {
	errs := make([]error, len(authors))
	var wg sync.WaitGroup
	for i, a := range authors {
		wg.Go(func() { errs[i] = l.run(ctx, writing, a) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
