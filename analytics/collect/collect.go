// Package collect receives beacons: it checks the view token, validates and
// clamps the body, adds what the request tells about the viewer, and answers
// 204 once the event log has the record on every in-sync replica.
//
// A 204 is a promise: the beacon will be in the figures, once, however often it
// is sent. Anything else means that it was not taken: 403, 413 and 422 for what
// will never be taken, with a problem type that names the reason
// (/problems/beacon-<code>, codes in package beacon), 429 for too many from one
// address or for one media, 503 for now, both with Retry-After. A player repeats
// after these or no answer, with the same number and bytes.
//
// While the event log is away beacons are synced to disk and answered as ever;
// once it is back they go there in their order. 503 is said only when that
// folder is full, or there is none.
//
// A body is a batch, or an array of 2 to 20: what a page with many players has to say
// at once. Each of them is taken or refused by itself.
//
// Each batch answered for good, refused ones too, leaves one receipt in the event
// log (see package beacon, Ledger). Refused bodies are kept in the rejected
// topic, as they came, with the reason.
//
// The viewer's address is used to look up the country and to tell visitors of
// one day apart, and is kept nowhere: a visitor is an HMAC of account, address
// and user agent under a salt of the day (UTC). With Sec-GPC: 1 or DNT: 1 there
// is neither visitor nor identity, and the view counts for itself. The user
// agent is reduced to device, browser and system.
//
// Beacons come from any page, without credentials: Access-Control-Allow-Origin
// is *, and text/plain needs no preflight. A body may be gzipped; it is read to
// its limit and not beyond. Memory is bounded whatever is sent: bodies, caches
// and what waits for the log have limits.
//
// A Handler is safe for concurrent use. Beside its echo routes it has a lane, see
// [Handler.Lane], that answers the common request on its own, and where it can
// without a goroutine that waits for the log.
package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/eventlog"
	"github.com/vitascope/vitascope/internal/fault"
)

// Path is where beacons are posted.
const Path = "/beacons/v1"

// Keys are the secrets collect needs.
type Keys struct {
	// ViewToken verifies view tokens.
	ViewToken []byte
	// VisitorSalt returns the salt of a day, "2006-01-02" in UTC.
	VisitorSalt func(day string) []byte
}

// Producer appends to the event log and returns when it is acknowledged, or after
// about so long.
type Producer interface {
	WriteWithin(within time.Duration, topic string, messages ...eventlog.Message) error
	// WriteThen does not wait: it tells when one message is acknowledged.
	WriteThen(within time.Duration, topic string, m eventlog.Message, tell eventlog.Landing) error
}

// Countries tells which country an address is in: "" when it does not know.
type Countries interface {
	Of(addr netip.Addr) string
}

// Handler answers beacons.
type Handler struct {
	cfg       Config
	keys      Keys
	countries Countries // may be nil
	keeper    *keeper
	metrics   *metrics
	log       *slog.Logger
	now       func() time.Time
	rejects   *rate.Limiter
	addresses *limits
	media     *limits
	agents    *otter.Cache[string, agent]
	tokens    *otter.Cache[string, beacon.Claims] // verified ones; each is good for all beacons of a view
	viewers   *otter.Cache[string, beacon.Viewer] // verified identities
	salts     salts
	bodies    sync.Pool
	works     sync.Pool // of *work
}

