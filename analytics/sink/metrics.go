package sink

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of a Sink. Partitions are few, so they may be a label.
type metrics struct {
	records  *prometheus.CounterVec // by result
	events   prometheus.Counter
	batches  prometheus.Counter
	retries  *prometheus.CounterVec // by step
	lost     prometheus.Counter
	lag      *prometheus.GaugeVec // by partition
	lagTime  *prometheus.GaugeVec // by partition
	owned    prometheus.Gauge
	duration prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		records:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vitascope_sink_records_total", Help: "Records read from the event log, by result: stored, repeated, rejected."}, []string{"result"}),
		events:   prometheus.NewCounter(prometheus.CounterOpts{Name: "vitascope_sink_events_total", Help: "Events written to the warehouse."}),
		batches:  prometheus.NewCounter(prometheus.CounterOpts{Name: "vitascope_sink_batches_total", Help: "Batches completed."}),
		retries:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vitascope_sink_retries_total", Help: "Failed attempts that are repeated, by step."}, []string{"step"}),
		lost:     prometheus.NewCounter(prometheus.CounterOpts{Name: "vitascope_sink_lost_records_total", Help: "Records the event log dropped before they were read."}),
		lag:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "vitascope_sink_lag_records", Help: "Records in the log that are not in the warehouse."}, []string{"partition"}),
		lagTime:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "vitascope_sink_lag_seconds", Help: "Age of the oldest record read and not yet in the warehouse."}, []string{"partition"}),
		owned:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "vitascope_sink_partitions", Help: "Partitions this process works on."}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "vitascope_sink_batch_seconds", Help: "Time to write one batch.", Buckets: prometheus.ExponentialBuckets(0.01, 2, 12)}),
	}
	for _, c := range []prometheus.Collector{m.records, m.events, m.batches, m.retries, m.lost, m.lag, m.lagTime, m.owned, m.duration} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func label(partition int) string { return strconv.Itoa(partition) }
