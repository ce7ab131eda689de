package player

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/vitascope/vitascope/internal/lane"
	"github.com/vitascope/vitascope/player/internal/cache"
)

// Lane answers what most requests of an origin are ahead of the HTTP server: plain
// ones for whole published files of media that are open to all. What net/http spends
// on a request costs half of what sending a segment does, and more than a playlist.
func (h *Handler) Lane(*lane.Conn) lane.Session { return &session{h: h} }

// session is the requests of one connection.
type session struct {
	h   *Handler
	out []byte
}

var hlsPrefix = []byte("GET /hls/")

// Knows implements lane.Session.
func (s *session) Knows(head []byte) bool {
	n := min(len(head), len(hlsPrefix))
	return bytes.Equal(head[:n], hlsPrefix[:n])
}

// Answer implements lane.Session.
func (s *session) Answer(c *lane.Conn, head []byte) lane.Outcome {
	r, ok := parsePlain(head)
	if !ok {
		return lane.Other
	}
	p, asked, ok := s.h.open(c.Context(), r.path)
	if !ok {
		return lane.Other
	}
	if key, name, caching := hotKey(p, asked); key != "" {
		if isText(name) {
			if t, ok := s.h.objects.texts.GetIfPresent(key); ok {
				return s.sendText(c, head, r, file{name: name, caching: caching, text: t})
			}
		} else if held := s.h.objects.media.Held(key); held != nil {
			defer held.Close()
			return s.sendHeld(c, head, r, name, held, caching)
		}
	}
	f, err := s.h.find(context.WithoutCancel(c.Context()), p, asked)
	if err != nil {
		return lane.Other // the server says why
	}
	if f.text != nil {
		return s.sendText(c, head, r, f)
	}
	defer f.object.Close()
	return s.sendObject(c, head, r, f)
}

func (s *session) sendText(c *lane.Conn, head []byte, r plain, f file) lane.Outcome {
	m := s.h.metrics
	body, etag, encoding := f.text.form(r.accepts)
	m.texts.Inc()
	s.begin(f.name, etag, f.caching)
	if f.text.gzip != nil {
		s.out = append(s.out, "Vary: Accept-Encoding\r\n"...)
	}
	if encoding != "" {
		s.field("Content-Encoding: ", encoding)
	}
	last := s.end(c, r, int64(len(body)))
	if c.Take(head) != nil {
		return lane.Closed
	}
	c.AllowWriting()
	s.out = append(s.out, body...) // one write: it is small
	_, err := c.Write(s.out)
	if cap(s.out) > maxKeptBuffer {
		s.out = nil
	}
	return outcome(err, last)
}

// maxKeptBuffer bounds what a connection at rest holds, in bytes.
const maxKeptBuffer = 16 << 10

func (s *session) sendHeld(c *lane.Conn, head []byte, r plain, name string, held *cache.Held, caching string) lane.Outcome {
	s.beginObject(name, held.Tier, held.Info, caching)
	last := s.end(c, r, held.Size)
	if c.Take(head) != nil {
		return lane.Closed
	}
	return outcome(held.Send(c.Conn, s.out, c.AllowWriting), last)
}

// sendObject sends an object that is only coming.
func (s *session) sendObject(c *lane.Conn, head []byte, r plain, f file) lane.Outcome {
	s.beginObject(f.name, f.object.Tier, f.object.Info, f.caching)
	last := s.end(c, r, f.object.Size)
	if c.Take(head) != nil {
		return lane.Closed
	}
	n, err := io.Copy(&headed{c: c, head: s.out}, f.object.Content())
	if n < f.object.Size {
		return lane.Closed // so that nobody takes it for whole
	}
	return outcome(err, last)
}

// headed writes the head with the first bytes of the body.
type headed struct {
	c    *lane.Conn
	head []byte
}

// laneStep is how much is written between two signs of progress, in bytes.
const laneStep = 128 << 10

func (w *headed) Write(p []byte) (int, error) {
	for wrote := 0; ; {
		part := p[wrote:min(len(p), wrote+laneStep)]
		w.c.AllowWriting()
		buffers := net.Buffers{w.head, part} // one writev
		n, err := buffers.WriteTo(w.c.Conn)
		wrote += max(0, int(n)-len(w.head))
		if w.head = nil; err != nil || wrote == len(p) {
			return wrote, err
		}
	}
}

func outcome(err error, last bool) lane.Outcome {
	if err != nil || last {
		return lane.Closed // an error is the viewer's having gone
	}
	return lane.Kept
}

// commonHead is what every answer begins with; see openToAll and httpx.
const commonHead = "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: " + exposedHeaders + "\r\n" +
	"Cross-Origin-Resource-Policy: cross-origin\r\nTiming-Allow-Origin: *\r\nX-Content-Type-Options: nosniff\r\n"