// New checks cfg and keys and returns a Handler, which opens its spool. Without
// countries no country is told.
func New(cfg Config, keys Keys, producer Producer, countries Countries, reg prometheus.Registerer, log *slog.Logger) (*Handler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("collect: %w", err)
	}
	if len(keys.ViewToken) < 32 || keys.VisitorSalt == nil {
		return nil, errors.New("collect: a view token key of 32 bytes or more and a visitor salt are needed")
	}
	h := &Handler{
		cfg: cfg, keys: keys, countries: countries, log: log, now: time.Now,
		rejects: rate.NewLimiter(rate.Limit(cfg.RejectsPerSecond), 2*cfg.RejectsPerSecond),
		salts:   salts{of: keys.VisitorSalt},
		bodies:  sync.Pool{New: func() any { b := make([]byte, beacon.MaxBody+1); return &b }},
		works:   sync.Pool{New: func() any { return &work{} }},
	}
	for _, open := range []func() error{
		func() (err error) { h.metrics, err = newMetrics(reg); return err },
		func() (err error) { h.keeper, err = newKeeper(cfg, producer, h.metrics, log); return err },
		func() (err error) { h.addresses, err = newLimits(cfg.AddressPerSecond, 50_000); return err },
		func() (err error) { h.media, err = newLimits(cfg.MediaPerSecond, 10_000); return err },
		func() (err error) { h.agents, err = cache[agent](4096); return err },
		func() (err error) { h.tokens, err = cache[beacon.Claims](20_000); return err },
		func() (err error) { h.viewers, err = cache[beacon.Viewer](5000); return err },
	} {
		if err := open(); err != nil {
			return nil, fmt.Errorf("collect: %w", err)
		}
	}
	return h, nil
}

func cache[V any](size int) (*otter.Cache[string, V], error) {
	return otter.New(&otter.Options[string, V]{MaximumSize: size})
}

// Run moves what waits on disk to the event log until ctx ends.
func (h *Handler) Run(ctx context.Context) error { return h.keeper.run(ctx) }

// arrival is what a request says.
type arrival struct {
	body      []byte // valid only during the call
	mediaType string
	encoding  string
	agent     string
	address   netip.Addr
	optedOut  bool
	sentAt    string
	memo      *memo
}

// work is the memory that one beacon after the other uses.
type work struct {
	batch  beacon.Batch
	record beacon.Record
	value  []byte
}

// take makes the batches of a body durable, or says why not.
func (h *Handler) take(ctx context.Context, a *arrival) error {
	received := h.now()
	if !h.admit(a, received) {
		return h.limited("address")
	}
	body, release, err := h.plain(a)
	if err != nil {
		return h.refuse(ctx, err, beacon.Claims{}, a.body, received)
	}
	defer release()
	if several := split(body); several != nil {
		return h.takeAll(ctx, a, several, received)
	}
	return h.takeOne(ctx, a, body, received)
}

// takeAll takes batches one by one. The answer is the one that matters most: that of a
// batch to send again, then that of a refused one.
func (h *Handler) takeAll(ctx context.Context, a *arrival, batches []json.RawMessage, received time.Time) error {
	if !a.memo.limiter.AllowN(received, len(batches)-1) {
		return h.limited("address")
	}
	var refused error
	for _, batch := range batches {
		err := h.takeOne(ctx, a, batch, received)
		if h.retryAfter(err) != "" {
			return err
		}
		if refused == nil {
			refused = err
		}
	}
	return refused
}

// takeOne makes a batch durable, or says why it is not taken.
func (h *Handler) takeOne(ctx context.Context, a *arrival, body []byte, received time.Time) error {
	w, _ := h.works.Get().(*work)
	defer h.works.Put(w)
	claims, err := h.check(&w.batch, body, received)
	if err != nil {
		return h.refuse(ctx, err, claims, body, received)
	}
	if !h.media.allow(claims.Media, received) {
		return h.limited("media")
	}
	m, err := h.fill(w, claims, a, received)
	if err == nil {
		err = h.keep(ctx, m, received)
	}
	if err != nil {
		return err
	}
	h.metrics.count(&w.record)
	return nil
}

// admit tells whether the address may send another.
func (h *Handler) admit(a *arrival, received time.Time) bool {
	h.recall(a, received)
	if a.memo.admitted { // when it came, and could not be answered at once
		a.memo.admitted = false
		return true
	}
	return a.memo.limiter.AllowN(received, 1)
}

// fill makes the record of the work's batch, and the message of that.
func (h *Handler) fill(w *work, claims beacon.Claims, a *arrival, received time.Time) (eventlog.Message, error) {
	if a.sentAt != "" {
		if at, err := strconv.ParseInt(a.sentAt, 10, 64); err == nil {
			w.batch.Sent(at)
		}
	}
	w.batch.Clamp(claims.Duration, received)
	h.enrich(w, claims, a, received)
	return w.message(w.record.View)
}

