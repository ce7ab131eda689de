package lane

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Conn is one connection of a Listener, read through a buffer.
type Conn struct {
	net.Conn
	br       *bufio.Reader
	listener *Listener
	sessions []Session

	state atomic.Int32
	timed bool // the request under way was given its time: it came in parts

	readBy, writeBy time.Time // the deadlines that are set

	looped // when it is one of a loop's
}

// The states of a Conn.
const (
	resting int32 = iota // without a request: Listener.Close may close it
	busy                 // a request is under way
	behind               // and more has come meanwhile, on a loop's connection
)

// errOther means that a request is no session's to answer.
var errOther = errors.New("not a common request")

// fate is what becomes of a connection that a goroutine has done with.
type fate int

const (
	over    fate = iota // it is to be closed
	other               // it has a request of another kind, of which nothing is taken from br
	adopted             // a loop has it
)

// run answers requests.
func (c *Conn) run() fate {
	for now := time.Now(); c.rest(); now = time.Now() {
		c.allow(now, idleTimeout)
		if _, err := c.br.Peek(1); err != nil {
			return over
		}
		c.state.Store(busy)
		s, head, err := c.head(c.sessions)
		if errors.Is(err, errOther) {
			return other
		}
		if err != nil {
			return over
		}
		switch s.Answer(c, head) {
		case Other:
			return other
		case Closed:
			return over
		}
		if swift, ok := s.(Swift); ok && c.br.Buffered() == 0 && c.listener.adopt(c, swift) {
			return adopted
		}
	}
	return over
}

// rest marks the connection as one without a request, which Listener.Close may
// close. It returns false when it should not begin another.
func (c *Conn) rest() bool {
	c.state.Store(resting)
	c.timed = false
	return !c.listener.closing.Load()
}

// head returns the head of the next request and the session it may be for. The
// error is errOther when there is none.
func (c *Conn) head(sessions []Session) (Session, []byte, error) {
	for {
		seen, _ := c.br.Peek(c.br.Buffered())
		var of Session
		for _, s := range sessions {
			if s.Knows(seen) {
				of = s
				break
			}
		}
		if of == nil {
			return nil, nil, errOther
		}
		if end := bytes.Index(seen, []byte("\r\n\r\n")); end >= 0 {
			return of, seen[:end+2], nil
		}
		if len(seen) == c.br.Size() {
			return nil, nil, errOther
		}
		c.hurry()
		if _, err := c.br.Peek(len(seen) + 1); err != nil {
			return nil, nil, err
		}
	}
}

// Take takes a head, and the empty line behind it. The head stays valid until the
// next read.
func (c *Conn) Take(head []byte) error {
	_, err := c.br.Discard(len(head) + len("\r\n"))
	return err
}

// Read reads what follows the head.
func (c *Conn) Read(p []byte) (int, error) {
	if c.br.Buffered() == 0 {
		c.hurry()
	}
	return c.br.Read(p)
}

// Context ends when the Listener closes: the answer under way is the connection's
// last.
func (c *Conn) Context() context.Context { return c.listener.ctx }

// Closing tells whether Context has ended.
func (c *Conn) Closing() bool { return c.listener.closing.Load() }

// hurry gives a request that is not all there its time, once. One that came whole,
// as nearly all do, needs none, and setting deadlines costs.
func (c *Conn) hurry() {
	if !c.timed {
		c.timed = true
		c.allow(time.Now(), requestTimeout)
	}
}

// allow gives the next read d to go on. A deadline that is early by a tenth is kept.
func (c *Conn) allow(now time.Time, d time.Duration) {
	want := now.Add(d)
	if c.readBy.After(want) || want.Sub(c.readBy) > d/10 {
		c.readBy = want
		_ = c.SetReadDeadline(want) // fails on closed connections, as reading will
	}
}

// AllowWriting gives a short answer, or the next part of a long one, at least half a
// minute to be taken.
func (c *Conn) AllowWriting() {
	if now := time.Now(); c.writeBy.Sub(now) < 30*time.Second {
		c.writeBy = now.Add(time.Minute)
		_ = c.SetWriteDeadline(c.writeBy) // fails on closed connections, as writing will
	}
}

// dateLine is the Date field of one second.
type dateLine struct {
	second int64
	line   string
}

var lastDate atomic.Pointer[dateLine]

// Date returns the Date field of now, its line's end included.
func Date() string {
	now := time.Now()
	if d := lastDate.Load(); d != nil && d.second == now.Unix() {
		return d.line
	}
	d := &dateLine{now.Unix(), "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
	lastDate.Store(d)
	return d.line
}
