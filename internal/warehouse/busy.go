package warehouse

import (
	"context"
	"errors"
	"fmt"
)

// BusyLoads is above how many loads, people's and of all time, a media is busy. heat
// keeps its days too, so that a range of days costs the same at any number of views.
// For others that would be more rows than they have intervals.
const BusyLoads = 100_000

// A media is busy when heat has a row of it that says so: of grain day, of no day and
// of kind busy. It comes after the rows of its days, in the same table, so whoever
// sees it sees them. Sinks read which media are busy when the generation changes
// (see GenerationSQL): it does with each pause, and only in a pause is a media marked.
const marksSQL = "grain = 'day' AND bucket = toDate(0) AND kind = '" + KindBusy + "'"

// KindBusy is the kind of the row of heat that marks a media.
const KindBusy = "busy"

// MarkBusy marks the media with more than so many loads that are not marked, adds the
// rows of their days, and returns them. The sinks pause when there are any; all of
// them must be of a release that knows days. It may run any number of times.
func (db *DB) MarkBusy(ctx context.Context, above int64) (marked []Key, err error) {
	due, err := db.unmarked(ctx, above)
	if err != nil || len(due) == 0 {
		return nil, err
	}
	resume, err := db.Pause(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, resume()) }()
	ctx = maintaining(ctx)
	for _, k := range due {
		if busy, err := db.busy(ctx, k); busy || err != nil { // by another process, before this pause
			if err != nil {
				return marked, err
			}
			continue
		}
		const of = "account_id = ? AND media_id = ?"
		err := db.exec(ctx, []any{k.Account, k.Media},
			"DELETE FROM heat WHERE "+of+" AND grain = 'day'", // what a process that died has left
			"INSERT INTO heat (account_id, media_id, grain, bucket, kind, cell, delta) SELECT * FROM ("+heatFromViews(of, "true")+") WHERE grain = 'day'")
		if err == nil {
			err = db.mark(ctx, k)
		}
		if err != nil {
			return marked, fmt.Errorf("add the days of media %s: %w", k.Media, err)
		}
		marked = append(marked, k)
	}
	return marked, nil
}

// unmarked lists media with more loads than that. Every view has a device, be it none.
func (db *DB) unmarked(ctx context.Context, above int64) ([]Key, error) {
	list, err := db.keys(ctx, "SELECT toString(account_id), media_id FROM figures WHERE dimension = 'device' GROUP BY account_id, media_id HAVING sum(loads) > ? ORDER BY account_id, media_id", above)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	busy, err := db.Busy(ctx)
	var due []Key
	for _, k := range list {
		if !busy[k] {
			due = append(due, k)
		}
	}
	return due, err
}

// Busy returns the media whose days heat keeps.
func (db *DB) Busy(ctx context.Context) (map[Key]bool, error) {
	list, err := db.keys(ctx, "SELECT DISTINCT toString(account_id), media_id FROM heat WHERE "+marksSQL)
	busy := make(map[Key]bool, len(list))
	for _, k := range list {
		busy[k] = true
	}
	return busy, err
}

// busy tells whether a media is marked.
func (db *DB) busy(ctx context.Context, k Key) (bool, error) {
	var n uint64
	err := db.QueryRow(ctx, "SELECT count() FROM heat WHERE account_id = ? AND media_id = ? AND "+marksSQL, k.Account, k.Media).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("is media %s busy: %w", k.Media, err)
	}
	return n > 0, nil
}

// mark says that heat has the days of a media.
func (db *DB) mark(ctx context.Context, k Key) error {
	return db.Exec(ctx, "INSERT INTO heat (account_id, media_id, grain, bucket, kind, cell, delta) SELECT ?, ?, 'day', toDate(0), '"+KindBusy+"', 0, 1", k.Account, k.Media)
}
