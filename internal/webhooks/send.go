package webhooks

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/riverqueue/river"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/internal/outbound"
	"github.com/vitascope/vitascope/internal/playback"
)

const (
	// flyingMost is how many tries may wait for one endpoint.
	flyingMost = 4
	// restAfter failures in a row an endpoint rests.
	restAfter = 5
	firstRest = 30 * time.Second
	longRest  = time.Hour
)

// sender makes deliveries.
type sender struct {
	river.WorkerDefaults[jobs.WebhookArgs]
	service *Service
}

// Timeout is River's limit for the job: a try and its rows.
func (w *sender) Timeout(*river.Job[jobs.WebhookArgs]) time.Duration {
	return w.service.cfg.Timeout + 30*time.Second
}

// Work tries a delivery once, or puts it off. A try that was made and not recorded is
// made again: receivers know a message by its id.
func (w *sender) Work(ctx context.Context, job *river.Job[jobs.WebhookArgs]) error {
	again, err := w.service.deliver(ctx, job.Args.DeliveryID)
	if err == nil && again > 0 {
		return river.JobSnooze(again)
	}
	return err
}

// deliver tries a delivery, and returns after how long it is to be tried again, 0 for
// not at all.
func (s *Service) deliver(ctx context.Context, id string) (time.Duration, error) {
	d, e, err := s.db.Delivery(ctx, id)
	if errors.Is(err, catalog.ErrNotFound) {
		return 0, nil // erased, or its endpoint deleted
	}
	if err != nil || d.State != catalog.DeliveryPending {
		return 0, err
	}
	if !e.Enabled {
		return 0, s.finish(ctx, d, catalog.DeliveryFailed, catalog.Set{Column: "problem", Value: "The endpoint is switched off."})
	}
	if rest := time.Until(time.UnixMilli(e.PausedUntilMS)); rest > 0 {
		return scatter(rest), nil
	}
	if !s.takeOff(e) {
		return scatter(time.Second), nil
	}
	defer s.land(e.ID)
	start := time.Now()
	status, problem := s.post(ctx, d, e)
	if problem != "" && ctx.Err() != nil {
		return 0, ctx.Err() // we are stopping: the receiver is not to blame
	}
	return s.record(ctx, d, e, status, problem, time.Since(start))
}

