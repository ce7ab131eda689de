package collect

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/vitascope/vitascope/internal/beacon"
)

type metrics struct {
	beacons  *prometheus.CounterVec // by result
	refused  *prometheus.CounterVec // by code
	events   prometheus.Counter
	bots     prometheus.Counter
	optedOut prometheus.Counter
	unkept   prometheus.Counter
	ack      prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		beacons:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vitascope_collect_beacons_total", Help: "Beacons received, by result: accepted, refused, media_type, unavailable."}, []string{"result"}),
		refused:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vitascope_collect_refused_total", Help: "Beacons refused, by code."}, []string{"code"}),
		events:   prometheus.NewCounter(prometheus.CounterOpts{Name: "vitascope_collect_events_total", Help: "Events in accepted beacons."}),
		bots:     prometheus.NewCounter(prometheus.CounterOpts{Name: "vitascope_collect_bot_beacons_total", Help: "Accepted beacons of bots."}),
		optedOut: prometheus.NewCounter(prometheus.CounterOpts{Name: "vitascope_collect_opted_out_beacons_total", Help: "Accepted beacons of viewers who opted out of being told apart."}),
		unkept:   prometheus.NewCounter(prometheus.CounterOpts{Name: "vitascope_collect_refused_unkept_total", Help: "Refused beacons that were counted only: too many, too large, or the log was away."}),
		ack:      prometheus.NewHistogram(prometheus.HistogramOpts{Name: "vitascope_collect_ack_seconds", Help: "Time until the event log acknowledged a beacon.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)}),
	}
	for _, c := range []prometheus.Collector{m.beacons, m.refused, m.events, m.bots, m.optedOut, m.unkept, m.ack} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) count(r *beacon.Record) {
	m.beacons.WithLabelValues("accepted").Inc()
	m.events.Add(float64(len(r.Events)))
	if r.Bot {
		m.bots.Inc()
	}
	if r.Visitor == "" {
		m.optedOut.Inc()
	}
}
