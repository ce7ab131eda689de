package catalog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

// WebhookEndpoint is where an account wants to be told of events.
type WebhookEndpoint struct {
	bun.BaseModel `bun:"table:webhook_endpoints,alias:w"`

	ID             string `bun:"id,pk"`
	AccountID      string `bun:"account_id"`
	URL            string `bun:"url"`
	Name           string `bun:"name"`
	Types          string `bun:"types"` // separated by spaces; empty: all
	Sealed         []byte `bun:"sealed"`
	SealedBefore   []byte `bun:"sealed_before"` // the secret before a rotation
	BeforeEndsMS   int64  `bun:"before_ends_ms"`
	Enabled        bool   `bun:"enabled"`
	DisabledReason string `bun:"disabled_reason"`
	Failures       int    `bun:"failures"` // in a row
	FailingSinceMS int64  `bun:"failing_since_ms"`
	PausedUntilMS  int64  `bun:"paused_until_ms"`
	CreatedMS      int64  `bun:"created_ms"`
}

// TypeList is the types of events it is told of; none: all.
func (e WebhookEndpoint) TypeList() []string { return strings.Fields(e.Types) }

// The states of a delivery.
const (
	DeliveryPending   = "pending"
	DeliveryDelivered = "delivered"
	DeliveryFailed    = "failed"
)

// WebhookDelivery is a message on its way to an endpoint, or what became of it.
type WebhookDelivery struct {
	bun.BaseModel `bun:"table:webhook_deliveries,alias:v"`

	ID         string `bun:"id,pk"`
	EndpointID string `bun:"endpoint_id"`
	AccountID  string `bun:"account_id"`
	MessageID  string `bun:"message_id"`
	Type       string `bun:"type"`
	Subject    string `bun:"subject"`
	Payload    string `bun:"payload"`
	State      string `bun:"state"`
	Attempts   int    `bun:"attempts"`
	Status     int    `bun:"status"` // HTTP, of the last attempt; 0: no answer
	Problem    string `bun:"problem"`
	TookMS     int64  `bun:"took_ms"`
	CreatedMS  int64  `bun:"created_ms"`
	NextMS     int64  `bun:"next_ms"`
	FinishedMS int64  `bun:"finished_ms"`
}

// WebhookEndpoints returns the account's endpoints, oldest first.
func (db *DB) WebhookEndpoints(ctx context.Context, idb bun.IDB, account string) ([]WebhookEndpoint, error) {
	var list []WebhookEndpoint
	if err := idb.NewSelect().Model(&list).Where("account_id = ?", account).OrderExpr("created_ms, id").Scan(ctx); err != nil {
		return nil, fmt.Errorf("webhooks of account %s: %w", account, err)
	}
	return list, nil
}

// WebhookEndpoint returns the account's endpoint, or ErrNotFound.
func (db *DB) WebhookEndpoint(ctx context.Context, idb bun.IDB, account, id string) (WebhookEndpoint, error) {
	var e WebhookEndpoint
	err := idb.NewSelect().Model(&e).Where("id = ? AND account_id = ?", id, account).Scan(ctx)
	return e, notFound(err, "webhook", id)
}

// CreateWebhookEndpoint stores an endpoint.
func (db *DB) CreateWebhookEndpoint(ctx context.Context, idb bun.IDB, e *WebhookEndpoint) error {
	if _, err := idb.NewInsert().Model(e).Exec(ctx); err != nil {
		return fmt.Errorf("create webhook %s: %w", e.ID, err)
	}
	return nil
}

// SetWebhookEndpoint sets columns of the account's endpoint, or returns ErrNotFound.
func (db *DB) SetWebhookEndpoint(ctx context.Context, idb bun.IDB, account, id string, set ...Set) error {
	up := idb.NewUpdate().Model((*WebhookEndpoint)(nil)).Where("id = ? AND account_id = ?", id, account)
	for _, s := range set {
		up = up.Set("? = ?", bun.Ident(s.Column), s.Value)
	}
	res, err := up.Exec(ctx)
	return asNotFound(affectedOne(res, err)("change webhook " + id))
}

// DeleteWebhookEndpoint forgets the account's endpoint and its deliveries, or returns
// ErrNotFound.
func (db *DB) DeleteWebhookEndpoint(ctx context.Context, account, id string) error {
	res, err := db.NewDelete().Model((*WebhookEndpoint)(nil)).Where("id = ? AND account_id = ?", id, account).Exec(ctx)
	return asNotFound(affectedOne(res, err)("delete webhook " + id))
}

// AddDelivery stores a delivery, unless the endpoint has one of that message; then it
// returns false.
func (db *DB) AddDelivery(ctx context.Context, idb bun.IDB, d *WebhookDelivery) (bool, error) {
	d.ID, d.State, d.CreatedMS = NewID(), DeliveryPending, time.Now().UnixMilli()
	res, err := idb.NewInsert().Model(d).On("CONFLICT (endpoint_id, message_id) DO NOTHING").Exec(ctx)
	if err != nil {
		return false, fmt.Errorf("add delivery of %s: %w", d.MessageID, err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// Delivery returns a delivery and its endpoint, or ErrNotFound.
func (db *DB) Delivery(ctx context.Context, id string) (WebhookDelivery, WebhookEndpoint, error) {
	var d WebhookDelivery
	var e WebhookEndpoint
	if err := notFound(db.NewSelect().Model(&d).Where("id = ?", id).Scan(ctx), "delivery", id); err != nil {
		return d, e, err
	}
	err := db.NewSelect().Model(&e).Where("id = ?", d.EndpointID).Scan(ctx)
	return d, e, notFound(err, "webhook", d.EndpointID)
}

// Deliveries returns up to limit of an endpoint's deliveries, newest first, after the
// one given by beforeMS and beforeID, if any; in one state, unless that is empty.
func (db *DB) Deliveries(ctx context.Context, account, endpoint, state string, beforeMS int64, beforeID string, limit int64) ([]WebhookDelivery, error) {
	var list []WebhookDelivery
	sel := db.NewSelect().Model(&list).Where("endpoint_id = ? AND account_id = ?", endpoint, account).
		OrderExpr("created_ms DESC, id DESC").Limit(limit)
	if state != "" {
		sel = sel.Where("state = ?", state)
	}
	if beforeID != "" {
		sel = sel.Where("(created_ms < ? OR (created_ms = ? AND id < ?))", beforeMS, beforeMS, beforeID)
	}
	if err := sel.Scan(ctx); err != nil {
		return nil, fmt.Errorf("deliveries of webhook %s: %w", endpoint, err)
	}
	return list, nil
}

// SetDelivery sets columns of the account's delivery, or returns ErrNotFound.
func (db *DB) SetDelivery(ctx context.Context, idb bun.IDB, account, id string, set ...Set) error {
	up := idb.NewUpdate().Model((*WebhookDelivery)(nil)).Where("id = ? AND account_id = ?", id, account)
	for _, s := range set {
		up = up.Set("? = ?", bun.Ident(s.Column), s.Value)
	}
	res, err := up.Exec(ctx)
	return asNotFound(affectedOne(res, err)("change delivery " + id))
}

// PurgeDeliveries forgets deliveries that were finished before a time.
func (db *DB) PurgeDeliveries(ctx context.Context, before time.Time) error {
	_, err := db.NewDelete().Model((*WebhookDelivery)(nil)).Where("finished_ms > 0 AND finished_ms < ?", before.UnixMilli()).Exec(ctx)
	if err != nil {
		return fmt.Errorf("purge deliveries: %w", err)
	}
	return nil
}