func (s *session) begin(name, etag, caching string) {
	s.out = append(s.out[:0], commonHead...)
	s.field("Content-Type: ", contentTypes[name[strings.LastIndexByte(name, '.'):]][0])
	s.field("Cache-Control: ", caching)
	if etag != "" {
		s.out = append(append(append(s.out, `ETag: "`...), etag...), "\"\r\n"...)
	}
}

func (s *session) beginObject(name string, tier cache.Tier, info cache.Info, caching string) {
	s.h.metrics.objects[tier].Inc()
	s.begin(name, info.ETag, caching)
	s.out = append(s.out, "Accept-Ranges: bytes\r\n"...)
}

func (s *session) field(name, value string) {
	s.out = append(append(append(s.out, name...), value...), "\r\n"...)
}

// end finishes the head, counts the answer, and tells whether it is the connection's
// last.
func (s *session) end(c *lane.Conn, r plain, size int64) (last bool) {
	s.h.metrics.countCMCD(r.cmcd)
	s.h.metrics.sent.Add(float64(size))
	s.out = append(strconv.AppendInt(append(s.out, "Content-Length: "...), size, 10), "\r\n"...)
	s.out = append(s.out, lane.Date()...)
	if last = r.close || c.Context().Err() != nil; last {
		s.out = append(s.out, "Connection: close\r\n"...)
	}
	s.out = append(s.out, "\r\n"...)
	return last
}

// plain is what the head of a plain request says.
type plain struct {
	path    string // below /hls/
	cmcd    string
	accepts string // encodings
	close   bool
}

// parsePlain reads a head, its last line ended too. It returns false for any it does
// not wholly understand, and for those that ask for more than the whole file.
func parsePlain(head []byte) (plain, bool) {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	target, ok := bytes.CutSuffix(line[len(hlsPrefix):], []byte(" HTTP/1.1"))
	if !ok {
		return plain{}, false
	}
	r := plain{}
	path, query, _ := bytes.Cut(target, []byte("?"))
	for _, c := range path {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '/' && c != '.' && c != '-' && c != '_' {
			return r, false
		}
	}
	if len(query) > 0 {
		said, ok := bytes.CutPrefix(query, []byte(cmcdParam))
		if !ok || len(said) > maxCMCD || bytes.ContainsFunc(said, isForeign) {
			return r, false
		}
		decoded, err := url.QueryUnescape(string(said))
		if err != nil {
			return r, false
		}
		r.cmcd = decoded
	}
	hosts := 0
	for len(rest) > 0 {
		line, rest, ok = bytes.Cut(rest, []byte("\r\n"))
		name, value, colon := bytes.Cut(line, []byte(":"))
		if !ok || !colon || !isName(name) || !isValue(value) {
			return r, false
		}
		if bytes.EqualFold(name, []byte("Host")) {
			hosts++
		}
		if !r.field(name, bytes.Trim(value, " \t")) {
			return r, false
		}
	}
	r.path = string(path)
	return r, hosts == 1
}

func isName(name []byte) bool {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(name) > 0
}

// isForeign tells what the one parameter that is taken has only when it is escaped: what
// ends it, and what is in no address.
func isForeign(c rune) bool { return c <= ' ' || c >= 0x7f || c == '&' || c == '#' }

// isValue refuses what the server would: control characters, a bare CR among them.
func isValue(value []byte) bool {
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// field takes one header field. It returns false for those that ask for something.
func (r *plain) field(name, value []byte) bool {
	switch name[0] | 0x20 { // lower case
	case 'a':
		if bytes.EqualFold(name, []byte("Accept-Encoding")) {
			if r.accepts != "" {
				r.accepts += ","
			}
			r.accepts += known(value)
		}
	case 'c':
		switch {
		case bytes.EqualFold(name, []byte("Connection")):
			r.close = bytes.EqualFold(value, []byte("close"))
			return r.close || bytes.EqualFold(value, []byte("keep-alive"))
		case bytes.EqualFold(name, []byte("Content-Length")):
			return false
		case len(name) > 5 && bytes.EqualFold(name[:5], []byte("CMCD-")):
			if len(r.cmcd)+len(value) < maxCMCD {
				r.cmcd += "," + string(value)
			}
		}
	case 'e':
		return !bytes.EqualFold(name, []byte("Expect"))
	case 'i': // conditions
		return len(name) < 3 || !bytes.EqualFold(name[:3], []byte("If-"))
	case 'r':
		return !bytes.EqualFold(name, []byte("Range"))
	case 't':
		return !bytes.EqualFold(name, []byte("Transfer-Encoding")) && !bytes.EqualFold(name, []byte("Trailer"))
	case 'u':
		return !bytes.EqualFold(name, []byte("Upgrade"))
	}
	return true
}

// known returns value, without making a string of what every browser sends.
func known(value []byte) string {
	for _, w := range [...]string{"gzip, deflate, br, zstd", "gzip, deflate, br", "gzip, deflate", "gzip", "identity"} {
		if string(value) == w {
			return w
		}
	}
	return string(value)
}
