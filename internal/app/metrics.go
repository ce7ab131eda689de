package app

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// addMetrics serves Prometheus metrics on an address of their own, which is not
// for the public.
func (a *App) addMetrics(p *process, _ *clients) error {
	if a.cfg.MetricsListen == "" {
		return nil
	}
	l, err := net.Listen("tcp", a.cfg.MetricsListen)
	if err != nil {
		return fmt.Errorf("metrics-listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.metrics, promhttp.HandlerOpts{}))
	p.loops = append(p.loops, loop{name: "metrics", run: func(ctx context.Context) error {
		return serve(ctx, l, mux, a.cfg.ShutdownGrace, a.log)
	}})
	return nil
}
