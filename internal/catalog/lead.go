package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

// Lead is someone who told a gate who they are.
type Lead struct {
	bun.BaseModel `bun:"table:leads,alias:d"`

	ID        string `bun:"id,pk"`
	AccountID string `bun:"account_id"`
	MediaID   string `bun:"media_id"`
	ActionID  string `bun:"action_id"`
	Email     string `bun:"email"`
	EmailKey  string `bun:"email_key"`
	FirstName string `bun:"first_name"`
	LastName  string `bun:"last_name"`
	Company   string `bun:"company"`
	Phone     string `bun:"phone"`
	Consent   string `bun:"consent"` // the words that were agreed to
	Page      string `bun:"page"`
	ViewID    string `bun:"view_id"` // empty when the viewer opted out
	CreatedMS int64  `bun:"created_ms"`

	MediaName string `bun:"media_name,scanonly"` // empty once the media is gone
}

// EmailKey is what makes two spellings of an address the same.
func EmailKey(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// AddLead stores a lead, and tells the outbox of it, unless the same address has
// answered the same gate before; then it changes nothing and returns false.
func (db *DB) AddLead(ctx context.Context, l *Lead, data string) (added bool, err error) {
	l.ID, l.EmailKey, l.CreatedMS = NewID(), EmailKey(l.Email), time.Now().UnixMilli()
	err = db.InTx(ctx, func(ctx context.Context, tx Tx) error {
		res, err := tx.NewInsert().Model(l).On("CONFLICT (account_id, media_id, action_id, email_key) DO NOTHING").Exec(ctx)
		if err != nil {
			return fmt.Errorf("add lead of media %s: %w", l.MediaID, err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		added = true
		return db.Tell(ctx, tx, OutboxEvent{AccountID: l.AccountID, Type: EventLeadCaptured, Subject: l.ID, Data: data})
	})
	return added, err
}

// LeadFilter narrows a list of leads. Empty fields let everything pass.
type LeadFilter struct {
	Media    string
	Action   string
	Query    string    // part of the address, a name or the company
	From, To time.Time // when they answered, To excluded
	BeforeMS int64     // with BeforeID: those after this one in the list
	BeforeID string
}

// Leads returns up to limit of the account's leads, newest first.
func (db *DB) Leads(ctx context.Context, account string, f LeadFilter, limit int64) ([]Lead, error) {
	var list []Lead
	sel := db.NewSelect().Model(&list).ColumnExpr("d.*").
		ColumnExpr("COALESCE((SELECT m.name FROM media AS m WHERE m.id = d.media_id AND m.deleted_at IS NULL), '') AS media_name").
		Where("d.account_id = ?", account).OrderExpr("d.created_ms DESC, d.id DESC").Limit(limit)
	if f.Media != "" {
		sel = sel.Where("d.media_id = ?", f.Media)
	}
	if f.Action != "" {
		sel = sel.Where("d.action_id = ?", f.Action)
	}
	if f.Query != "" {
		escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(f.Query))
		sel = sel.Where(`lower(d.email || ' ' || d.first_name || ' ' || d.last_name || ' ' || d.company) LIKE ? ESCAPE '\'`, "%"+escaped+"%")
	}
	if !f.From.IsZero() {
		sel = sel.Where("d.created_ms >= ?", f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		sel = sel.Where("d.created_ms < ?", f.To.UnixMilli())
	}
	if f.BeforeID != "" {
		sel = sel.Where("(d.created_ms < ? OR (d.created_ms = ? AND d.id < ?))", f.BeforeMS, f.BeforeMS, f.BeforeID)
	}
	if err := sel.Scan(ctx); err != nil {
		return nil, fmt.Errorf("leads of account %s: %w", account, err)
	}
	return list, nil
}

// EraseLeads removes leads of an account for good, by id or by address, and whatever
// the log of webhooks says of them. It returns how many there were. In the same
// transaction it calls gone with the addresses, as they were given, of which the
// account has no lead any longer.
func (db *DB) EraseLeads(ctx context.Context, account, id, email string, gone func(ctx context.Context, tx Tx, emails []string) error) (int, error) {
	var found []Lead
	err := db.InTx(ctx, func(ctx context.Context, tx Tx) error {
		sel := tx.NewSelect().Model(&found).Column("id", "email").Where("account_id = ?", account)
		if id != "" {
			sel = sel.Where("id = ?", id)
		} else {
			sel = sel.Where("email_key = ?", EmailKey(email))
		}
		if err := sel.Scan(ctx); err != nil || len(found) == 0 {
			return err
		}
		ids := make([]string, len(found))
		for i := range found {
			ids[i] = found[i].ID
		}
		for _, del := range []*bun.DeleteQuery{
			tx.NewDelete().Model((*Lead)(nil)).Where("account_id = ? AND id IN (?)", account, bun.In(ids)),
			tx.NewDelete().Model((*OutboxEvent)(nil)).Where("account_id = ? AND subject IN (?)", account, bun.In(ids)),
			tx.NewDelete().Table("webhook_deliveries").Where("account_id = ? AND subject IN (?)", account, bun.In(ids)),
		} {
			if _, err := del.Exec(ctx); err != nil {
				return err
			}
		}
		var emails []string
		for _, lead := range found { // one address, spelled in one way or another
			left, err := tx.NewSelect().Model((*Lead)(nil)).Where("account_id = ? AND email = ?", account, lead.Email).Exists(ctx)
			if err != nil {
				return err
			}
			if !left && !slices.Contains(emails, lead.Email) {
				emails = append(emails, lead.Email)
			}
		}
		return gone(ctx, tx, emails)
	})
	if err != nil {
		return 0, fmt.Errorf("erase leads of account %s: %w", account, err)
	}
	return len(found), nil
}
