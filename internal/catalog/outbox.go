package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// The types of what webhooks are told.
const (
	EventMediaPlayable = "media.playable"
	EventMediaReady    = "media.ready"
	EventMediaFailed   = "media.failed"
	EventMediaDeleted  = "media.deleted"
	EventLeadCaptured  = "lead.captured"
	EventPing          = "webhook.test" // on request, to one endpoint
)

// EventTypes lists those that endpoints can choose from.
func EventTypes() []string {
	return []string{EventMediaPlayable, EventMediaReady, EventMediaFailed, EventMediaDeleted, EventLeadCaptured}
}

// OutboxEvent is something that webhooks are to be told, committed with the change it
// tells of.
type OutboxEvent struct {
	bun.BaseModel `bun:"table:outbox,alias:o"`

	ID        string `bun:"id,pk"`
	AccountID string `bun:"account_id"`
	Type      string `bun:"type"`
	Subject   string `bun:"subject"` // id of the media or lead
	Data      string `bun:"data"`    // JSON object; empty: made from the subject
	CreatedMS int64  `bun:"created_ms"`
}

// newMessageID names a message to webhooks; receivers know one by it.
func newMessageID() string { return "msg_" + NewID() + NewID() }

// Tell puts an event into the outbox.
func (db *DB) Tell(ctx context.Context, idb bun.IDB, e OutboxEvent) error {
	e.ID, e.CreatedMS = newMessageID(), time.Now().UnixMilli()
	if _, err := idb.NewInsert().Model(&e).Exec(ctx); err != nil {
		return fmt.Errorf("tell %s of %s: %w", e.Type, e.Subject, err)
	}
	return nil
}

// NewTestEvent returns an event for one endpoint that never was in the outbox.
func NewTestEvent(account, endpoint string) OutboxEvent {
	return OutboxEvent{ID: newMessageID(), AccountID: account, Type: EventPing, Subject: endpoint,
		Data: `{"webhook_id":"` + endpoint + `","text":"Vitascope can reach this endpoint."}`, CreatedMS: time.Now().UnixMilli()}
}

// tellState puts the state a media has come to into the outbox.
func tellState(ctx context.Context, idb bun.IDB, id string, to MediaState) error {
	kind := map[MediaState]string{StatePlayable: EventMediaPlayable, StateReady: EventMediaReady, StateFailed: EventMediaFailed}[to]
	if kind == "" {
		return nil
	}
	_, err := idb.NewRaw("INSERT INTO outbox (id, account_id, type, subject, data, created_ms) SELECT ?, account_id, ?, id, '', ? FROM media WHERE id = ?",
		newMessageID(), kind, time.Now().UnixMilli(), id).Exec(ctx)
	if err != nil {
		return fmt.Errorf("tell %s of %s: %w", kind, id, err)
	}
	return nil
}

// stateBefore returns the state of a media that may be in the one it goes to, and
// nothing for others: webhooks are told of changes only.
func stateBefore(ctx context.Context, db *DB, tx bun.Tx, id string, maybeSame bool) (MediaState, error) {
	if !maybeSame {
		return "", nil
	}
	var states []MediaState
	sel := tx.NewSelect().Model((*Media)(nil)).Column("state").Where("id = ?", id)
	if db.pool != nil {
		sel = sel.For("UPDATE")
	}
	if err := sel.Scan(ctx, &states); err != nil || len(states) == 0 {
		return "", err // the change finds that it is gone
	}
	return states[0], nil
}

// TakeOutbox returns up to limit of the oldest events and holds them until tx ends:
// of several processes each gets others.
func (db *DB) TakeOutbox(ctx context.Context, tx Tx, limit int64) ([]OutboxEvent, error) {
	var list []OutboxEvent
	sel := tx.NewSelect().Model(&list).OrderExpr("created_ms, id").Limit(limit)
	if db.pool != nil {
		sel = sel.For("UPDATE SKIP LOCKED")
	}
	if err := sel.Scan(ctx); err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	return list, nil
}

// HasOutbox tells whether anything waits in the outbox.
func (db *DB) HasOutbox(ctx context.Context) (bool, error) {
	some, err := db.NewSelect().Model((*OutboxEvent)(nil)).Exists(ctx)
	if err != nil {
		return false, fmt.Errorf("look into outbox: %w", err)
	}
	return some, nil
}

// DropOutbox takes events out.
func (db *DB) DropOutbox(ctx context.Context, idb bun.IDB, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	if _, err := idb.NewDelete().Model((*OutboxEvent)(nil)).Where("id IN (?)", bun.In(ids)).Exec(ctx); err != nil {
		return fmt.Errorf("take %d events out of the outbox: %w", len(ids), err)
	}
	return nil
}
