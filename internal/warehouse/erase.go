package warehouse

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Erased says what Erase removed.
type Erased struct {
	Views  uint64
	Events uint64
	Media  int // in which there was something
}

// EraseVisitor removes, from every table, all that a visitor left: events and
// views under a pseudonym or identity, and what they added to the sums. The
// sinks pause meanwhile. What arrives afterwards counts as from somebody new.
func (db *DB) EraseVisitor(ctx context.Context, account, visitor string) (out Erased, err error) {
	if account == "" || visitor == "" {
		return out, errors.New("erase visitor: account and visitor are needed")
	}
	resume, err := db.Pause(ctx)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, resume()) }()
	ctx = maintaining(ctx)
	views, err := db.viewsOf(ctx, account, visitor)
	if err != nil {
		return out, fmt.Errorf("erase visitor: %w", err)
	}
	for media, ids := range views {
		n, err := db.eraseViews(ctx, Key{account, media}, ids)
		if err != nil {
			return out, fmt.Errorf("erase visitor from media %s: %w", media, err)
		}
		out.Media, out.Views, out.Events = out.Media+1, out.Views+uint64(len(ids)), out.Events+n
	}
	return out, db.purge(ctx, "views", "events", "figures", "uniques", "heat")
}

// viewsOf finds the views of a visitor, by media. A view of which only the events
// are left, because an erasure was interrupted, is found too.
func (db *DB) viewsOf(ctx context.Context, account, visitor string) (map[string][]string, error) {
	rows, err := db.Query(ctx, `
		SELECT DISTINCT media_id, view_id FROM views WHERE account_id = ? AND (visitor = ? OR identity = ?)
		UNION DISTINCT SELECT DISTINCT media_id, view_id FROM events WHERE account_id = ? AND (visitor = ? OR identity = ?)`,
		account, visitor, visitor, account, visitor, visitor)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	views := map[string][]string{}
	for rows.Next() {
		var media string
		var view uuid.UUID
		if err := rows.Scan(&media, &view); err != nil {
			return nil, err
		}
		views[media] = append(views[media], view.String())
	}
	return views, rows.Err()
}

// eraseViews takes views out of a media. Sums are made anew from the views that
// stay: that is exact whatever was interrupted before, and needs no raw events.
func (db *DB) eraseViews(ctx context.Context, k Key, ids []string) (events uint64, err error) {
	if err := db.QueryRow(ctx, "SELECT count() FROM events WHERE account_id = ? AND media_id = ? AND view_id IN (?)", k.Account, k.Media, ids).Scan(&events); err != nil {
		return 0, err
	}
	for _, table := range []string{"views", "events"} {
		if err := db.Exec(ctx, "DELETE FROM "+table+" WHERE account_id = ? AND media_id = ? AND view_id IN (?)", k.Account, k.Media, ids); err != nil {
			return 0, err
		}
	}
	return events, db.rebuildSums(ctx, k)
}

// purge rewrites what still holds deleted rows on disk, where a DELETE only hides
// them until the next merge.
func (db *DB) purge(ctx context.Context, tables ...string) error {
	for _, table := range tables {
		if err := db.Exec(maintaining(ctx), "ALTER TABLE "+table+" APPLY DELETED MASK"); err != nil {
			return fmt.Errorf("purge %s: %w", table, err)
		}
	}
	return nil
}

// tenantTables are the tables whose rows belong to an account.
func tenantTables() []string {
	return []string{"receipts", "uniques", "figures", "heat", "views", "events"}
}

// EraseAccount removes every row of an account from every table.
func (db *DB) EraseAccount(ctx context.Context, account string) (out Erased, err error) {
	return db.erase(ctx, account, "account_id = ?", account)
}

// EraseMedia removes every row of a media. Receipts name no media and stay: they
// are counts of an account.
func (db *DB) EraseMedia(ctx context.Context, account, media string) (Erased, error) {
	if media == "" {
		return Erased{}, errors.New("erase media: media is needed")
	}
	return db.erase(ctx, account, "account_id = ? AND media_id = ?", account, media)
}

func (db *DB) erase(ctx context.Context, account, of string, args ...any) (out Erased, err error) {
	if account == "" {
		return out, errors.New("erase: account is needed")
	}
	resume, err := db.Pause(ctx)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, resume()) }()
	ctx = maintaining(ctx)
	var media uint64
	if err := db.QueryRow(ctx, "SELECT count(), uniqExact(media_id) FROM views FINAL WHERE "+of, args...).Scan(&out.Views, &media); err != nil {
		return out, fmt.Errorf("erase: %w", err)
	}
	out.Media = int(media)
	if err := db.QueryRow(ctx, "SELECT count() FROM events WHERE "+of, args...).Scan(&out.Events); err != nil {
		return out, fmt.Errorf("erase: %w", err)
	}
	for _, table := range tenantTables() {
		if table == "receipts" && strings.Contains(of, "media_id") {
			continue
		}
		if err := db.Exec(ctx, "DELETE FROM "+table+" WHERE "+of, args...); err != nil {
			return out, fmt.Errorf("erase from %s: %w", table, err)
		}
	}
	return out, db.purge(ctx, tenantTables()...)
}
