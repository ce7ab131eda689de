// Package collect receives beacons: it checks the view token, validates and
// clamps the body, adds what the request tells about the viewer, and answers
// 204 once the event log has the record on every in-sync replica.
//
// A 204 is a promise: the beacon will be in the figures, once, however often it
// is sent. Anything else means that it was not taken: 403, 413 and 422 for what
// will never be taken, with a problem type that names the reason
// (/problems/beacon-<code>, codes in package beacon), 503 with Retry-After when
// the event log is away. A player repeats after a 503 or no answer, with the
// same number and bytes.
//
// The viewer's address is used to tell visitors of one day apart and kept
// nowhere: a visitor is an HMAC of account, address and user agent under a salt
// of the day (UTC). With Sec-GPC: 1 or DNT: 1 there is none, and the view
// counts for itself. The user agent is reduced to device, browser and system.
//
// Beacons come from any page, without credentials: Access-Control-Allow-Origin
// is *, and text/plain needs no preflight. A Handler is safe for concurrent use.
package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
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

// Producer appends to the event log and returns when it is acknowledged.
type Producer interface {
	Write(ctx context.Context, topic string, messages ...eventlog.Message) error
}

// Handler answers beacons.
type Handler struct {
	cfg      Config
	keys     Keys
	producer Producer
	metrics  *metrics
	log      *slog.Logger
	now      func() time.Time
	rejects  *rate.Limiter
	agents   *otter.Cache[string, agent]
	tokens   *otter.Cache[string, beacon.Claims] // verified ones; each is good for all beacons of a view
	salts    salts
	bodies   sync.Pool
}

// New checks cfg and keys and returns a Handler.
func New(cfg Config, keys Keys, producer Producer, reg prometheus.Registerer, log *slog.Logger) (*Handler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("collect: %w", err)
	}
	if len(keys.ViewToken) < 32 || keys.VisitorSalt == nil {
		return nil, errors.New("collect: a view token key of 32 bytes or more and a visitor salt are needed")
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, fmt.Errorf("collect: %w", err)
	}
	agents, err := otter.New(&otter.Options[string, agent]{MaximumSize: 4096})
	if err != nil {
		return nil, fmt.Errorf("collect: %w", err)
	}
	tokens, err := otter.New(&otter.Options[string, beacon.Claims]{MaximumSize: 20_000})
	if err != nil {
		return nil, fmt.Errorf("collect: %w", err)
	}
	return &Handler{
		cfg: cfg, keys: keys, producer: producer, metrics: m, log: log, now: time.Now, agents: agents, tokens: tokens,
		rejects: rate.NewLimiter(rate.Limit(cfg.RejectsPerSecond), 2*cfg.RejectsPerSecond),
		salts:   salts{of: keys.VisitorSalt},
		bodies:  sync.Pool{New: func() any { b := make([]byte, beacon.MaxBody+1); return &b }},
	}, nil
}

// Register adds the routes. They take no credentials, so checks of the caller's
// origin must leave them out.
func (h *Handler) Register(e *echo.Echo) {
	e.POST(Path, h.post)
	e.OPTIONS(Path, h.options)
}

func allowAnyOrigin(c echo.Context) http.Header {
	header := c.Response().Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	return header
}

func (h *Handler) options(c echo.Context) error {
	header := allowAnyOrigin(c)
	header.Set("Access-Control-Allow-Methods", "POST, OPTIONS")
	header.Set("Access-Control-Allow-Headers", "Content-Type")
	header.Set("Access-Control-Max-Age", "86400")
	return c.NoContent(http.StatusNoContent)
}

func (h *Handler) post(c echo.Context) error {
	header := allowAnyOrigin(c)
	header.Set("Cache-Control", "no-store")
	r := c.Request()
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "text/plain" || r.Header.Get("Content-Encoding") != "" {
		h.metrics.beacons.WithLabelValues("media_type").Inc()
		return fault.New(fault.Invalid, "beacon-media-type", "A beacon is text/plain without Content-Encoding.")
	}
	buffer := h.bodies.Get().(*[]byte)
	defer h.bodies.Put(buffer)
	n, err := io.ReadFull(r.Body, *buffer)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.Wrap(fault.Invalid, err, "beacon-body", "The body could not be read.")
	}
	body, received := (*buffer)[:n], h.now()
	batch, claims, err := h.check(body, received)
	if err != nil {
		return h.refuse(r.Context(), err, body, received)
	}
	batch.Clamp(claims.Duration, received)
	record := h.enrich(batch, claims, r, c.RealIP(), received)
	if err := h.produce(r.Context(), record); err != nil {
		h.metrics.beacons.WithLabelValues("unavailable").Inc()
		header.Set("Retry-After", strconv.Itoa(int(h.cfg.RetryAfter.Seconds())))
		return fault.Wrap(fault.Unavailable, err, "event-log-away", "Beacons cannot be taken right now. Send it again later.")
	}
	h.metrics.count(record)
	return c.NoContent(http.StatusNoContent)
}

func (h *Handler) check(body []byte, now time.Time) (*beacon.Batch, beacon.Claims, error) {
	batch, err := beacon.Decode(body)
	if err != nil {
		return nil, beacon.Claims{}, err
	}
	claims, ok := h.tokens.GetIfPresent(batch.Token)
	if ok && now.Before(claims.ExpiresAt) {
		return batch, claims, nil
	}
	claims, err = beacon.VerifyViewToken(h.keys.ViewToken, batch.Token, now)
	if err == nil {
		h.tokens.Set(batch.Token, claims)
	}
	return batch, claims, err
}

// produce waits for the acknowledgement even if the viewer has left: a page that
// closes does not wait for its last beacon's answer.
func (h *Handler) produce(ctx context.Context, record *beacon.Record) error {
	value, err := beacon.EncodeRecord(record)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.cfg.AckTimeout)
	defer cancel()
	started := time.Now()
	if err := h.producer.Write(ctx, eventlog.TopicBeacons, eventlog.Message{Key: []byte(record.View), Value: value}); err != nil {
		return err
	}
	h.metrics.ack.Observe(time.Since(started).Seconds())
	return nil
}

// refuse keeps a refused body, as far as the rate allows, and returns the answer.
func (h *Handler) refuse(ctx context.Context, err error, body []byte, at time.Time) error {
	refusal, ok := errors.AsType[*beacon.Error](err)
	if !ok {
		return err
	}
	h.metrics.beacons.WithLabelValues("refused").Inc()
	h.metrics.refused.WithLabelValues(string(refusal.Code)).Inc()
	if refusal.Code != beacon.CodeTooLarge && h.rejects.AllowN(at, 1) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		raw := append([]byte(nil), body...) // the producer may hold it longer than this call
		if err := h.producer.Write(ctx, eventlog.TopicRejected, eventlog.Rejected("collect", string(refusal.Code), refusal.Detail, "", at, raw)); err != nil {
			h.metrics.unkept.Inc()
			h.log.DebugContext(ctx, "refused beacon not kept", "err", err)
		}
	} else {
		h.metrics.unkept.Inc()
	}
	kind := fault.Invalid
	switch refusal.Code {
	case beacon.CodeTooLarge:
		kind = fault.TooLarge
	case beacon.CodeTokenMissing, beacon.CodeTokenInvalid, beacon.CodeTokenExpired:
		kind = fault.Forbidden
	}
	return fault.New(kind, "beacon-"+strings.ReplaceAll(string(refusal.Code), "_", "-"), "The beacon was refused: %s.", refusal.Detail)
}
