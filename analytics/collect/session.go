package collect

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/lane"
)

// sender is what is the same from request to request of a connection.
type sender struct {
	agent string     // of the last request: nearly always the next one's too
	peer  netip.Addr // who is connected, once known
	from  netip.Addr // who asks: the peer, or whom it forwards
	memo  memo
	out   []byte
}

var prefix = []byte("POST " + Path)

// Knows implements lane.Session.
func (s *session) Knows(head []byte) bool {
	n := min(len(head), len(prefix))
	return bytes.Equal(head[:n], prefix[:n])
}

// Answer implements lane.Session.
func (s *session) Answer(c *lane.Conn, head []byte) lane.Outcome {
	r := &request{}
	if !r.parse(head) {
		return lane.Other
	}
	s.know(r)
	if c.Take(head) != nil || !s.answer(c, r) {
		return lane.Closed
	}
	return lane.Kept
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
func (r *request) parse(head []byte) bool {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	target, ok := bytes.CutSuffix(line[len("POST "):], []byte(" HTTP/1.1"))
	if !ok {
		return false
	}
	*r = request{length: -1, forwarded: r.forwarded[:0]}
	if query := target[len(Path):]; len(query) > 0 {
		sent, ok := bytes.CutPrefix(query, []byte("?"+beacon.SentAtParam+"="))
		if !ok || len(sent) > 20 {
			return false
		}
		r.sentAt = string(sent)
	}
	for len(rest) > 0 {
		line, rest, ok = bytes.Cut(rest, []byte("\r\n"))
		name, value, colon := bytes.Cut(line, []byte(":"))
		if !ok || !colon || !r.field(name, bytes.Trim(value, " \t")) {
			return false
		}
	}
	return r.length >= 0 && r.length <= beacon.MaxBody
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
	if s.from = s.peer; !s.peer.IsValid() || len(r.forwarded) > 0 {
		s.from, _ = netip.ParseAddr(s.address(s.remote, r.forwarded))
	}
	if len(r.forwarded) == 0 {
		s.peer = s.from
	}
}

// answer takes the body and answers. It returns whether the connection goes on.
func (s *session) answer(c *lane.Conn, r *request) bool {
	buffer, _ := s.handler.bodies.Get().(*[]byte)
	defer s.handler.bodies.Put(buffer)
	body := (*buffer)[:r.length]
	if _, err := io.ReadFull(c, body); err != nil {
		return false
	}
	err := s.handler.take(context.Background(), &arrival{
		body: body, mediaType: r.mediaType, encoding: r.encoding, agent: s.agent, address: s.from,
		optedOut: r.optedOut, sentAt: r.sentAt, memo: &s.memo,
	})
	if c.Closing() {
		r.close = true
	}
	if err != nil {
		c.AllowWriting()
		return s.problem(c, err, r.close) == nil && !r.close
	}
	c.AllowWriting()
	_, err = c.Write(s.accepted(r.close))
	return err == nil && !r.close
}

// accepted is the answer to a beacon that was taken. It is valid until the next.
func (s *session) accepted(last bool) []byte {
	s.out = append(s.out[:0], "HTTP/1.1 204 No Content\r\n"...)
	s.out = append(s.out, commonHeader...)
	s.out = append(s.out, lane.Date()...)
	if last {
		s.out = append(s.out, "Connection: close\r\n"...)
	}
	s.out = append(s.out, "\r\n"...)
	return s.out
}

const commonHeader = "Access-Control-Allow-Origin: *\r\nCross-Origin-Resource-Policy: cross-origin\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"

// problem answers with a problem document, as httpx does.
func (s *session) problem(to io.Writer, err error, last bool) error {
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
		res.Header.Set("Access-Control-Expose-Headers", exposed)
	}
	return res.Write(to)
}
