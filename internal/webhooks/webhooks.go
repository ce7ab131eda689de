// Package webhooks tells endpoints of an account what happened, after the Standard
// Webhooks specification: a JSON message {type, timestamp, data} by POST, with the
// headers webhook-id, webhook-timestamp and webhook-signature.
//
// An event is committed with the change it tells of (catalog.OutboxEvent) and reaches
// each endpoint at least once: a try that does not answer 2xx within 15 s is repeated,
// with the same webhook-id, after 5 s, 15 s, 1 min and ever longer pauses, each by
// chance a fifth shorter or longer, for three days. After five failures in a row the
// endpoint rests, half a minute at first and an hour at most, and is then tried by one
// delivery alone; one that has not answered for three days, or says 410 Gone, is
// switched off. At most four deliveries wait for one endpoint, so that a slow receiver
// does not hold up others. Redirects are not followed, and nothing is sent into the
// operator's own networks (package outbound).
//
// While a secret is rotated messages are signed with both. A Service is safe for
// concurrent use.
package webhooks

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/internal/outbound"
)

// Config says how messages are sent.
type Config struct {
	// SealingKey closes the secrets that are stored, 32 bytes.
	SealingKey []byte
	// Allow are networks of the operator's that endpoints may be in. Default none.
	Allow []netip.Prefix
	// Timeout bounds one try. Default 15 s.
	Timeout time.Duration
	// PollEvery is how often the outbox is looked into. Default 500 ms.
	PollEvery time.Duration
	// Pauses are those between tries; the last one repeats. Default 5 s to 8 h.
	Pauses []time.Duration
	// KeepTrying is how long after its event a message is tried. Default 72 h.
	KeepTrying time.Duration
	// KeepLog is how long the log knows of finished deliveries. Default 30 days.
	KeepLog time.Duration
}

// DefaultConfig returns the defaults; the key is left to the caller.
func DefaultConfig() Config {
	return Config{
		Timeout: 15 * time.Second, PollEvery: 500 * time.Millisecond, KeepTrying: 72 * time.Hour, KeepLog: 30 * 24 * time.Hour,
		Pauses: []time.Duration{5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
			time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour},
	}
}

// Validate reports every problem at once.
func (c Config) Validate() error {
	var errs []error
	if len(c.SealingKey) != 32 {
		errs = append(errs, errors.New("a key for stored secrets is needed"))
	}
	if c.Timeout <= 0 || c.PollEvery <= 0 || c.KeepTrying <= 0 || c.KeepLog <= 0 || len(c.Pauses) == 0 {
		errs = append(errs, errors.New("timeout, intervals and pauses must be positive"))
	}
	return errors.Join(errs...)
}

// Jobs enqueues work in the transaction of the rows it belongs to.
type Jobs interface {
	InsertTx(ctx context.Context, tx catalog.Tx, args river.JobArgs, opts *river.InsertOpts) error
}

// Service keeps endpoints and sends to them.
type Service struct {
	cfg    Config
	db     *catalog.DB
	jobs   Jobs
	client *http.Client
	log    *slog.Logger

	mu     sync.Mutex
	flying map[string]int // tries in hand, by endpoint
}

// New returns a Service and starts nothing; see Register, AddWorkers and Run.
func New(cfg Config, db *catalog.DB, jobs Jobs, log *slog.Logger) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	client := outbound.New(outbound.Config{Allow: cfg.Allow, Timeout: cfg.Timeout})
	return &Service{cfg: cfg, db: db, jobs: jobs, client: client, log: log, flying: map[string]int{}}, nil
}

// AddWorkers registers the worker that sends.
func AddWorkers(c *jobs.Client, s *Service) { jobs.AddWorker(c, &sender{service: s}) }

// Run queues a delivery of each event of the outbox to each endpoint that wants it,
// until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	look, purge := time.NewTicker(s.cfg.PollEvery), time.NewTicker(time.Hour)
	defer look.Stop()
	defer purge.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-purge.C:
			if err := s.db.PurgeDeliveries(ctx, time.Now().Add(-s.cfg.KeepLog)); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "old deliveries not purged", "err", err)
			}
		case <-look.C:
			if err := s.empty(ctx); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "outbox not emptied", "err", err)
			}
		}
	}
}

// outboxBatch is how many events are queued in one transaction.
const outboxBatch = 100

