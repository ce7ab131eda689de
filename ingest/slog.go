package ingest

import (
	"context"
	"log/slog"

	xslog "golang.org/x/exp/slog"
)

// tusLog brings tusd's log lines, written through the experimental slog, to ours.
// A line per request and a client that went away are not events worth more than
// debug; faults of the store keep their level.
type tusLog struct{ log *slog.Logger }

func (t tusLog) level(level xslog.Level, message string) slog.Level {
	if level < xslog.LevelWarn || message == "BodyReadError" || message == "NetworkTimeoutError" {
		return slog.LevelDebug
	}
	return slog.Level(level)
}

// Enabled implements the handler of golang.org/x/exp/slog.
func (t tusLog) Enabled(ctx context.Context, level xslog.Level) bool {
	return t.log.Enabled(ctx, t.level(level, ""))
}

// Handle implements the handler of golang.org/x/exp/slog.
func (t tusLog) Handle(ctx context.Context, r xslog.Record) error {
	attrs := []slog.Attr{slog.String("event", r.Message)}
	r.Attrs(func(a xslog.Attr) bool {
		attrs = append(attrs, tusAttr(a))
		return true
	})
	t.log.LogAttrs(ctx, t.level(r.Level, r.Message), "tus", attrs...)
	return nil
}

// WithAttrs implements the handler of golang.org/x/exp/slog.
func (t tusLog) WithAttrs(attrs []xslog.Attr) xslog.Handler {
	args := make([]any, 0, len(attrs))
	for _, a := range attrs {
		args = append(args, tusAttr(a))
	}
	return tusLog{t.log.With(args...)}
}

// WithGroup implements the handler of golang.org/x/exp/slog.
func (t tusLog) WithGroup(name string) xslog.Handler { return tusLog{t.log.WithGroup(name)} }

// tusAttr renames tusd's keys to ours.
func tusAttr(a xslog.Attr) slog.Attr {
	key := a.Key
	switch key {
	case "id":
		key = "media_id"
	case "error", "message":
		key = "err"
	case "requestId":
		key = "client_request_id"
	}
	return slog.Any(key, a.Value.Any())
}
