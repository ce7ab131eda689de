package collect

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
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
	bot                 bool
}

// enrich makes the record of a clamped batch.
func (h *Handler) enrich(b *beacon.Batch, c beacon.Claims, r *http.Request, addr string, received time.Time) *beacon.Record {
	ua := r.UserAgent()
	ua = ua[:min(len(ua), maxAgentLen)]
	a := h.agent(ua)
	record := &beacon.Record{
		V: beacon.Version, Account: c.Account, Media: c.Media, View: c.View, Seq: b.Seq,
		ReceivedAtMS: received.UnixMilli(), Page: b.Page, Device: a.device, Browser: a.browser, OS: a.os, Bot: a.bot,
		DurationMS: c.Duration.Milliseconds(), Events: b.Events,
	}
	if !optedOut(r.Header) {
		record.Visitor = h.visitor(c.Account, addr, ua, received)
	}
	return record
}

// optedOut honours Global Privacy Control and Do Not Track.
func optedOut(header http.Header) bool {
	return header.Get("Sec-GPC") == "1" || header.Get("DNT") == "1"
}

// visitor returns the pseudonym of the day.
func (h *Handler) visitor(account, addr, ua string, at time.Time) string {
	mac := hmac.New(sha256.New, h.salts.at(at))
	mac.Write([]byte(account + "|" + addr + "|" + ua))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// salts remembers the salt of the day it was last asked for.
type salts struct {
	of   func(day string) []byte
	last atomic.Pointer[daySalt]
}

type daySalt struct {
	day  string
	salt []byte
}

func (s *salts) at(t time.Time) []byte {
	day := t.UTC().Format(time.DateOnly)
	if last := s.last.Load(); last != nil && last.day == day {
		return last.salt
	}
	fresh := &daySalt{day: day, salt: s.of(day)}
	s.last.Store(fresh)
	return fresh.salt
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
		return agent{device: "bot", bot: true}
	}
	p := useragent.Parse(ua)
	a := agent{browser: known(browsers, p.Name), os: known(systems, p.OS), bot: p.Bot && p.Name != useragent.HeadlessChrome}
	lower := strings.ToLower(ua)
	switch {
	case a.bot:
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
