package collect

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mileusna/useragent"

	"github.com/vitascope/vitascope/internal/beacon"
)

// maxAgentLen cuts user agents; real ones are far shorter.
const maxAgentLen = 512

// agent is what is kept of a user agent.
type agent struct {
	device, browser, os string
	bot                 string // why it is one, or empty
}

// receipt returns a new number for a receipt.
func receipt() uint64 { return max(1, rand.Uint64()) }

// enrich makes the record of the work's clamped batch.
func (h *Handler) enrich(w *work, c beacon.Claims, in *arrival, received time.Time) {
	b, record := &w.batch, &w.record
	ua := in.agent[:min(len(in.agent), maxAgentLen)]
	a := h.agent(ua)
	*record = beacon.Record{
		V: beacon.Version, Account: c.Account, Media: c.Media, View: c.View, Seq: b.Seq,
		ReceivedAtMS: received.UnixMilli(), Receipt: receipt(), Page: b.Page,
		Device: a.device, Browser: a.browser, OS: a.os, Bot: a.bot != "", BotReason: a.bot,
		DurationMS: c.Duration.Milliseconds(), Events: b.Events, OptedOut: in.optedOut, Leaving: b.Leaving, Country: in.memo.country,
	}
	if c.Variant != "" { // said under our signature: it counts in every batch of the view
		page := beacon.Page{}
		if b.Page != nil {
			page = *b.Page
		}
		page.Variant = c.Variant
		record.Page = &page
	}
	if !in.optedOut {
		record.Visitor = h.visitorOf(in, c.Account, ua, received)
		record.Identity = h.identity(b.Viewer, c, received)
	}
}

// identity returns who the viewer is, if a token of the view's account says so.
func (h *Handler) identity(token string, c beacon.Claims, now time.Time) string {
	if token == "" {
		return c.Identity
	}
	v, ok := h.viewers.GetIfPresent(token)
	if !ok || !now.Before(v.ExpiresAt) {
		var err error
		if v, err = beacon.VerifyViewerToken(h.keys.ViewToken, token, now); err != nil {
			h.metrics.strangers.Inc()
			return c.Identity
		}
		h.viewers.Set(strings.Clone(token), v)
	}
	if v.Account != c.Account {
		h.metrics.strangers.Inc()
		return c.Identity
	}
	return v.Identity
}

// visitor returns the pseudonym of the day.
func (day *daySalt) visitor(account string, addr netip.Addr, ua string) string {
	mac, _ := day.macs.Get().(hash.Hash)
	defer day.macs.Put(mac)
	mac.Reset()
	var buffer [1024]byte
	b := append(append(buffer[:0], account...), '|')
	b = append(addr.Unmap().AppendTo(b), '|')
	mac.Write(append(b, ua...))
	var sum [sha256.Size]byte
	return hex.EncodeToString(mac.Sum(sum[:0])[:16])
}

// salts remembers the salt of the day it was last asked for.
type salts struct {
	of   func(day string) []byte
	last atomic.Pointer[daySalt]
}

type daySalt struct {
	day  string
	from time.Time
	macs sync.Pool // of HMACs under the day's salt
}

func (s *salts) at(t time.Time) *daySalt {
	if last := s.last.Load(); last != nil && !t.Before(last.from) && t.Before(last.from.Add(24*time.Hour)) {
		return last
	}
	from := t.UTC().Truncate(24 * time.Hour)
	fresh := &daySalt{day: from.Format(time.DateOnly), from: from}
	salt := s.of(fresh.day)
	fresh.macs.New = func() any { return hmac.New(sha256.New, salt) }
	s.last.Store(fresh)
	return fresh
}

func (h *Handler) agent(ua string) agent {
	if a, ok := h.agents.GetIfPresent(ua); ok {
		return a
	}
	a := parseAgent(ua)
	h.agents.Set(strings.Clone(ua), a)
	return a
}

// Names outside these lists become "other": they come from strangers, and a
// column of few values must stay one.
var (
	browsers = map[string]bool{
		useragent.Opera: true, useragent.OperaMini: true, useragent.OperaTouch: true, useragent.Chrome: true,
		useragent.HeadlessChrome: true, useragent.Firefox: true, useragent.InternetExplorer: true, useragent.Safari: true,
		useragent.Edge: true, useragent.Vivaldi: true, "Samsung Browser": true, "Android browser": true, "Brave": true,
	}
	systems = map[string]bool{
		useragent.Windows: true, useragent.WindowsPhone: true, useragent.Android: true, useragent.MacOS: true, useragent.IOS: true,
		useragent.Linux: true, useragent.FreeBSD: true, useragent.ChromeOS: true, useragent.BlackBerry: true,
	}
	televisions = []string{"smart-tv", "smarttv", "appletv", "apple tv", "googletv", "google tv", "hbbtv", "bravia", "web0s", "crkey", "roku", "aftb", "aftt", "aftm"}
)

// parseAgent reduces a user agent. An empty one is a bot's: browsers send one.
// A headless browser is not, though the parser says so: crawlers do not play
// videos, and who tests a page in one expects to see the play counted.
func parseAgent(ua string) agent {
	if strings.TrimSpace(ua) == "" {
		return agent{device: "bot", bot: beacon.BotNoAgent}
	}
	p := useragent.Parse(ua)
	a := agent{browser: known(browsers, p.Name), os: known(systems, p.OS)}
	if p.Bot && p.Name != useragent.HeadlessChrome {
		a.bot = beacon.BotAgent
	}
	lower := strings.ToLower(ua)
	switch {
	case a.bot != "":
		a.device = "bot"
	case containsAny(lower, televisions):
		a.device = "tv"
	case p.Tablet:
		a.device = "tablet"
	case p.Mobile:
		a.device = "mobile"
	case p.Desktop:
		a.device = "desktop"
	}
	return a
}

func known(names map[string]bool, name string) string {
	if name == "" || names[name] {
		return name
	}
	return "other"
}

func containsAny(s string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}
