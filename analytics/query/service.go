package query

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/warehouse"
)

// liveFor is how long after its last beacon a view counts as live: players send
// one each 10 s.
const liveFor = 30 * time.Second

// timeout bounds one question.
const timeout = 20 * time.Second

// Library knows the account's media.
type Library interface {
	// Media returns a media, or an error that matches catalog.ErrNotFound when
	// the account has none of that id.
	Media(ctx context.Context, account, id string) (catalog.Media, error)
}

// Service answers questions about views.
type Service struct {
	db      *warehouse.DB
	library Library
	// experiments is nil where there are none.
	experiments Experiments
	now         func() time.Time
}

// New returns a Service on a migrated warehouse. Experiments are reported on when the
// library knows them too.
func New(db *warehouse.DB, library Library) *Service {
	s := &Service{db: db, library: library, now: time.Now}
	s.experiments, _ = library.(Experiments)
	return s
}

// media returns the account's media once the filter makes sense.
func (s *Service) media(ctx context.Context, account, id string, f *Filter) (catalog.Media, error) {
	if err := f.check(); err != nil {
		return catalog.Media{}, err
	}
	return s.library.Media(ctx, account, id)
}

// mediaIfAny checks that the account has the media, unless id is "".
func (s *Service) mediaIfAny(ctx context.Context, account, id string, f *Filter) error {
	if id == "" {
		return f.check()
	}
	_, err := s.media(ctx, account, id, f)
	return err
}

// row reads the one row of a statement.
func (s *Service) row(ctx context.Context, what, statement string, args []any, into ...any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := s.db.QueryRow(reading(ctx), statement, args...).Scan(into...); err != nil {
		return away(what, err)
	}
	return nil
}

// each calls scan for each row of a statement; scan calls its argument to read
// the row.
func (s *Service) each(ctx context.Context, what, statement string, args []any, scan func(read func(into ...any) error) error) error {
	return s.rows(reading(ctx), what, statement, args, scan)
}

// eachSum is each for statements that read sums.
func (s *Service) eachSum(ctx context.Context, what, statement string, args []any, scan func(read func(into ...any) error) error) error {
	return s.rows(summing(ctx), what, statement, args, scan)
}

func (s *Service) rows(ctx context.Context, what, statement string, args []any, scan func(read func(into ...any) error) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	rows, err := s.db.Query(ctx, statement, args...)
	if err != nil {
		return away(what, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows.Scan); err != nil {
			return away(what, err)
		}
	}
	if err := rows.Err(); err != nil {
		return away(what, err)
	}
	return nil
}

// away gives an error of the warehouse its kind: what ClickHouse refused is our
// fault, all else is that it cannot be reached.
func away(what string, err error) error {
	if _, refused := errors.AsType[*clickhouse.Exception](err); refused {
		return fmt.Errorf("query %s: %w", what, err)
	}
	return fault.Wrap(fault.Unavailable, err, "warehouse-away", "The figures cannot be read right now. Try again shortly.")
}

func seconds(ms int64) float64 { return float64(ms) / 1000 }

func ratio(part float64, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return math.Min(1, part/float64(whole))
}
