package warehouse

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/pressly/goose/v3"
)

// goMigrations are the steps that SQL alone cannot take in bounded memory.
func (db *DB) goMigrations() []*goose.Migration {
	return []*goose.Migration{
		goose.NewGoMigration(5, &goose.GoFunc{RunDB: func(ctx context.Context, _ *sql.DB) error { return db.addVisitors(ctx) }}, nil),
	}
}

// A statement of addVisitors takes as many media as have about so many loads
// together, and at most so many.
const (
	visitorsLoads = 200_000
	visitorsMedia = 500
)

// addVisitors adds to uniques what follows from the views so far. It may run any
// number of times, and beside sinks: rows repeated change nothing.
func (db *DB) addVisitors(ctx context.Context) error {
	rows, err := db.Query(ctx, "SELECT toString(account_id), media_id, toUInt64(greatest(sum(loads), 0)) FROM figures WHERE dimension = '' GROUP BY account_id, media_id ORDER BY account_id, media_id")
	if err != nil {
		return fmt.Errorf("list media: %w", err)
	}
	defer rows.Close()
	type group struct {
		account string
		media   []string
	}
	var groups []group
	var sum uint64
	for rows.Next() {
		var k Key
		var loads uint64
		if err := rows.Scan(&k.Account, &k.Media, &loads); err != nil {
			return fmt.Errorf("list media: %w", err)
		}
		last := len(groups) - 1
		if last < 0 || groups[last].account != k.Account || len(groups[last].media) >= visitorsMedia || sum+loads > visitorsLoads {
			groups, sum = append(groups, group{account: k.Account}), 0
			last++
		}
		groups[last].media, sum = append(groups[last].media, k.Media), sum+loads
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list media: %w", err)
	}
	from := uniquesFromViews()
	statement := "INSERT INTO uniques (" + from.columns + ") " + from.fromViews("account_id = ? AND media_id IN (?)")
	for _, g := range groups {
		if err := db.Exec(maintaining(ctx), statement, g.account, g.media); err != nil {
			return fmt.Errorf("add visitors of %d media of account %s: %w", len(g.media), g.account, err)
		}
	}
	return nil
}
