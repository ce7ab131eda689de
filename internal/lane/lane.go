// Package lane answers the commonest requests of an HTTP server ahead of it.
//
// A [Listener] looks at the head of each request on its connections. A [Session]
// that knows the request wholly answers it; the first request that none knows hands
// its connection over to the server that accepts from the Listener, unread bytes and
// all: what the sessions do not understand, the server does. It saves what net/http
// spends on a request, which is as much as a small answer costs.
//
// On Linux a connection whose session is [Swift] rests without a goroutine, and needs
// none for requests that come whole and can be answered without waiting.
//
// The protocol is HTTP/1.1 (RFC 9112). Everything but a Conn is safe for concurrent
// use.
package lane

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// idleTimeout is how long a connection may rest between requests.
	idleTimeout = 2 * time.Minute
	// requestTimeout is how long one request may take to arrive.
	requestTimeout = 10 * time.Second
	// headBytes bounds what of a request is looked at here; longer heads are left
	// to the server behind.
	headBytes = 8 << 10
)

// Outcome is what became of a request.
type Outcome int

// The outcomes of a request.
const (
	Other  Outcome = iota // not the session's to answer: nothing of it was taken
	Kept                  // answered; the connection goes on
	Closed                // the connection ends
)

// Session answers the requests of one kind on one connection. It is called by one
// goroutine.
type Session interface {
	// Knows tells whether a request that begins so may be of its kind. head has at
	// least one byte.
	Knows(head []byte) bool
	// Answer answers the request of a whole head, of which the last line's end is a
	// part and the empty line is not. It takes the head by Conn.Take, then its body.
	Answer(c *Conn, head []byte) Outcome
}

// Swift is a Session that can answer without a goroutine that waits. Once it has
// answered on a connection, a [Listener] calls Begin for the requests that come whole.
type Swift interface {
	Session
	// Begin takes a request, head and body and all that has come, and does not block.
	// What it keeps of it it copies. It returns false for what it does not wholly
	// understand or cannot answer so, of which Answer is asked. Otherwise Conn.Finish
	// is called when the answer is known, by any goroutine.
	Begin(c *Conn, request []byte) bool
}

// Open begins a session on a new connection.
type Open func(c *Conn) Session

// Listener is a net.Listener that keeps the requests its sessions answer and gives
// on the connections of all others.
type Listener struct {
	net.Listener
	open []Open

	others chan net.Conn
	failed chan error
	ctx    context.Context
	stop   context.CancelFunc

	closing atomic.Bool
	mu      sync.Mutex
	conns   map[*Conn]struct{} // ours
	work    sync.WaitGroup
	loops   loops
}

// Listen returns a Listener on l. It accepts until closed.
func Listen(l net.Listener, open ...Open) *Listener {
	ctx, stop := context.WithCancel(context.Background())
	listener := &Listener{
		Listener: l, open: open,
		others: make(chan net.Conn), failed: make(chan error, 1), ctx: ctx, stop: stop, conns: map[*Conn]struct{}{},
	}
	go listener.accept()
	return listener
}

func (l *Listener) accept() {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			var temporary interface{ Temporary() bool }
			if errors.As(err, &temporary) && temporary.Temporary() && l.ctx.Err() == nil { // out of descriptors: as net/http does
				time.Sleep(50 * time.Millisecond)
				continue
			}
			l.failed <- err
			return
		}
		c := &Conn{Conn: conn, listener: l}
		l.mu.Lock()
		if l.closing.Load() {
			l.mu.Unlock()
			_ = conn.Close() // it said nothing yet
			continue
		}
		l.conns[c] = struct{}{}
		l.mu.Unlock()
		l.work.Go(func() { l.serve(c) })
	}
}

// Accept returns the next connection whose request no session knows.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.others:
		return conn, nil
	case err := <-l.failed:
		return nil, err
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close stops accepting and closes connections at rest. Requests under way are
// answered; Wait waits for them. Closing again does nothing: an HTTP server closes
// its listener, and so does who made it.
func (l *Listener) Close() error {
	l.closing.Store(true)
	l.stop()
	err := l.Listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		if !c.onLoop() {
			if c.state.Load() == resting {
				_ = c.Close() // nobody waits for an answer
			}
		} else if c.state.CompareAndSwap(resting, busy) {
			go c.drop() // which needs the lock
		}
	}
	return err
}

// Wait waits, after Close, until every request under way is answered, or ctx
// ends: connections are then cut.
func (l *Listener) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		l.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	for c := range l.conns {
		_ = c.Close() // its time is over
	}
	l.mu.Unlock()
	<-done
	return context.Cause(ctx)
}

func (l *Listener) release(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, headBytes) }}

// serve answers the requests of one connection until one is of no session's kind.
func (l *Listener) serve(c *Conn) {
	c.sessions = make([]Session, len(l.open))
	for i, open := range l.open {
		c.sessions[i] = open(c)
	}
	l.goOn(c, c.Conn)
}

// goOn answers what comes from r, which is the connection, with what was read of it
// before.
func (l *Listener) goOn(c *Conn, r io.Reader) {
	br, _ := readers.Get().(*bufio.Reader)
	br.Reset(r)
	c.br = br
	switch c.run() {
	case other:
		l.release(c)
		l.handOver(&handedOver{Conn: c.Conn, br: br, behind: r})
		return
	case over:
		l.release(c)
		_ = c.Close() // answered, or gone
	}
	br.Reset(nil)
	readers.Put(br)
}

func (l *Listener) handOver(h *handedOver) {
	_ = h.SetDeadline(time.Time{}) // the server sets its own
	select {
	case l.others <- h:
	case <-l.ctx.Done():
		_ = h.Close()
	}
}

// handedOver is a connection of which br has read ahead, from behind.
type handedOver struct {
	net.Conn
	br     *bufio.Reader
	behind io.Reader
}

// Read implements net.Conn.
func (c *handedOver) Read(p []byte) (int, error) {
	if c.br == nil {
		return c.behind.Read(p)
	}
	if c.br.Buffered() == 0 {
		c.br.Reset(nil)
		readers.Put(c.br)
		c.br = nil
		return c.behind.Read(p)
	}
	return c.br.Read(p)
}

// ReadFrom lets net/http send files without copying them.
func (c *handedOver) ReadFrom(r io.Reader) (int64, error) {
	if rf, ok := c.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(r)
	}
	return io.Copy(c.Conn, r)
}
