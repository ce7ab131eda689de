package collect

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/httpx"
)

// session is one connection of a Listener.
type session struct {
	*Listener
	conn net.Conn
	br   *bufio.Reader

	deadline time.Time  // for reading, as set on conn
	writeBy  time.Time  // for writing
	agent    string     // of the last request: nearly always the next one's too
	peer     netip.Addr // who is connected, once known
	address  netip.Addr // who asks: the peer, or whom it forwards
	out      []byte
}

// errOther means that a request is not ours to answer.
var errOther = errors.New("not a common beacon")

// run answers requests. It returns true when the connection has another kind of
// request, of which nothing is taken from br.
func (s *session) run() bool {
	for s.begin(s.conn, false) {
		s.allow(idleTimeout)
		if _, err := s.br.Peek(1); err != nil {
			return false
		}
		s.begin(s.conn, true)
		s.allow(requestTimeout)
		head, err := s.head()
		if errors.Is(err, errOther) {
			return true
		}
		if err != nil || !s.answer(head) {
			return false
		}
	}
	return false
}

// allow gives the connection d to go on. Setting deadlines costs: one that is
// early by a tenth is kept.
func (s *session) allow(d time.Duration) {
	want := time.Now().Add(d)
	if s.deadline.After(want) || want.Sub(s.deadline) > d/10 {
		s.deadline = want
		_ = s.conn.SetReadDeadline(want) // fails on closed connections, as reading will
	}
}

// allowWriting gives an answer at least half a minute to be taken.
func (s *session) allowWriting() {
	if now := time.Now(); s.writeBy.Sub(now) < 30*time.Second {
		s.writeBy = now.Add(time.Minute)
		_ = s.conn.SetWriteDeadline(s.writeBy) // fails on closed connections, as writing will
	}
}

var prefix = []byte("POST " + Path)

// head returns what the next request says, its head taken from br. The error is
// errOther, with nothing taken, when it is not a common beacon.
func (s *session) head() (*request, error) {
	for {
		seen, _ := s.br.Peek(s.br.Buffered())
		if n := min(len(seen), len(prefix)); !bytes.Equal(seen[:n], prefix[:n]) {
			return nil, errOther
		}
		if end := bytes.Index(seen, []byte("\r\n\r\n")); end >= 0 {
			r, ok := parse(seen[:end+2])
			if !ok {
				return nil, errOther
			}
			s.know(r)
			_, err := s.br.Discard(end + 4)
			return r, err
		}
		if len(seen) == s.br.Size() {
			return nil, errOther
		}
		if _, err := s.br.Peek(len(seen) + 1); err != nil {
			return nil, err
		}
	}
}

// request is what the head of a common beacon says.
type request struct {
	length    int
	close     bool
	optedOut  bool
	mediaType string
	encoding  string
	sentAt    string
	agent     []byte   // valid until br is read from
	forwarded []string // X-Forwarded-For
}

// parse reads a head, its last line ended too. It returns false for any it does
// not wholly understand.
func parse(head []byte) (*request, bool) {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	target, ok := bytes.CutSuffix(line[len("POST "):], []byte(" HTTP/1.1"))
	if !ok {
		return nil, false
	}
	r := &request{length: -1}
	if query := target[len(Path):]; len(query) > 0 {
		sent, ok := bytes.CutPrefix(query, []byte("?"+beacon.SentAtParam+"="))
		if !ok || len(sent) > 20 {
			return nil, false
		}
		r.sentAt = string(sent)
	}
	for len(rest) > 0 {
		line, rest, ok = bytes.Cut(rest, []byte("\r\n"))
		name, value, colon := bytes.Cut(line, []byte(":"))
		if !ok || !colon || !r.field(name, bytes.Trim(value, " \t")) {
			return nil, false
		}
	}
	return r, r.length >= 0 && r.length <= beacon.MaxBody
}

