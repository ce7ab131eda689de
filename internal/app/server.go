package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
)

// check tells whether a part the process depends on answers.
type check struct {
	name string
	ping func(ctx context.Context) error
}

// health answers /healthz (the process is alive) and /readyz (it should get
// traffic: everything its roles depend on answers and it is not stopping).
type health struct {
	checks   []check
	stopping atomic.Bool
}

func (h *health) register(e *echo.Echo) {
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.GET("/readyz", func(c echo.Context) error {
		ctx, cancel := context.WithTimeout(c.Request().Context(), 3*time.Second)
		defer cancel()
		problems := h.problems(ctx)
		if len(problems) == 0 {
			return c.String(http.StatusOK, "ready\n")
		}
		return c.String(http.StatusServiceUnavailable, strings.Join(problems, "\n")+"\n")
	})
}

// problems names what keeps the process from being ready, without details that
// the public should not read.
func (h *health) problems(ctx context.Context) []string {
	if h.stopping.Load() {
		return []string{"stopping"}
	}
	type result struct {
		name string
		err  error
	}
	results := make(chan result, len(h.checks))
	for _, c := range h.checks {
		go func() { results <- result{c.name, c.ping(ctx)} }()
	}
	bad := map[string]bool{}
	for range h.checks {
		if r := <-results; r.err != nil {
			bad[r.name+" does not answer"] = true
		}
	}
	return slices.Sorted(maps.Keys(bad))
}

// serve answers requests on l until ctx ends, then lets those in hand finish for
// grace.
func serve(ctx context.Context, l net.Listener, handler http.Handler, grace time.Duration, log *slog.Logger) error {
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve http: %w", err)
	case <-ctx.Done():
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := srv.Shutdown(stopCtx)
	if errors.Is(err, context.DeadlineExceeded) {
		log.InfoContext(ctx, "connections cut at the end of the grace period")
		err = srv.Close()
	}
	if serr := <-failed; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	return err
}
