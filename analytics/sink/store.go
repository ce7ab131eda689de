package sink

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/vitascope/vitascope/internal/warehouse"
)

// ErrOvertaken is returned by Begin when another sink has begun further on.
var ErrOvertaken = errors.New("another sink is further on in this partition")

// ErrPaused is returned by Begin while the warehouse is being repaired, compared
// or cleared of someone's traces. Nothing may be written until Begin succeeds.
var ErrPaused = errors.New("the sinks are paused")

// Batch is a range of offsets of one partition, both ends included.
type Batch struct {
	Topic       string
	Partition   int
	Epoch       uint32
	First, Last int64
	// Generation changes when what is stored was changed by others than sinks.
	Generation uint64
}

// token names one insert of the batch.
func (b Batch) token(table string) string {
	t := fmt.Sprintf("%s-%s-%d-%d-%d", table, b.Topic, b.Partition, b.First, b.Last)
	if b.Epoch > 0 {
		t += fmt.Sprintf("-e%d", b.Epoch)
	}
	return t
}

// version orders the batches of a partition: 2^48 offsets an epoch.
func (b Batch) version() uint64 { return uint64(b.Epoch)<<48 | uint64(b.First) }

// Position is where a partition stands.
type Position struct {
	Epoch uint32
	Next  int64  // first offset that is not done
	Open  *Batch // begun and not done, or nil
}

// ViewKey names a view of a media of an account.
type ViewKey struct {
	Account, Media string
	View           uuid.UUID
}

// Seen is what is stored of a view: the numbers of its batches and what they
// came to, apart for people and bots (State.Bot).
type Seen struct {
	Seqs  []uint32
	State ViewState
}

// Store is what a Sink keeps its position and its rows in. Each insert is
// repeated after a failure and must then land once.
type Store interface {
	// Position returns where the partition stands.
	Position(ctx context.Context, topic string, partition int) (Position, error)
	// Begin records b, unless a batch that begins at the same offset is
	// recorded, and returns the one that is. The error may be ErrOvertaken or
	// ErrPaused.
	Begin(ctx context.Context, b Batch, holder string) (Batch, error)
	// Busy returns the media whose days InsertHeat is to be told too. It changes with
	// the generation only.
	Busy(ctx context.Context) (map[warehouse.Key]bool, error)
	// Seen returns what is stored of each view, leaving out what the partition
	// brought at or after b.First.
	Seen(ctx context.Context, b Batch, views []ViewKey) (map[ViewKey][]Seen, error)
	InsertEvents(ctx context.Context, b Batch, rows []EventRow) error
	InsertViews(ctx context.Context, b Batch, rows []ViewRow) error
	InsertHeat(ctx context.Context, b Batch, rows []HeatRow) error
	InsertFigures(ctx context.Context, b Batch, rows []FigureRow) error
	InsertUniques(ctx context.Context, b Batch, rows []UniqueRow) error
	InsertReceipts(ctx context.Context, b Batch, rows []ReceiptRow) error
	// Done records that b is complete.
	Done(ctx context.Context, b Batch, holder string) error
}

// Warehouse is the Store in ClickHouse.
type Warehouse struct{ db *warehouse.DB }

// NewWarehouse returns the Store in db, whose schema is migrated.
func NewWarehouse(db *warehouse.DB) *Warehouse { return &Warehouse{db: db} }

const (
	stateBegin = "begin"
	stateDone  = "done"
	stateHeld  = "held" // begun, and waiting for the pause that last names to end
)

// Position implements Store.
func (w *Warehouse) Position(ctx context.Context, topic string, partition int) (Position, error) {
	rows, err := w.db.Query(ctx, `
		SELECT state, argMax(epoch, version), argMax(first, version), argMax(last, version)
		FROM sink_batches WHERE topic = ? AND partition = ? AND state IN ('begin', 'done') GROUP BY state`, topic, uint16(partition))
	if err != nil {
		return Position{}, fmt.Errorf("position of %s/%d: %w", topic, partition, err)
	}
	defer rows.Close()
	var begun, done *Batch
	for rows.Next() {
		var state string
		var epoch uint32
		var first, last uint64
		if err := rows.Scan(&state, &epoch, &first, &last); err != nil {
			return Position{}, fmt.Errorf("position of %s/%d: %w", topic, partition, err)
		}
		b := &Batch{Topic: topic, Partition: partition, Epoch: epoch, First: int64(first), Last: int64(last)}
		if state == stateBegin {
			begun = b
		} else {
			done = b
		}
	}
	if err := rows.Err(); err != nil {
		return Position{}, fmt.Errorf("position of %s/%d: %w", topic, partition, err)
	}
	var pos Position
	if done != nil {
		pos = Position{Epoch: done.Epoch, Next: done.Last + 1}
	}
	if begun != nil && (done == nil || begun.version() > done.version()) {
		pos = Position{Epoch: begun.Epoch, Next: begun.First, Open: begun}
	}
	return pos, nil
}