// field takes one header field.
func (r *request) field(name, value []byte) bool {
	if len(name) == 0 || name[0] == ' ' || name[0] == '\t' || name[len(name)-1] == ' ' || bytes.IndexByte(value, '\n') >= 0 {
		return false
	}
	switch len(name) { // those that matter, told apart by length first
	case len("DNT"):
		r.optedOut = r.optedOut || is(name, "DNT") && string(value) == "1"
	case len("Sec-GPC"): // and Upgrade, Trailer
		if is(name, "Upgrade") || is(name, "Trailer") {
			return false
		}
		r.optedOut = r.optedOut || is(name, "Sec-GPC") && string(value) == "1"
	case len("Expect"):
		return !is(name, "Expect")
	case len("Connection"): // and User-Agent
		if is(name, "Connection") {
			r.close = is(value, "close")
			return r.close || is(value, "keep-alive")
		}
		if is(name, "User-Agent") {
			r.agent = value
		}
	case len("Content-Type"):
		if is(name, "Content-Type") {
			r.mediaType = wellKnown(value, "text/plain;charset=UTF-8", "text/plain")
		}
	case len("Content-Length"):
		if is(name, "Content-Length") {
			n, err := strconv.ParseUint(string(value), 10, 31)
			if err != nil || r.length >= 0 || value[0] == '+' {
				return false
			}
			r.length = int(n)
		}
	case len("X-Forwarded-For"):
		if is(name, "X-Forwarded-For") {
			r.forwarded = append(r.forwarded, string(value))
		}
	case len("Content-Encoding"):
		if is(name, "Content-Encoding") {
			r.encoding = string(value)
		}
	case len("Transfer-Encoding"):
		return !is(name, "Transfer-Encoding")
	}
	return true
}

func is(name []byte, want string) bool {
	return len(name) == len(want) && (string(name) == want || strings.EqualFold(string(name), want))
}

// wellKnown returns value, without making a string when it is one of words.
func wellKnown(value []byte, words ...string) string {
	for _, w := range words {
		if string(value) == w {
			return w
		}
	}
	return string(value)
}

// know keeps what is the same from request to request.
func (s *session) know(r *request) {
	if s.agent != string(r.agent) {
		s.agent = string(r.agent)
	}
	if s.address = s.peer; !s.peer.IsValid() || len(r.forwarded) > 0 {
		s.address, _ = netip.ParseAddr(s.Listener.address(s.conn.RemoteAddr(), r.forwarded))
	}
	if len(r.forwarded) == 0 {
		s.peer = s.address
	}
}

// answer takes the body and answers. It returns whether the connection goes on.
func (s *session) answer(r *request) bool {
	buffer, _ := s.handler.bodies.Get().(*[]byte)
	defer s.handler.bodies.Put(buffer)
	body := (*buffer)[:r.length]
	if _, err := io.ReadFull(s.br, body); err != nil {
		return false
	}
	err := s.handler.take(context.WithoutCancel(s.ctx), &arrival{
		body: body, mediaType: r.mediaType, encoding: r.encoding, agent: s.agent, address: s.address,
		optedOut: r.optedOut, sentAt: r.sentAt,
	})
	if s.Listener.ctx.Err() != nil {
		r.close = true
	}
	if err != nil {
		return s.problem(err, r.close) == nil && !r.close
	}
	s.out = append(s.out[:0], "HTTP/1.1 204 No Content\r\n"...)
	s.out = append(s.out, commonHeader...)
	s.out = append(s.out, date()...)
	if r.close {
		s.out = append(s.out, "Connection: close\r\n"...)
	}
	s.out = append(s.out, "\r\n"...)
	s.allowWriting()
	_, err = s.conn.Write(s.out)
	return err == nil && !r.close
}

const commonHeader = "Access-Control-Allow-Origin: *\r\nCross-Origin-Resource-Policy: cross-origin\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"

// problem answers with a problem document, as httpx does.
func (s *session) problem(err error, last bool) error {
	p := httpx.ProblemOf(err, rand.Text())
	if fault.KindOf(err) == fault.Internal {
		s.log.Error("beacon failed", "err", err, "request_id", p.Instance)
	}
	body, failed := json.Marshal(p)
	if failed != nil {
		return failed
	}
	res := &http.Response{StatusCode: p.Status, ProtoMajor: 1, ProtoMinor: 1, Close: last, Header: http.Header{
		"Content-Type": {p.ContentType("")}, "Access-Control-Allow-Origin": {"*"}, "Cross-Origin-Resource-Policy": {"cross-origin"},
		"Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}, "X-Request-Id": {p.Instance},
	}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
	if after := s.handler.retryAfter(err); after != "" {
		res.Header.Set("Retry-After", after)
	}
	s.allowWriting()
	return res.Write(s.conn)
}

// dateLine is the Date field of one second.
type dateLine struct {
	second int64
	line   string
}

var lastDate atomic.Pointer[dateLine]

func date() string {
	now := time.Now()
	if d := lastDate.Load(); d != nil && d.second == now.Unix() {
		return d.line
	}
	d := &dateLine{now.Unix(), "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
	lastDate.Store(d)
	return d.line
}
