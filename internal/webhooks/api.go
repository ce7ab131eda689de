package webhooks

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/idempotency"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/internal/outbound"
	"github.com/vitascope/vitascope/internal/playback"
)

// maxEndpoints is how many an account may have.
const maxEndpoints = 20

// Register adds the operations to the API.
func (s *Service) Register(api huma.API) {
	tags := []string{"Webhooks"}
	const one = "/v1/webhooks/{webhook}"
	httpx.Register(api, huma.Operation{OperationID: "list-webhooks", Method: http.MethodGet, Path: "/v1/webhooks", Tags: tags,
		Summary: "Where the account is told of events"}, s.list)
	httpx.Register(api, idempotency.AnswerIsSecret(huma.Operation{OperationID: "create-webhook", Method: http.MethodPost, Path: "/v1/webhooks", Tags: tags,
		DefaultStatus: http.StatusCreated, Summary: "Add an endpoint; its secret is shown this once"}), s.create)
	httpx.Register(api, huma.Operation{OperationID: "change-webhook", Method: http.MethodPatch, Path: one, Tags: tags,
		Summary: "Change an endpoint, or switch it off and on"}, s.change)
	httpx.Register(api, huma.Operation{OperationID: "delete-webhook", Method: http.MethodDelete, Path: one, Tags: tags,
		DefaultStatus: http.StatusNoContent, Summary: "Remove an endpoint and its log"}, s.remove)
	httpx.Register(api, idempotency.AnswerIsSecret(huma.Operation{OperationID: "rotate-webhook-secret", Method: http.MethodPost, Path: one + "/secrets", Tags: tags,
		DefaultStatus: http.StatusCreated, Summary: "Make the secret that follows; messages are signed with both for a day"}), s.rotate)
	httpx.Register(api, huma.Operation{OperationID: "test-webhook", Method: http.MethodPost, Path: one + "/tests", Tags: tags,
		DefaultStatus: http.StatusAccepted, Summary: "Send a message of type webhook.test"}, s.test)
	httpx.Register(api, huma.Operation{OperationID: "list-webhook-deliveries", Method: http.MethodGet, Path: one + "/deliveries", Tags: tags,
		Summary: "What was sent to an endpoint in the last 30 days, newest first"}, s.deliveries)
	httpx.Register(api, huma.Operation{OperationID: "retry-webhook-delivery", Method: http.MethodPost, Path: "/v1/webhook-deliveries/{delivery}/retries", Tags: tags,
		DefaultStatus: http.StatusAccepted, Summary: "Send a message again, with the same id"}, s.retry)
}

// Webhook is an endpoint.
type Webhook struct {
	ID             string     `json:"id"`
	URL            string     `json:"url"`
	Name           string     `json:"name"`
	Types          []string   `json:"types" nullable:"false" doc:"The events it is told of; none: all."`
	Enabled        bool       `json:"enabled"`
	DisabledReason string     `json:"disabled_reason" doc:"Why it was switched off; empty when somebody did."`
	Failures       int        `json:"failures" doc:"Tries in a row that failed."`
	RestsUntil     *time.Time `json:"rests_until" doc:"After several failures it is left alone for a while."`
	CreatedAt      time.Time  `json:"created_at"`
}

