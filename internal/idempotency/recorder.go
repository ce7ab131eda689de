package idempotency

import (
	"bytes"
	"net/http"
	"time"
)

// recorder holds an answer back until it is kept. One that is longer than maxAnswer is
// sent as it comes, and not kept.
type recorder struct {
	http.ResponseWriter
	status  int // 0: none yet
	body    bytes.Buffer
	spilled bool
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
	}
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.body.Len()+len(b) > maxAnswer && !r.spilled {
		r.send()
		r.spilled = true
	}
	if r.spilled {
		return r.ResponseWriter.Write(b)
	}
	return r.body.Write(b)
}

// SetReadDeadline is of http.ResponseController; the other ones would send.
func (r *recorder) SetReadDeadline(t time.Time) error {
	return http.NewResponseController(r.ResponseWriter).SetReadDeadline(t)
}

// send lets go of what was held back.
func (r *recorder) send() {
	if r.status == 0 || r.spilled {
		return
	}
	r.ResponseWriter.WriteHeader(r.status)
	if r.body.Len() > 0 {
		_, _ = r.ResponseWriter.Write(r.body.Bytes()) // an error is the connection's
	}
}
