package lane_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/lane"
)

// counter answers GET /count/<n> with <n>, and tells how.
type counter struct {
	waited, swift atomic.Int64
	hold          chan struct{} // when not nil: what swift answers wait for
	begun         chan struct{}
}

type session struct{ *counter }

const prefix = "GET /count/"

func (s session) Knows(head []byte) bool {
	n := min(len(head), len(prefix))
	return string(head[:n]) == prefix[:n]
}

func answer(head []byte, last bool) []byte {
	n, _, _ := strings.Cut(string(head[len(prefix):]), " ")
	more := ""
	if last {
		more = "Connection: close\r\n"
	}
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", more, len(n), n)
}

func (s session) Answer(c *lane.Conn, head []byte) lane.Outcome {
	s.waited.Add(1)
	text := answer(head, c.Closing())
	if c.Take(head) != nil {
		return lane.Closed
	}
	c.AllowWriting()
	if _, err := c.Write(text); err != nil || c.Closing() {
		return lane.Closed
	}
	return lane.Kept
}

// swiftly is a session that is Swift.
type swiftly struct{ session }

func (s swiftly) Begin(c *lane.Conn, request []byte) bool {
	if !bytes.HasSuffix(request, []byte("\r\n\r\n")) || bytes.Count(request, []byte("\r\n\r\n")) > 1 || bytes.Contains(request, []byte("/slow")) {
		return false
	}
	s.swift.Add(1)
	head := bytes.Clone(request)
	go func() {
		if s.hold != nil {
			s.begun <- struct{}{}
			<-s.hold
		}
		last := c.Closing()
		c.Finish(answer(head, last), last)
	}()
	return true
}

// serve starts a server behind a Listener. stop waits until all is answered.
func serve(t *testing.T, s lane.Session) (addr string, l *lane.Listener, stop func(context.Context) error) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l = lane.Listen(inner, func(*lane.Conn) lane.Session { return s })
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		_, _ = fmt.Fprint(w, "server ", r.URL.Path, " ", len(body), " ", err)
	})}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	return inner.Addr().String(), l, func(ctx context.Context) error {
		err := errors.Join(server.Shutdown(context.Background()), l.Wait(ctx))
		require.Error(t, <-done)
		return err
	}
}

type client struct {
	t    *testing.T
	conn net.Conn
	br   *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t, conn, bufio.NewReader(conn)}
}

func (c *client) say(text string) {
	c.t.Helper()
	_, err := io.WriteString(c.conn, text)
	require.NoError(c.t, err)
}

func (c *client) hear(want string) *http.Response {
	c.t.Helper()
	res, err := http.ReadResponse(c.br, nil)
	require.NoError(c.t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	require.Equal(c.t, want, string(body))
	return res
}

func get(n any) string { return fmt.Sprintf("GET /count/%v HTTP/1.1\r\nHost: x\r\n\r\n", n) }

func TestAnswersComeInOrderHoweverRequestsArriveAndWhoeverAnswers(t *testing.T) {
	t.Parallel()
	s := swiftly{session{&counter{}}}
	addr, _, stop := serve(t, s)
	var wg sync.WaitGroup
	for range 20 {
		c := dial(t, addr)
		wg.Go(func() {
			for n := range 200 {
				switch text := get(n); n % 7 {
				case 3: // in parts
					c.say(text[:5])
					c.say(text[5:])
				case 4: // with the next two
					c.say(text + get("a") + get("slow"))
					c.hear(fmt.Sprint(n))
					c.hear("a")
					c.hear("slow")
					continue
				case 5: // the next before the answer
					c.say(text)
					c.say(get("b"))
					c.hear(fmt.Sprint(n))
					c.hear("b")
					continue
				default:
					c.say(text)
				}
				c.hear(fmt.Sprint(n))
			}
			c.say("GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
			c.hear("server /other 0 <nil>")
		})
	}
	wg.Wait()
	require.NoError(t, stop(t.Context()))
	require.Positive(t, s.waited.Load())
	if runtime.GOOS == "linux" {
		require.Greater(t, s.swift.Load(), int64(1000), "most requests come whole")
	}
}

func TestALargeRequestOfAnotherKindIsHandedOverWhole(t *testing.T) {
	t.Parallel()
	s := swiftly{session{&counter{}}}
	addr, _, stop := serve(t, s)
	for _, size := range []int{0, 1000, 9000, 30_000, 32_700, 40_000, 200_000} {
		c := dial(t, addr)
		for n := range 2 {
			c.say(get(n))
			c.hear(fmt.Sprint(n))
		}
		c.say(fmt.Sprintf("POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size)))
		c.hear(fmt.Sprintf("server /other %d <nil>", size))
		require.NoError(t, c.conn.Close())
	}
	require.NoError(t, stop(t.Context()))
}

func TestASessionThatIsNotSwiftAnswersAll(t *testing.T) {
	t.Parallel()
	s := session{&counter{}}
	addr, _, stop := serve(t, s)
	c := dial(t, addr)
	for n := range 10 {
		c.say(get(n))
		c.hear(fmt.Sprint(n))
	}
	require.NoError(t, stop(t.Context()))
	require.EqualValues(t, 10, s.waited.Load())
}

func TestClosingEndsWhatRestsAndAnswersWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		return // there are no loops: collect's tests have the same for goroutines
	}
	for name, forced := range map[string]bool{"in its time": false, "when its time is over": true} {
		s := swiftly{session{&counter{hold: make(chan struct{}), begun: make(chan struct{}, 1)}}}
		addr, l, stop := serve(t, s)
		under, rest := dial(t, addr), dial(t, addr)
		for _, c := range []*client{under, rest} {
			c.say(get(0)) // the first is never swift
			c.hear("0")
		}
		under.say(get(1))
		<-s.begun
		require.NoError(t, l.Close(), name)
		_, err := rest.br.ReadByte()
		require.ErrorIs(t, err, io.EOF, name)
		ctx, cancel := context.WithCancel(t.Context())
		if forced {
			cancel()
			stopped := make(chan error, 1)
			go func() { stopped <- stop(ctx) }()
			_, err := under.br.ReadByte()
			require.Error(t, err, name)
			close(s.hold)
			require.ErrorIs(t, <-stopped, context.Canceled, name)
			continue
		}
		close(s.hold)
		require.True(t, under.hear("1").Close, name)
		require.NoError(t, stop(ctx), name)
		cancel()
	}
}

func TestWhoSaysNoMoreIsAnsweredAndLetGo(t *testing.T) {
	t.Parallel()
	s := swiftly{session{&counter{}}}
	addr, _, stop := serve(t, s)
	for n := range 50 {
		c := dial(t, addr)
		c.say(get(n))
		c.hear(fmt.Sprint(n))
		c.say(get("last"))
		tcp, _ := c.conn.(*net.TCPConn)
		require.NoError(t, tcp.CloseWrite())
		c.hear("last")
		_, err := c.br.ReadByte()
		require.ErrorIs(t, err, io.EOF)
	}
	require.NoError(t, stop(t.Context()))
}

func TestConnectionsThatGoAwayAreForgotten(t *testing.T) {
	t.Parallel()
	s := swiftly{session{&counter{}}}
	addr, _, stop := serve(t, s)
	for n := range 200 {
		c := dial(t, addr)
		c.say(get(n))
		c.hear(fmt.Sprint(n))
		if n%3 == 0 {
			c.say("GET /cou") // and no more
		}
		if n%3 == 1 {
			c.say(get(n)) // and nobody listens
		}
		require.NoError(t, c.conn.Close())
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, stop(ctx), "nothing is under way for good")
}
