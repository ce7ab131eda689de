package catalog

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/uptrace/bun/schema"
)

// nowMS is the time in Unix milliseconds as SQL: on Postgres the database's own
// clock, since those of the processes that share leases may differ.
func (db *DB) nowMS() schema.Safe {
	if db.pool != nil {
		return "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
	}
	return schema.Safe(strconv.FormatInt(time.Now().UnixMilli(), 10))
}

// AcquireLease takes or renews holder's lease on resource for ttl and reports
// whether holder has it now. A lease that ran out may be taken by anyone.
func (db *DB) AcquireLease(ctx context.Context, resource, holder string, ttl time.Duration) (bool, error) {
	res, err := db.ExecContext(ctx, `INSERT INTO leases (resource, holder, expires_ms) VALUES (?, ?, ? + ?)
		ON CONFLICT (resource) DO UPDATE SET holder = EXCLUDED.holder, expires_ms = EXCLUDED.expires_ms
		WHERE leases.holder = EXCLUDED.holder OR leases.expires_ms < ?`,
		resource, holder, db.nowMS(), ttl.Milliseconds(), db.nowMS())
	if err != nil {
		return false, fmt.Errorf("acquire lease %s: %w", resource, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("acquire lease %s: %w", resource, err)
	}
	return n == 1, nil
}

// ReleaseLease gives holder's lease on resource back, if it still has it.
func (db *DB) ReleaseLease(ctx context.Context, resource, holder string) error {
	if _, err := db.ExecContext(ctx, "DELETE FROM leases WHERE resource = ? AND holder = ?", resource, holder); err != nil {
		return fmt.Errorf("release lease %s: %w", resource, err)
	}
	return nil
}

// LeaseHolders returns who holds each live lease whose resource begins with
// prefix.
func (db *DB) LeaseHolders(ctx context.Context, prefix string) (map[string]string, error) {
	rows, err := db.QueryContext(ctx, `SELECT resource, holder FROM leases
		WHERE substr(resource, 1, ?) = ? AND expires_ms >= ?`, len(prefix), prefix, db.nowMS())
	if err != nil {
		return nil, fmt.Errorf("lease holders of %s: %w", prefix, err)
	}
	defer rows.Close()
	holders := map[string]string{}
	for rows.Next() {
		var resource, holder string
		if err := rows.Scan(&resource, &holder); err != nil {
			return nil, fmt.Errorf("lease holders of %s: %w", prefix, err)
		}
		holders[resource] = holder
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("lease holders of %s: %w", prefix, err)
	}
	return holders, nil
}
