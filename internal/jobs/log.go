package jobs

import (
	"context"
	"log/slog"
)

// riverLog is a log with River's lines below a warning at debug: every few seconds
// how many jobs each queue has done, which the metrics tell as well.
func riverLog(log *slog.Logger) *slog.Logger { return slog.New(lowered{log.Handler()}) }

// lowered takes what is less than a warning for debug.
type lowered struct{ slog.Handler }

func (h lowered) level(l slog.Level) slog.Level {
	if l < slog.LevelWarn {
		return min(l, slog.LevelDebug)
	}
	return l
}

// Enabled implements slog.Handler.
func (h lowered) Enabled(ctx context.Context, l slog.Level) bool {
	return h.Handler.Enabled(ctx, h.level(l))
}

// Handle implements slog.Handler.
func (h lowered) Handle(ctx context.Context, r slog.Record) error {
	r.Level = h.level(r.Level)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h lowered) WithAttrs(attrs []slog.Attr) slog.Handler {
	return lowered{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h lowered) WithGroup(name string) slog.Handler { return lowered{h.Handler.WithGroup(name)} }
