// Package giveway has work in bulk stand back while somebody waits for an answer.
//
// Go's scheduler knows no priorities: where the bytes of an upload are hashed on every
// processor, each step of a request for a playlist waits some milliseconds for its turn,
// and such a request has a dozen steps. So whoever asks says so (Asked), and those who
// move much at a time (Reader) pause for as long as it takes to answer. They pause for
// a bounded part of their time only: an upload goes on, however many ask. And at any time
// they let others run every few bytes: whoever asks is noticed soon.
//
// A Way is safe for concurrent use, and a nil one is never wanted.
package giveway

import (
	"io"
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// answering is how long a request counts as waited for: that of a cold playlist or
	// a first segment takes some 5 ms on an idle machine, and players ask for the next
	// thing right after it.
	answering = 25 * time.Millisecond
	// patience is how long bulk work stands back at most in each stride of bytes: 40
	// MB/s remain to each reader.
	patience = 100 * time.Millisecond
	stride   = 4 << 20
	// turn is how many bytes are moved before others may run: with hashing, some 0.3 ms of
	// work. The scheduler itself takes the processor away only after 10 ms.
	turn = 64 << 10
	// look is how often one who stands back looks whether the way is free.
	look = time.Millisecond
)

// Way is what those who ask and those who move bulk share.
type Way struct {
	start time.Time
	until atomic.Int64 // somebody waits, in nanoseconds after start
}

// New returns a Way that nobody wants yet.
func New() *Way { return &Way{start: time.Now()} }

// Asked says that somebody has just begun to wait.
func (w *Way) Asked() {
	if w != nil {
		w.until.Store(int64(time.Since(w.start) + answering))
	}
}

// wanted tells whether somebody waits.
func (w *Way) wanted() bool { return int64(time.Since(w.start)) < w.until.Load() }

// Reader gives way between reads of r.
func (w *Way) Reader(r io.Reader) io.Reader {
	if w == nil {
		return r
	}
	return &reader{way: w, r: r, left: patience}
}

type reader struct {
	way  *Way
	r    io.Reader
	n    int           // bytes of this stride
	held int           // bytes since others might run
	left time.Duration // of the patience in the stride
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if r.left > 0 && r.way.wanted() {
		r.stand()
	}
	if r.held >= turn {
		r.held = 0
		runtime.Gosched()
	}
	n, err := r.r.Read(p)
	r.held += n
	if r.n += n; r.n >= stride {
		r.n, r.left = 0, patience
	}
	return n, err
}

func (r *reader) stand() {
	start := time.Now()
	for r.way.wanted() && time.Since(start) < r.left {
		time.Sleep(look)
	}
	r.left -= time.Since(start)
}
