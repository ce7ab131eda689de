package player

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vitascope/vitascope/player/internal/cache"
)

type metrics struct {
	objects map[cache.Tier]prometheus.Counter
	texts   prometheus.Counter
	sent    prometheus.Counter

	cmcd       *prometheus.CounterVec // by object type
	starved    prometheus.Counter
	throughput prometheus.Histogram
	buffer     prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	objects := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vitascope_origin_objects_total",
		Help: "Segments and images served, by where they came from: memory, disk, joined (a read in progress), cold (began one), direct (too large to be kept). Reads of the store are cold + direct."}, []string{"tier"})
	m := &metrics{
		texts: prometheus.NewCounter(prometheus.CounterOpts{Name: "vitascope_origin_texts_total", Help: "Playlists and text tracks served."}),
		sent:  prometheus.NewCounter(prometheus.CounterOpts{Name: "vitascope_origin_sent_bytes_total", Help: "Bytes of media and playlists served."}),
		cmcd: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vitascope_origin_cmcd_requests_total",
			Help: "Requests with Common Media Client Data (CTA-5004), by the object's type."}, []string{"object_type"}),
		starved: prometheus.NewCounter(prometheus.CounterOpts{Name: "vitascope_origin_cmcd_starved_total", Help: "Requests of players whose buffer had run empty (CMCD bs)."}),
		throughput: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "vitascope_origin_cmcd_throughput_bytes_per_second",
			Help: "Throughput that players measured (CMCD mtp).", Buckets: prometheus.ExponentialBuckets(16<<10, 2, 12)}),
		buffer: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "vitascope_origin_cmcd_buffer_seconds",
			Help: "Media that players had in their buffer (CMCD bl).", Buckets: []float64{0.5, 1, 2, 4, 8, 16, 32, 64}}),
	}
	m.objects = map[cache.Tier]prometheus.Counter{}
	for _, t := range []cache.Tier{cache.Memory, cache.Disk, cache.Joined, cache.Cold, cache.Direct} {
		m.objects[t] = objects.WithLabelValues(string(t))
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{objects, m.texts, m.sent, m.cmcd, m.starved, m.throughput, m.buffer} {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}

// cmcdTypes are the object types of CTA-5004 by the names that the metric has.
var cmcdTypes = map[string]string{
	"v": "video", "a": "audio", "av": "muxed", "m": "manifest", "i": "init", "c": "caption", "tt": "subtitle", "k": "key", "o": "other",
}

var cmcdHeaders = [...]string{"Cmcd-Request", "Cmcd-Object", "Cmcd-Status", "Cmcd-Session"}

// cmcdOf returns what a player tells of itself in a request's query or headers.
func cmcdOf(r *http.Request) string {
	said := ""
	if strings.Contains(r.URL.RawQuery, cmcdParam) {
		said = r.URL.Query().Get("CMCD")
	}
	for _, name := range cmcdHeaders {
		if v := r.Header.Get(name); v != "" {
			said += "," + v
		}
	}
	return said
}

const (
	cmcdParam = "CMCD="
	// maxCMCD bounds what is read of it, in bytes. CTA-5004 advises players to stay
	// far below.
	maxCMCD = 2 << 10
)

// countCMCD counts what a player tells of itself. It changes nothing in the answer
// and is no part of any cache key.
func (m *metrics) countCMCD(said string) {
	if said == "" || len(said) > maxCMCD {
		return
	}
	kind := "other"
	for pair := range strings.SplitSeq(said, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		switch key {
		case "ot":
			if known, ok := cmcdTypes[value]; ok {
				kind = known
			}
		case "bs":
			m.starved.Inc()
		case "mtp": // kilobits per second
			if n, err := strconv.ParseUint(value, 10, 32); err == nil {
				m.throughput.Observe(float64(n) * 1000 / 8)
			}
		case "bl": // milliseconds
			if n, err := strconv.ParseUint(value, 10, 32); err == nil {
				m.buffer.Observe(float64(n) / 1000)
			}
		}
	}
	m.cmcd.WithLabelValues(kind).Inc()
}
