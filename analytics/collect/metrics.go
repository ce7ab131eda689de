package collect

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/vitascope/vitascope/internal/beacon"
)

type metrics struct {
	beacons    *prometheus.CounterVec // by result
	accepted   prometheus.Counter
	refused    *prometheus.CounterVec // by code
	events     prometheus.Counter
	bots       prometheus.Counter
	optedOut   prometheus.Counter
	unkept     prometheus.Counter
	limited    *prometheus.CounterVec
	strangers  prometheus.Counter
	spooled    prometheus.Counter
	spoolBytes prometheus.Gauge
	ack        prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		beacons:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vitascope_collect_beacons_total", Help: "Beacons received, by result: accepted, refused, limited, unavailable."}, []string{"result"}),
		refused:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vitascope_collect_refused_total", Help: "Beacons refused, by code."}, []string{"code"}),
		events:     prometheus.NewCounter(prometheus.CounterOpts{Name: "vitascope_collect_events_total", Help: "Events in accepted beacons."}),
		bots:       prometheus.NewCounter(prometheus.CounterOpts{Name: "vitascope_collect_bot_beacons_total", Help: "Accepted beacons of bots."}),
		optedOut:   prometheus.NewCounter(prometheus.CounterOpts{Name: "vitascope_collect_opted_out_beacons_total", Help: "Accepted beacons of viewers who opted out of being told apart."}),
		unkept:     prometheus.NewCounter(prometheus.CounterOpts{Name: "vitascope_collect_refused_unkept_total", Help: "Refused beacons that were counted only: too many, too large, or the log was away."}),
		limited:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vitascope_collect_limited_total", Help: "Beacons answered 429, by what had too many: address, media."}, []string{"by"}),
		strangers:  prometheus.NewCounter(prometheus.CounterOpts{Name: "vitascope_collect_strange_viewers_total", Help: "Viewer tokens that could not be verified and were ignored."}),
		spooled:    prometheus.NewCounter(prometheus.CounterOpts{Name: "vitascope_collect_spooled_total", Help: "Messages put on disk while the event log was away."}),
		spoolBytes: prometheus.NewGauge(prometheus.GaugeOpts{Name: "vitascope_collect_spool_bytes", Help: "Bytes on disk that wait for the event log."}),
		ack:        prometheus.NewHistogram(prometheus.HistogramOpts{Name: "vitascope_collect_ack_seconds", Help: "Time until the event log acknowledged a beacon.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)}),
	}
	m.accepted = m.beacons.WithLabelValues("accepted")
	for _, c := range []prometheus.Collector{m.beacons, m.refused, m.events, m.bots, m.optedOut, m.unkept, m.limited, m.strangers, m.spooled, m.spoolBytes, m.ack} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) count(r *beacon.Record) { m.add(tally{len(r.Events), r.Bot, r.OptedOut}) }

// tally is what is counted of an accepted beacon.
type tally struct {
	events        int
	bot, optedOut bool
}

func (m *metrics) add(t tally) {
	m.accepted.Inc()
	m.events.Add(float64(t.events))
	if t.bot {
		m.bots.Inc()
	}
	if t.optedOut {
		m.optedOut.Inc()
	}
}
