package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/vitascope/vitascope/internal/beacon"
)

// film is a media that is watched.
type film struct {
	account, id string
	durationMS  int64
}

// library makes n films of two accounts. The first are watched most.
func library(rnd *rand.Rand, n int) []film {
	films := make([]film, n)
	for i := range films {
		films[i] = film{account: fmt.Sprintf("account%03d", i%2), id: fmt.Sprintf("film%06d", i), durationMS: 8_000 + rnd.Int64N(400_000)}
	}
	return films
}

var (
	agents = []string{
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
	}
	crawler   = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
	campaigns = []string{"", "mail", "spring", "autumn"}
)

// fields is a JSON object. The load writes beacons as any program may, without
// the types the servers read them with.
type fields = map[string]any

// author writes playbacks. It is not safe for concurrent use.
type author struct {
	rnd   *rand.Rand
	key   []byte // signs view tokens
	films []film
	zipf  *rand.Zipf
	dense int // events a batch has, at most
}

func newAuthor(seed, stream uint64, key []byte, films []film, dense int) *author {
	rnd := rand.New(rand.NewPCG(seed, stream))
	return &author{rnd: rnd, key: key, films: films, zipf: rand.NewZipf(rnd, 1.2, 1, uint64(len(films)-1)), dense: dense}
}

func (a *author) chance(percent int) bool { return a.rnd.IntN(100) < percent }

// playback writes the bodies of one view, in their order.
func (a *author) playback() ([]item, error) {
	f := a.films[a.zipf.Uint64()]
	view, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	proto := item{
		Want: wantTaken, Account: f.account, Media: f.id, View: view.String(),
		Agent: agents[a.rnd.IntN(len(agents))], Address: fmt.Sprintf("198.51.100.%d", a.rnd.IntN(256)),
	}
	switch {
	case a.chance(5):
		proto.Bot, proto.Agent = true, crawler
	case a.chance(10):
		proto.OptedOut = true
	case a.chance(25):
		proto.Identity = fmt.Sprintf("person%d@example.com", a.rnd.IntN(500))
	}
	life := beacon.TokenLife
	if a.chance(2) {
		proto.Want, life = wantLate, -time.Minute
	}
	token, err := a.token(&proto, f, life)
	if err != nil {
		return nil, err
	}
	return a.bodies(proto, token, f)
}

func (a *author) token(of *item, f film, life time.Duration) (string, error) {
	now := time.Now()
	return beacon.SignViewToken(a.key, beacon.Claims{
		Account: f.account, Media: f.id, View: of.View, Duration: time.Duration(f.durationMS) * time.Millisecond,
		Identity: of.Identity, IssuedAt: now.Add(-2 * time.Minute), ExpiresAt: now.Add(life),
	})
}

// bodies cuts what happens into numbered batches.
func (a *author) bodies(proto item, token string, f film) ([]item, error) {
	events := a.watch(f)
	var items []item
	for len(events) > 0 {
		n := min(len(events), 1+a.rnd.IntN(a.dense))
		batch := fields{"v": 1, "token": token, "seq": len(items), "sent_at_ms": events[n-1]["at_ms"], "events": events[:n]}
		if len(items) == 0 {
			page := fields{"url": fmt.Sprintf("https://site.example/page%d?x=%d", a.rnd.IntN(20), a.rnd.IntN(1000)), "referrer": "https://search.example/", "language": "en"}
			if c := campaigns[a.rnd.IntN(len(campaigns))]; c != "" {
				page["utm_source"] = c
			}
			batch["page"] = page
		}
		body, err := json.Marshal(batch)
		if err != nil {
			return nil, err
		}
		it := proto
		it.Seq, it.Body = len(items), body
		if it.Want == wantTaken {
			it.events = n
		}
		items, events = append(items, it), events[n:]
	}
	return items, nil
}

// watch plays a film with seeks back and forth. No two events are the same.
func (a *author) watch(f film) []fields {
	at := time.Now().Add(-time.Minute).UnixMilli()
	events := []fields{}
	add := func(kind string, e fields) {
		at++
		e["k"], e["at_ms"] = kind, at
		events = append(events, e)
	}
	add("load", fields{})
	if a.chance(15) {
		return events
	}
	add("play", fields{"pos_ms": 0, "autoplay": a.chance(20)})
	add("startup", fields{"took_ms": 100 + a.rnd.IntN(900)})
	seen, head := make([]bool, f.durationMS), int64(0)
	for range 2 + a.rnd.IntN(8) {
		to := min(f.durationMS, head+1+a.rnd.Int64N(f.durationMS/2))
		for from := head; from < to; {
			end, again := from, seen[from]
			for end < to && seen[end] == again {
				seen[end] = true
				end++
			}
			add("watch", fields{"from_ms": from, "to_ms": end, "rate": []float64{1, 1, 1, 1.5, 2}[a.rnd.IntN(5)], "repeat": again, "muted": a.chance(10)})
			from = end
		}
		if head = to; head == f.durationMS {
			add("end", fields{"pos_ms": head})
		}
		switch a.rnd.IntN(6) {
		case 0:
			add("rebuffer", fields{"pos_ms": head, "took_ms": a.rnd.IntN(3000)})
		case 1:
			add("error", fields{"pos_ms": head, "code": "network", "severity": "warning", "message": strings.Repeat("x", a.rnd.IntN(60))})
		case 2:
			add("action", fields{"pos_ms": head, "type": "cta", "id": fmt.Sprintf("cta%d", a.rnd.IntN(3)), "verb": "click"})
		case 3:
			add("rung", fields{"pos_ms": head, "height": 720, "bitrate_bps": 2_000_000, "shift": "up"})
		case 4:
			add("pause", fields{"pos_ms": head})
		}
		next := a.rnd.Int64N(f.durationMS)
		add("seek", fields{"from_ms": head, "to_ms": next})
		head = next
	}
	return events
}
