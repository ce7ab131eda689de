package chhttp

import (
	"io"
	"net/http"
	"time"
)

// pace moves a connection's deadlines with the progress of its request: a
// long upload or result lives, a stalled one ends and frees its slot.
type pace struct {
	control *http.ResponseController
	stall   time.Duration
}

// end lifts the deadlines, for the connection's next request. Connections
// without deadlines, as in tests, have none to lift.
func (p *pace) end() {
	_ = p.control.SetReadDeadline(time.Time{})
	_ = p.control.SetWriteDeadline(time.Time{})
}

type pacedBody struct {
	io.ReadCloser
	pace *pace
}

// Read reads within the stall timeout.
func (b pacedBody) Read(p []byte) (int, error) {
	_ = b.pace.control.SetReadDeadline(time.Now().Add(b.pace.stall))
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		// The server goes on reading to notice that the client leaves, and
		// the statement may run for long.
		_ = b.pace.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

type pacedWriter struct {
	http.ResponseWriter
	pace *pace
}

// Write writes within the stall timeout.
func (w pacedWriter) Write(p []byte) (int, error) {
	_ = w.pace.control.SetWriteDeadline(time.Now().Add(w.pace.stall))
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