// NewWebhook is an endpoint with its secret.
type NewWebhook struct {
	Webhook
	Secret string `json:"secret" doc:"Checks signatures. It is not shown again." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
}

type webhookOutput struct{ Body Webhook }
type newWebhookOutput struct{ Body NewWebhook }
type webhooksOutput struct {
	Body struct {
		Items []Webhook `json:"items" nullable:"false"`
		Types []string  `json:"types" nullable:"false" doc:"The events there are."`
	}
}

func webhookOf(e catalog.WebhookEndpoint) Webhook {
	w := Webhook{ID: e.ID, URL: e.URL, Name: e.Name, Types: e.TypeList(), Enabled: e.Enabled, DisabledReason: e.DisabledReason, Failures: e.Failures,
		CreatedAt: time.UnixMilli(e.CreatedMS).UTC()}
	if w.Types == nil {
		w.Types = []string{}
	}
	if until := time.UnixMilli(e.PausedUntilMS); until.After(time.Now()) {
		until = until.UTC()
		w.RestsUntil = &until
	}
	return w
}

// endpoint returns the caller's endpoint.
func (s *Service) endpoint(ctx context.Context, id string) (catalog.WebhookEndpoint, error) {
	if !catalog.IsID(id) {
		return catalog.WebhookEndpoint{}, fmt.Errorf("webhook: %w", catalog.ErrNotFound)
	}
	return s.db.WebhookEndpoint(ctx, s.db, auth.AccountID(ctx), id)
}

func (s *Service) list(ctx context.Context, _ *struct{}) (*webhooksOutput, error) {
	list, err := s.db.WebhookEndpoints(ctx, s.db, auth.AccountID(ctx))
	if err != nil {
		return nil, err
	}
	out := &webhooksOutput{}
	out.Body.Items, out.Body.Types = []Webhook{}, catalog.EventTypes()
	for _, e := range list {
		out.Body.Items = append(out.Body.Items, webhookOf(e))
	}
	return out, nil
}

type createInput struct {
	Body struct {
		URL   string   `json:"url" maxLength:"2048" example:"https://example.com/hooks/video"`
		Name  string   `json:"name,omitempty" maxLength:"100"`
		Types []string `json:"types,omitempty" nullable:"false" maxItems:"20" doc:"None: all."`
	}
}

// create adds an endpoint.
func (s *Service) create(ctx context.Context, in *createInput) (*newWebhookOutput, error) {
	e := catalog.WebhookEndpoint{ID: catalog.NewID(), AccountID: auth.AccountID(ctx), URL: in.Body.URL, Name: name(in.Body.Name), Enabled: true, CreatedMS: time.Now().UnixMilli()}
	var err error
	if err = s.checkURL(e.URL); err != nil {
		return nil, err
	}
	if e.Types, err = checkTypes(in.Body.Types); err != nil {
		return nil, err
	}
	var secret string
	if e.Sealed, secret, err = s.newSecret(e.ID); err != nil {
		return nil, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		if err := s.db.LockAccount(ctx, tx, e.AccountID); err != nil {
			return err
		}
		list, err := s.db.WebhookEndpoints(ctx, tx, e.AccountID)
		if err != nil {
			return err
		}
		if len(list) >= maxEndpoints {
			return fault.New(fault.Conflict, "too-many-webhooks", "An account has %d webhooks at most.", maxEndpoints)
		}
		return s.db.CreateWebhookEndpoint(ctx, tx, &e)
	})
	if err != nil {
		return nil, err
	}
	s.log.InfoContext(ctx, "webhook created", "webhook_id", e.ID, "account_id", e.AccountID)
	return &newWebhookOutput{NewWebhook{webhookOf(e), secret}}, nil
}

func (s *Service) newSecret(owner string) (sealed []byte, shown string, err error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails, by its documentation
	sealed, err = playback.Seal(s.cfg.SealingKey, secret, owner)
	return sealed, "whsec_" + base64.StdEncoding.EncodeToString(secret), err
}

func (s *Service) checkURL(text string) error {
	if err := outbound.CheckURL(text, s.cfg.Allow); err != nil {
		return fault.Wrap(fault.Invalid, err, "invalid-webhook-url", "This address cannot be called: %s.", err)
	}
	return nil
}

func checkTypes(types []string) (string, error) {
	known := catalog.EventTypes()
	for _, t := range types {
		if !slices.Contains(known, t) {
			return "", fault.New(fault.Invalid, "unknown-event", "The events are %s.", strings.Join(known, ", "))
		}
	}
	types = slices.Clone(types)
	slices.Sort(types)
	return strings.Join(slices.Compact(types), " "), nil
}

func name(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, text))
}

type changeInput struct {
	Webhook string `path:"webhook" doc:"The endpoint's id."`
	Body    struct {
		URL     *string   `json:"url,omitempty" maxLength:"2048"`
		Name    *string   `json:"name,omitempty" maxLength:"100"`
		Types   *[]string `json:"types,omitempty" maxItems:"20" doc:"None: all."`
		Enabled *bool     `json:"enabled,omitempty" doc:"Switching it on forgets its failures."`
	}
}

// change changes what is given.
func (s *Service) change(ctx context.Context, in *changeInput) (*webhookOutput, error) {
	e, err := s.endpoint(ctx, in.Webhook)
	if err != nil {
		return nil, err
	}
	set := []catalog.Set{{Column: "id", Value: e.ID}} // so that there is something to set
	if in.Body.URL != nil {
		if err := s.checkURL(*in.Body.URL); err != nil {
			return nil, err
		}
		set = append(set, catalog.Set{Column: "url", Value: *in.Body.URL})
	}
	if in.Body.Name != nil {
		set = append(set, catalog.Set{Column: "name", Value: name(*in.Body.Name)})
	}
	if in.Body.Types != nil {
		types, err := checkTypes(*in.Body.Types)
		if err != nil {
			return nil, err
		}
		set = append(set, catalog.Set{Column: "types", Value: types})
	}
	if in.Body.Enabled != nil {
		set = append(set, catalog.Set{Column: "enabled", Value: *in.Body.Enabled}, catalog.Set{Column: "disabled_reason", Value: ""})
		if *in.Body.Enabled {
			set = append(set, catalog.Set{Column: "failures", Value: 0}, catalog.Set{Column: "failing_since_ms", Value: 0}, catalog.Set{Column: "paused_until_ms", Value: 0})
		}
	}
	if err := s.db.SetWebhookEndpoint(ctx, s.db, e.AccountID, e.ID, set...); err != nil {
		return nil, err
	}
	e, err = s.endpoint(ctx, e.ID)
	return &webhookOutput{webhookOf(e)}, err
}

type webhookInput struct {
	Webhook string `path:"webhook" doc:"The endpoint's id."`
}

func (s *Service) remove(ctx context.Context, in *webhookInput) (*struct{}, error) {
	e, err := s.endpoint(ctx, in.Webhook)
	if err != nil {
		return nil, err
	}
	return nil, s.db.DeleteWebhookEndpoint(ctx, e.AccountID, e.ID)
}

// rotation is how long a secret counts beside the one that follows it.
const rotation = 24 * time.Hour

func (s *Service) rotate(ctx context.Context, in *webhookInput) (*newWebhookOutput, error) {
	e, err := s.endpoint(ctx, in.Webhook)
	if err != nil {
		return nil, err
	}
	sealed, secret, err := s.newSecret(e.ID)
	if err != nil {
		return nil, err
	}
	err = s.db.SetWebhookEndpoint(ctx, s.db, e.AccountID, e.ID, catalog.Set{Column: "sealed", Value: sealed},
		catalog.Set{Column: "sealed_before", Value: e.Sealed}, catalog.Set{Column: "before_ends_ms", Value: time.Now().Add(rotation).UnixMilli()})
	if err != nil {
		return nil, err
	}
	return &newWebhookOutput{NewWebhook{webhookOf(e), secret}}, nil
}

func (s *Service) test(ctx context.Context, in *webhookInput) (*struct{}, error) {
	e, err := s.endpoint(ctx, in.Webhook)
	if err != nil {
		return nil, err
	}
	if !e.Enabled {
		return nil, errOff
	}
	event := catalog.NewTestEvent(e.AccountID, e.ID)
	return nil, s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		payload, err := s.payload(ctx, tx, event)
		if err != nil {
			return err
		}
		return s.queue(ctx, tx, e, event, payload)
	})
}

var errOff = fault.New(fault.Conflict, "webhook-off", "This endpoint is switched off. Switch it on first.")

// Delivery is a message to an endpoint.
type Delivery struct {
	ID         string     `json:"id"`
	MessageID  string     `json:"message_id" doc:"The webhook-id of every try."`
	Type       string     `json:"type"`
	State      string     `json:"state" enum:"pending,delivered,failed"`
	Attempts   int        `json:"attempts"`
	Status     int        `json:"status" doc:"HTTP status of the last try; 0 when no answer came."`
	Problem    string     `json:"problem" doc:"Why the last try failed."`
	TookMS     int64      `json:"took_ms"`
	Payload    string     `json:"payload" doc:"The body, as it is sent."`
	CreatedAt  time.Time  `json:"created_at"`
	NextAt     *time.Time `json:"next_at" doc:"When it is tried again, about."`
	FinishedAt *time.Time `json:"finished_at"`
}

func deliveryOf(d catalog.WebhookDelivery) Delivery {
	at := func(ms int64) *time.Time {
		if ms == 0 {
			return nil
		}
		t := time.UnixMilli(ms).UTC()
		return &t
	}
	return Delivery{d.ID, d.MessageID, d.Type, d.State, d.Attempts, d.Status, d.Problem, d.TookMS, d.Payload, time.UnixMilli(d.CreatedMS).UTC(), at(d.NextMS), at(d.FinishedMS)}
}

type deliveriesInput struct {
	Webhook string `path:"webhook" doc:"The endpoint's id."`
	State   string `query:"state" enum:"pending,delivered,failed"`
	Cursor  string `query:"cursor" maxLength:"64"`
	Limit   int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
}

type deliveriesOutput struct {
	Body struct {
		Items      []Delivery `json:"items" nullable:"false"`
		NextCursor string     `json:"next_cursor"`
	}
}

func (s *Service) deliveries(ctx context.Context, in *deliveriesInput) (*deliveriesOutput, error) {
	e, err := s.endpoint(ctx, in.Webhook)
	if err != nil {
		return nil, err
	}
	var beforeMS int64
	text, beforeID, _ := strings.Cut(in.Cursor, ".")
	if in.Cursor != "" {
		if beforeMS, err = strconv.ParseInt(text, 10, 64); err != nil || !catalog.IsID(beforeID) {
			return nil, fault.New(fault.Invalid, "invalid-cursor", "This cursor is not one of this list. Start again without it.")
		}
	}
	list, err := s.db.Deliveries(ctx, e.AccountID, e.ID, in.State, beforeMS, beforeID, int64(in.Limit)+1)
	if err != nil {
		return nil, err
	}
	out := &deliveriesOutput{}
	out.Body.Items = []Delivery{}
	if len(list) > in.Limit {
		list = list[:in.Limit]
		last := list[in.Limit-1]
		out.Body.NextCursor = strconv.FormatInt(last.CreatedMS, 10) + "." + last.ID
	}
	for _, d := range list {
		out.Body.Items = append(out.Body.Items, deliveryOf(d))
	}
	return out, nil
}

type deliveryInput struct {
	Delivery string `path:"delivery" doc:"The delivery's id."`
}

// retry sends a message again, whatever became of it.
func (s *Service) retry(ctx context.Context, in *deliveryInput) (*struct{}, error) {
	if !catalog.IsID(in.Delivery) {
		return nil, fmt.Errorf("delivery: %w", catalog.ErrNotFound)
	}
	d, e, err := s.db.Delivery(ctx, in.Delivery)
	if err == nil && d.AccountID != auth.AccountID(ctx) {
		err = fmt.Errorf("delivery %s: %w", in.Delivery, catalog.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	if !e.Enabled {
		return nil, errOff
	}
	return nil, s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		return errors.Join(
			s.db.SetDelivery(ctx, tx, d.AccountID, d.ID, catalog.Set{Column: "state", Value: catalog.DeliveryPending},
				catalog.Set{Column: "attempts", Value: 0}, catalog.Set{Column: "finished_ms", Value: 0}, catalog.Set{Column: "created_ms", Value: time.Now().UnixMilli()}),
			s.jobs.InsertTx(ctx, tx, jobs.WebhookArgs{DeliveryID: d.ID}, nil))
	})
}