func (s *Service) empty(ctx context.Context) error {
	for {
		some, err := s.db.HasOutbox(ctx)
		if err != nil || !some {
			return err
		}
		taken := 0
		err = s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
			events, err := s.db.TakeOutbox(ctx, tx, outboxBatch)
			if err != nil {
				return err
			}
			taken = len(events)
			ids := make([]string, 0, len(events))
			for _, e := range events {
				ids = append(ids, e.ID)
				if err := s.fanOut(ctx, tx, e); err != nil {
					return err
				}
			}
			return s.db.DropOutbox(ctx, tx, ids)
		})
		if err != nil || taken == 0 { // others hold what is left
			return err
		}
	}
}

// fanOut queues a delivery of e to each endpoint that wants it.
func (s *Service) fanOut(ctx context.Context, tx catalog.Tx, e catalog.OutboxEvent) error {
	endpoints, err := s.db.WebhookEndpoints(ctx, tx, e.AccountID)
	if err != nil {
		return err
	}
	payload := ""
	for _, to := range endpoints {
		if types := to.TypeList(); !to.Enabled || len(types) > 0 && !slices.Contains(types, e.Type) {
			continue
		}
		if payload == "" {
			payload, err = s.payload(ctx, tx, e)
			if errors.Is(err, sql.ErrNoRows) {
				return nil // what it tells of is gone for good
			}
			if err != nil {
				return err
			}
		}
		if err := s.queue(ctx, tx, to, e, payload); err != nil {
			return err
		}
	}
	return nil
}

// queue adds a delivery and the job that makes it.
func (s *Service) queue(ctx context.Context, tx catalog.Tx, to catalog.WebhookEndpoint, e catalog.OutboxEvent, payload string) error {
	d := catalog.WebhookDelivery{EndpointID: to.ID, AccountID: to.AccountID, MessageID: e.ID, Type: e.Type, Subject: e.Subject, Payload: payload}
	added, err := s.db.AddDelivery(ctx, tx, &d)
	if err != nil || !added {
		return err
	}
	return s.jobs.InsertTx(ctx, tx, jobs.WebhookArgs{DeliveryID: d.ID}, nil)
}

// message is what is posted.
type message struct {
	Type      string          `json:"type"`
	Timestamp time.Time       `json:"timestamp"` // when it happened
	Data      json.RawMessage `json:"data"`
}

// mediaData is what a message tells of a media.
type mediaData struct {
	ID              string   `json:"id"`
	Name            string   `json:"name"`
	State           string   `json:"state"`
	DurationSeconds float64  `json:"duration_seconds"`
	Width           int      `json:"width"`
	Height          int      `json:"height"`
	Failure         *failure `json:"failure,omitempty"`
}

type failure struct {
	Code      string `json:"code"`
	Reason    string `json:"reason"`
	Retryable bool   `json:"retryable"`
}

// payload makes the message of e, the same bytes for every endpoint and try.
func (s *Service) payload(ctx context.Context, tx catalog.Tx, e catalog.OutboxEvent) (string, error) {
	data := []byte(e.Data)
	if e.Data == "" {
		var m catalog.Media
		if err := tx.NewSelect().Model(&m).Where("id = ?", e.Subject).Scan(ctx); err != nil {
			return "", fmt.Errorf("media of event %s: %w", e.ID, err)
		}
		told := mediaData{ID: m.ID, Name: m.Name, State: stateOf[e.Type], DurationSeconds: float64(m.DurationMS) / 1000, Width: m.Width, Height: m.Height}
		if e.Type == catalog.EventMediaFailed {
			told.Failure = &failure{m.FailureCode, m.FailureReason, m.FailureRetryable}
		}
		var err error
		if data, err = json.Marshal(told); err != nil {
			return "", fmt.Errorf("event %s: %w", e.ID, err)
		}
	}
	raw, err := json.Marshal(message{Type: e.Type, Timestamp: time.UnixMilli(e.CreatedMS).UTC(), Data: data})
	if err != nil {
		return "", fmt.Errorf("event %s: %w", e.ID, err)
	}
	return string(raw), nil
}

var stateOf = map[string]string{catalog.EventMediaPlayable: "playable", catalog.EventMediaReady: "ready", catalog.EventMediaFailed: "failed", catalog.EventMediaDeleted: "deleted"}