// takeOff takes one of the endpoint's places; a suspect endpoint has a single one.
func (s *Service) takeOff(e catalog.WebhookEndpoint) bool {
	most := flyingMost
	if e.Failures >= restAfter {
		most = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flying[e.ID] >= most {
		return false
	}
	s.flying[e.ID]++
	return true
}

func (s *Service) land(endpoint string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flying[endpoint]--; s.flying[endpoint] == 0 {
		delete(s.flying, endpoint)
	}
}

// post sends a message. The problem is empty when the receiver has it, else a sentence
// that tells nothing of our networks.
func (s *Service) post(ctx context.Context, d catalog.WebhookDelivery, e catalog.WebhookEndpoint) (status int, problem string) {
	now := time.Now()
	signature, err := s.sign(d, e, now)
	if err != nil {
		s.log.ErrorContext(ctx, "webhook not signed", "webhook_id", e.ID, "err", err)
		return 0, "The message could not be signed."
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, strings.NewReader(d.Payload))
	if err != nil {
		return 0, "The address cannot be called."
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Vitascope-Webhooks/1")
	req.Header.Set(standardwebhooks.HeaderWebhookID, d.MessageID)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, fmt.Sprint(now.Unix()))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	res, err := s.client.Do(req)
	if err != nil {
		return 0, sentence(err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be used again
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return res.StatusCode, fmt.Sprintf("It answered %d %s.", res.StatusCode, http.StatusText(res.StatusCode))
	}
	return res.StatusCode, ""
}

// sign returns the signatures of a message by the secrets that count.
func (s *Service) sign(d catalog.WebhookDelivery, e catalog.WebhookEndpoint, now time.Time) (string, error) {
	sealed := [][]byte{e.Sealed}
	if len(e.SealedBefore) > 0 && now.UnixMilli() < e.BeforeEndsMS {
		sealed = append(sealed, e.SealedBefore)
	}
	var all []string
	for _, closed := range sealed {
		secret, err := playback.Unseal(s.cfg.SealingKey, closed, e.ID)
		if err != nil {
			return "", err
		}
		hook, err := standardwebhooks.NewWebhookRaw(secret)
		if err != nil {
			return "", err
		}
		signature, err := hook.Sign(d.MessageID, now, []byte(d.Payload))
		if err != nil {
			return "", err
		}
		all = append(all, signature)
	}
	return strings.Join(all, " "), nil
}

// sentence says why no answer came.
func sentence(err error) string {
	if errors.Is(err, outbound.ErrForbidden) {
		return "Its address is not on the public Internet."
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return "It did not answer in time."
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return "Its name is not known."
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "Its certificate is not trusted."
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "Its certificate is for another name."
	}
	return "No answer came."
}

// record keeps what became of a try, of the delivery and of its endpoint.
func (s *Service) record(ctx context.Context, d catalog.WebhookDelivery, e catalog.WebhookEndpoint, status int, problem string, took time.Duration) (time.Duration, error) {
	set := []catalog.Set{{Column: "attempts", Value: d.Attempts + 1}, {Column: "status", Value: status}, {Column: "problem", Value: problem}, {Column: "took_ms", Value: took.Milliseconds()}}
	if problem == "" {
		err := s.finish(ctx, d, catalog.DeliveryDelivered, set...)
		if err == nil && (e.Failures > 0 || e.PausedUntilMS > 0) {
			err = s.db.SetWebhookEndpoint(ctx, s.db, e.AccountID, e.ID, catalog.Set{Column: "failures", Value: 0},
				catalog.Set{Column: "failing_since_ms", Value: 0}, catalog.Set{Column: "paused_until_ms", Value: 0})
		}
		return 0, gone(err)
	}
	now := time.Now()
	e.Failures++
	if e.FailingSinceMS == 0 {
		e.FailingSinceMS = now.UnixMilli()
	}
	if e.Failures >= restAfter {
		e.PausedUntilMS = now.Add(scatter(min(longRest, firstRest<<min(e.Failures-restAfter, 10)))).UnixMilli()
	}
	health := []catalog.Set{{Column: "failures", Value: e.Failures}, {Column: "failing_since_ms", Value: e.FailingSinceMS}, {Column: "paused_until_ms", Value: e.PausedUntilMS}}
	if reason := s.hopeless(e, status, now); reason != "" {
		health = append(health, catalog.Set{Column: "enabled", Value: false}, catalog.Set{Column: "disabled_reason", Value: reason})
		s.log.WarnContext(ctx, "webhook switched off", "webhook_id", e.ID, "account_id", e.AccountID, "failures", e.Failures)
	}
	if err := s.db.SetWebhookEndpoint(ctx, s.db, e.AccountID, e.ID, health...); err != nil {
		return 0, gone(err)
	}
	wait := scatter(s.cfg.Pauses[min(d.Attempts, len(s.cfg.Pauses)-1)])
	if now.Add(wait).Sub(time.UnixMilli(d.CreatedMS)) > s.cfg.KeepTrying {
		return 0, s.finish(ctx, d, catalog.DeliveryFailed, set...)
	}
	set = append(set, catalog.Set{Column: "next_ms", Value: now.Add(wait).UnixMilli()})
	return wait, gone(s.db.SetDelivery(ctx, s.db, d.AccountID, d.ID, set...))
}

// hopeless says why an endpoint is not tried any longer, or nothing.
func (s *Service) hopeless(e catalog.WebhookEndpoint, status int, now time.Time) string {
	switch {
	case status == http.StatusGone:
		return "It answered 410 Gone."
	case e.Failures > restAfter && now.Sub(time.UnixMilli(e.FailingSinceMS)) > s.cfg.KeepTrying:
		return "It has not taken a message for three days."
	}
	return ""
}

func (s *Service) finish(ctx context.Context, d catalog.WebhookDelivery, state string, set ...catalog.Set) error {
	set = append(set, catalog.Set{Column: "state", Value: state}, catalog.Set{Column: "finished_ms", Value: time.Now().UnixMilli()}, catalog.Set{Column: "next_ms", Value: 0})
	return gone(s.db.SetDelivery(ctx, s.db, d.AccountID, d.ID, set...))
}

// gone is no error: what was erased in the meantime needs no record.
func gone(err error) error {
	if errors.Is(err, catalog.ErrNotFound) {
		return nil
	}
	return err
}

// scatter makes a pause up to a fifth shorter or longer, so that what failed together
// does not come back together.
func scatter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
