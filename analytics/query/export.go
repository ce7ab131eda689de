package query

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/vitascope/vitascope/internal/fault"
)

// exportTimeout bounds an export; it streams, so only a stuck reader meets it.
const exportTimeout = time.Hour

// rowGroup is how many rows of a Parquet file are held in memory.
const rowGroup = 20_000

// Export is rows on their way out.
type Export struct {
	ContentType, FileName string
	// Write sends the rows and may be called once.
	Write func(ctx context.Context, w io.Writer) error
}

// ExportViews exports the views that pass, ExportEvents the events of a range of
// time, both oldest first within a media, as csv or parquet. media is "" for the
// whole account.
func (s *Service) ExportViews(ctx context.Context, account, media, format string, f Filter) (*Export, error) {
	if err := s.mediaIfAny(ctx, account, media, &f); err != nil {
		return nil, err
	}
	where := f.where(account, media)
	return export[ViewRow](s, "views", format, "FROM views FINAL WHERE "+where.sql.String()+" ORDER BY media_id, opened_at, view_id", where.args)
}

// ExportEvents is said at ExportViews. Of the filter only media and time count.
func (s *Service) ExportEvents(ctx context.Context, account, media, format string, f Filter) (*Export, error) {
	if err := s.mediaIfAny(ctx, account, media, &f); err != nil {
		return nil, err
	}
	if f.narrows() {
		return nil, fault.New(fault.Invalid, "filter-not-supported", "Events can be exported by media and time only; export views to filter by more.")
	}
	c := &clause{}
	c.and("account_id = ?", account)
	if media != "" {
		c.and("media_id = ?", media)
	}
	if !f.From.IsZero() {
		c.and("received_at >= fromUnixTimestamp64Milli(?, 'UTC')", f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		c.and("received_at < fromUnixTimestamp64Milli(?, 'UTC')", f.To.UnixMilli())
	}
	return export[EventRow](s, "events", format, "FROM events WHERE "+c.sql.String()+" ORDER BY account_id, media_id, view_id, seq, idx", c.args)
}

func export[T any](s *Service, name, format, from string, args []any) (*Export, error) {
	var columns []string
	t := reflect.TypeFor[T]()
	for i := range t.NumField() {
		column := t.Field(i).Tag.Get("ch")
		if column == "view" {
			column = "toString(view_id) AS view"
		}
		columns = append(columns, column)
	}
	statement := "SELECT " + strings.Join(columns, ", ") + " " + from
	out := &Export{FileName: "vitascope-" + name + "." + format}
	var open func(io.Writer) rowWriter[T]
	switch format {
	case "parquet":
		out.ContentType = "application/vnd.apache.parquet"
		open = newParquetRows[T]
	default:
		out.ContentType = "text/csv; charset=utf-8"
		open = newCSVRows[T]
	}
	out.Write = func(ctx context.Context, w io.Writer) error {
		ctx, cancel := context.WithTimeout(ctx, exportTimeout)
		defer cancel()
		rows, err := s.db.Query(streaming(ctx), statement, args...)
		if err != nil {
			return away("export", err)
		}
		defer rows.Close()
		to := open(w)
		for rows.Next() {
			var row T
			if err := rows.ScanStruct(&row); err != nil {
				return away("export", err)
			}
			if err := to.write(&row); err != nil {
				return fmt.Errorf("export %s: %w", name, err)
			}
		}
		if err := rows.Err(); err != nil {
			return away("export", err)
		}
		return to.close()
	}
	return out, nil
}

// rowWriter encodes rows of a struct.
type rowWriter[T any] interface {
	write(row *T) error
	close() error
}

type parquetRows[T any] struct {
	w *parquet.GenericWriter[T]
	n int
}

func newParquetRows[T any](w io.Writer) rowWriter[T] {
	return &parquetRows[T]{w: parquet.NewGenericWriter[T](w, parquet.Compression(&parquet.Zstd))}
}

func (p *parquetRows[T]) write(row *T) error {
	if _, err := p.w.Write([]T{*row}); err != nil {
		return err
	}
	if p.n++; p.n%rowGroup == 0 {
		return p.w.Flush()
	}
	return nil
}

func (p *parquetRows[T]) close() error { return p.w.Close() }

type csvRows[T any] struct{ w *csv.Writer }

func newCSVRows[T any](w io.Writer) rowWriter[T] {
	c := &csvRows[T]{w: csv.NewWriter(w)}
	t := reflect.TypeFor[T]()
	var header []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("parquet"), ",")
		header = append(header, name)
	}
	_ = c.w.Write(header) // buffered; the next write or close tells
	return c
}

func (c *csvRows[T]) write(row *T) error {
	v := reflect.ValueOf(row).Elem()
	cells := make([]string, v.NumField())
	for i := range cells {
		cells[i] = cell(v.Field(i))
	}
	return c.w.Write(cells)
}

func (c *csvRows[T]) close() error {
	c.w.Flush()
	return c.w.Error()
}

func cell(v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		return harmless(v.String())
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Float32:
		return strconv.FormatFloat(v.Float(), 'g', -1, 32)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10)
	}
	return v.Interface().(time.Time).UTC().Format("2006-01-02T15:04:05.000Z")
}

// harmless keeps a spreadsheet from taking what strangers sent for a formula.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