// message returns the work's record under key, in memory of its own.
func (w *work) message(key string) (eventlog.Message, error) {
	var err error
	if w.value, err = beacon.AppendRecord(w.value[:0], &w.record); err != nil {
		return eventlog.Message{}, err
	}
	both := make([]byte, len(key)+len(w.value))
	copy(both[copy(both, key):], w.value)
	return eventlog.Message{Key: both[:len(key):len(key)], Value: both[len(key):]}, nil
}

func (h *Handler) limited(by string) error {
	h.metrics.beacons.WithLabelValues("limited").Inc()
	h.metrics.limited.WithLabelValues(by).Inc()
	return fault.New(fault.RateLimited, "beacon-rate", "Too many beacons for one %s. Send it again later.", by)
}

func (h *Handler) unavailable(err error) error {
	h.metrics.beacons.WithLabelValues("unavailable").Inc()
	return fault.Wrap(fault.Unavailable, err, "event-log-away", "Beacons cannot be taken right now. Send it again later.")
}

// check decodes a body and verifies its token. With an error it returns the
// claims if the token is good.
func (h *Handler) check(batch *beacon.Batch, body []byte, now time.Time) (beacon.Claims, error) {
	readable, err := batch.Decode(body)
	if !readable {
		return beacon.Claims{}, err
	}
	claims, ok := h.tokens.GetIfPresent(batch.Token)
	if ok && now.Before(claims.ExpiresAt) {
		return claims, err
	}
	claims, invalid := beacon.VerifyViewToken(h.keys.ViewToken, batch.Token, now)
	if invalid == nil {
		h.tokens.Set(strings.Clone(batch.Token), claims) // it is part of the body
	}
	if err == nil {
		err = invalid
	}
	return claims, err
}

// keep makes a record's message durable.
func (h *Handler) keep(ctx context.Context, m eventlog.Message, received time.Time) error {
	if err := h.keeper.keep(ctx, eventlog.TopicBeacons, m, received); err != nil {
		return h.unavailable(err)
	}
	return nil
}

// refuse keeps a refused body, as far as the rate allows, and a receipt of it,
// and returns the answer.
func (h *Handler) refuse(ctx context.Context, err error, claims beacon.Claims, body []byte, at time.Time) error {
	refusal, ok := errors.AsType[*beacon.Error](err)
	if !ok {
		return err
	}
	record := beacon.Record{
		V: beacon.Version, Receipt: receipt(), ReceivedAtMS: at.UnixMilli(), Refused: refusal.Code,
		Account: claims.Account, Media: claims.Media, View: claims.View,
	}
	if refusal.Code != beacon.CodeTooLarge && h.rejects.AllowN(at, 1) {
		raw := append([]byte(nil), body...) // held longer than this call
		m := eventlog.Rejected("collect", string(refusal.Code), refusal.Detail, "", at, raw)
		m.Headers = append(m.Headers, eventlog.Header{Key: "receipt", Value: strconv.AppendUint(nil, record.Receipt, 10)})
		if err := h.keeper.keep(ctx, eventlog.TopicRejected, m, at); err != nil {
			return h.unavailable(err)
		}
	} else {
		h.metrics.unkept.Inc()
	}
	m, failed := (&work{record: record}).message(strconv.FormatUint(record.Receipt, 36))
	if failed == nil {
		failed = h.keep(ctx, m, at)
	}
	if failed != nil {
		return failed
	}
	h.metrics.beacons.WithLabelValues("refused").Inc()
	h.metrics.refused.WithLabelValues(string(refusal.Code)).Inc()
	kind := fault.Invalid
	switch refusal.Code {
	case beacon.CodeTooLarge:
		kind = fault.TooLarge
	case beacon.CodeTokenMissing, beacon.CodeTokenInvalid, beacon.CodeTokenExpired:
		kind = fault.Forbidden
	}
	return fault.New(kind, "beacon-"+strings.ReplaceAll(string(refusal.Code), "_", "-"), "The beacon was refused: %s.", refusal.Detail)
}