// Begin implements Store.
func (w *Warehouse) Begin(ctx context.Context, b Batch, holder string) (Batch, error) {
	token := fmt.Sprintf("begin-%s-%d-%d-%d", b.Topic, b.Partition, b.Epoch, b.First)
	if err := w.mark(ctx, token, stateBegin, b, holder); err != nil {
		return Batch{}, fmt.Errorf("begin %s: %w", b.token("batch"), err)
	}
	var newest, last, here uint64
	var pause uint64
	err := w.db.QueryRow(ctx, `
		SELECT max(version), minIf(last, version = ?), countIf(version = ?), `+warehouse.PauseSQL+`, `+warehouse.GenerationSQL+`
		FROM sink_batches WHERE topic = ? AND partition = ? AND state = ?`,
		b.version(), b.version(), b.Topic, uint16(b.Partition), stateBegin).Scan(&newest, &last, &here, &pause, &b.Generation)
	if err != nil {
		return Batch{}, fmt.Errorf("begin %s: %w", b.token("batch"), err)
	}
	if newest > b.version() || here == 0 {
		return Batch{}, fmt.Errorf("begin %s: %w", b.token("batch"), ErrOvertaken)
	}
	b.Last = int64(last)
	if pause > 0 {
		held := b
		held.Last = int64(pause)
		if err := w.mark(ctx, held.token(stateHeld), stateHeld, held, holder); err != nil {
			return Batch{}, fmt.Errorf("hold %s: %w", b.token("batch"), err)
		}
		return Batch{}, fmt.Errorf("begin %s: %w", b.token("batch"), ErrPaused)
	}
	return b, nil
}

// Busy implements Store.
func (w *Warehouse) Busy(ctx context.Context) (map[warehouse.Key]bool, error) { return w.db.Busy(ctx) }

// Done implements Store.
func (w *Warehouse) Done(ctx context.Context, b Batch, holder string) error {
	if err := w.mark(ctx, b.token(stateDone), stateDone, b, holder); err != nil {
		return fmt.Errorf("finish %s: %w", b.token("batch"), err)
	}
	return nil
}

func (w *Warehouse) mark(ctx context.Context, token, state string, b Batch, holder string) error {
	return w.insert(ctx, token, "sink_batches (topic, partition, state, version, epoch, first, last, holder, at)", 1,
		func(batch driver.Batch, _ int) error {
			return batch.Append(b.Topic, uint16(b.Partition), state, b.version(), b.Epoch, uint64(b.First), uint64(b.Last), holder, time.Now().UTC())
		})
}

// Seen implements Store.
func (w *Warehouse) Seen(ctx context.Context, b Batch, views []ViewKey) (map[ViewKey][]Seen, error) {
	seen := make(map[ViewKey][]Seen, len(views))
	const chunk = 2000 // keeps the statement short
	for at := 0; at < len(views); at += chunk {
		if err := w.seen(ctx, b, views[at:min(at+chunk, len(views))], seen); err != nil {
			return nil, fmt.Errorf("batches seen of %d views: %w", len(views), err)
		}
	}
	return seen, nil
}

// metSQL tells which views there are at all. Most that are asked for are new, and the
// key alone is read many times faster than what is to be known of a view.
const metSQL = "SELECT DISTINCT account_id, media_id, view_id FROM events WHERE (account_id, media_id, view_id) IN (?)"

var seenSQL = "SELECT account_id, media_id, view_id, groupUniqArray(seq) AS seqs, toUInt8(bot) AS bot, " + warehouse.ViewColumnsFromEvents(stateColumns()...) + `
	FROM events
	WHERE (account_id, media_id, view_id) IN (?) AND NOT (partition = ? AND offset >= ?)
	GROUP BY account_id, media_id, view_id, bot`

// stateColumns are the columns of views that a ViewState holds, but bot.
func stateColumns() []string {
	return slices.DeleteFunc(columnsOf(reflect.TypeFor[ViewState]()), func(name string) bool { return name == "bot" })
}

func (w *Warehouse) seen(ctx context.Context, b Batch, views []ViewKey, into map[ViewKey][]Seen) error {
	met, err := w.met(ctx, views)
	if err != nil || len(met) == 0 {
		return err
	}
	rows, err := w.db.Query(warehouse.ColumnsFirst(ctx), seenSQL, keySet(met), uint16(b.Partition), uint64(b.First))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var row struct {
			Account string    `ch:"account_id"`
			Media   string    `ch:"media_id"`
			View    uuid.UUID `ch:"view_id"`
			Seqs    []uint32  `ch:"seqs"`
			ViewState
		}
		if err := rows.ScanStruct(&row); err != nil {
			return err
		}
		key := ViewKey{row.Account, row.Media, row.View}
		into[key] = append(into[key], Seen{row.Seqs, row.ViewState})
	}
	return rows.Err()
}

// met returns those of the views of which there are events.
func (w *Warehouse) met(ctx context.Context, views []ViewKey) ([]ViewKey, error) {
	rows, err := w.db.Query(ctx, metSQL, keySet(views))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var met []ViewKey
	for rows.Next() {
		var k ViewKey
		if err := rows.Scan(&k.Account, &k.Media, &k.View); err != nil {
			return nil, err
		}
		met = append(met, k)
	}
	return met, rows.Err()
}

func keySet(views []ViewKey) []clickhouse.GroupSet {
	keys := make([]clickhouse.GroupSet, len(views))
	for i, v := range views {
		keys[i] = clickhouse.GroupSet{Value: []any{v.Account, v.Media, v.View.String()}}
	}
	return keys
}

// insert appends n rows under a token.
func (w *Warehouse) insert(ctx context.Context, token, into string, n int, appendRow func(driver.Batch, int) error) error {
	if n == 0 {
		return nil
	}
	batch, err := w.db.PrepareBatch(warehouse.WithToken(ctx, token), "INSERT INTO "+into)
	if err != nil {
		return err
	}
	defer batch.Close()
	for i := range n {
		if err := appendRow(batch, i); err != nil {
			return err
		}
	}
	return batch.Send()
}
