// Package chhttp serves ClickHouse's HTTP protocol over an engine in this
// process.
//
// It speaks what clickhouse-go (Protocol: HTTP), the official JavaScript
// client and curl need: statements in the body or the query parameter,
// settings and {name:Type} parameters in the URL, inserts with the rows in the
// body, results in any format, compression by gzip or ClickHouse's own
// blocks, basic or header authentication, typed exceptions, and the end of a
// statement whose client has gone. It refuses several statements in one
// request, sessions over several requests, and external tables, the first as
// the real server does, the others with NOT_IMPLEMENTED.
//
// A Server may be used by many goroutines at once; it bounds how many
// statements run together.
//
// Sources: ClickHouse's HTTP interface documentation, and what clickhouse-go
// v2.50 sends.
package chhttp

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/vitascope/vitascope/deploy/engines/internal/chdb"
)

// displayName is what the server calls itself in its hello and in a header.
const displayName = "vitascope"

// Config says who may use a Server and how much at once.
type Config struct {
	User, Password string
	MaxConcurrent  int           // statements running together, at least 1
	StallTimeout   time.Duration // a body that makes no progress for so long is given up
}

// Server is an http.Handler in front of one engine.
type Server struct {
	cfg    Config
	engine *chdb.Engine
	log    *slog.Logger
	slots  chan struct{}
}

// New returns a Server on engine, which stays the caller's to close.
func New(cfg Config, engine *chdb.Engine, log *slog.Logger) (*Server, error) {
	if cfg.User == "" || cfg.Password == "" || cfg.MaxConcurrent < 1 || cfg.StallTimeout <= 0 {
		return nil, fmt.Errorf("clickhouse http: user, password, concurrency and stall timeout are needed")
	}
	return &Server{cfg: cfg, engine: engine, log: log, slots: make(chan struct{}, cfg.MaxConcurrent)}, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/ping" || r.URL.Path == "/replicas_status" {
		_, _ = io.WriteString(w, "Ok.\n")
		return
	}
	if user, ok := s.authenticated(r); !ok {
		writeFailure(w, exceptionf(codeAuthenticationFailed, "%s: Authentication failed: password is incorrect, "+
			"or there is no user with such name. (AUTHENTICATION_FAILED)", user))
		return
	}
	pace := &pace{control: http.NewResponseController(w), stall: s.cfg.StallTimeout}
	defer pace.end()
	r.Body = pacedBody{ReadCloser: r.Body, pace: pace}
	w = pacedWriter{ResponseWriter: w, pace: pace}

	req, err := parseRequest(r)
	if err != nil {
		writeFailure(w, err)
		return
	}
	h := w.Header()
	h.Set("X-ClickHouse-Query-Id", req.queryID)
	h.Set("X-ClickHouse-Server-Display-Name", displayName)
	h.Set("X-ClickHouse-Timezone", "UTC")
	h.Set("X-ClickHouse-Format", req.format)
	switch {
	case req.empty():
		_, _ = io.WriteString(w, "Ok.\n")
		return
	case req.isHello():
		err = s.writeHello(w, req)
	default:
		err = s.run(r.Context(), w, req)
	}
	if err != nil {
		writeFailure(w, err)
	}
}

// authenticated checks the credentials in constant time, from wherever the
// protocol lets a client put them.
func (s *Server) authenticated(r *http.Request) (user string, ok bool) {
	user, password, given := r.BasicAuth()
	if !given {
		user, password = r.Header.Get("X-ClickHouse-User"), r.Header.Get("X-ClickHouse-Key")
	}
	if user == "" {
		q := r.URL.Query()
		user, password = q.Get("user"), q.Get("password")
	}
	return user, same(user, s.cfg.User) && same(password, s.cfg.Password)
}

func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// run waits for a slot, prepares a session and runs the request's statement.
func (s *Server) run(ctx context.Context, w http.ResponseWriter, req *request) error {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil // nobody is left to answer
	}
	conn, err := s.engine.Connect()
	if err != nil {
		return fmt.Errorf("open session: %w", err)
	}
	defer conn.Close()

	tag := rand.Text()
	if err := prepare(conn, req, tag); err != nil {
		return err
	}
	ended := make(chan struct{})
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(killed)
		s.kill(tag, ended)
	})
	defer func() {
		close(ended)
		if !stop() {
			<-killed
		}
	}()
	return execute(conn, w, req)
}

// prepare applies settings and database to a fresh session. The tag goes into
// the setting log_comment, by which kill finds the statement again.
func prepare(conn *chdb.Conn, req *request, tag string) error {
	set := []string{"log_comment=" + quote(tag)}
	for _, s := range req.settings {
		if !settingName.MatchString(s.name) {
			return exceptionf(codeUnknownSetting, "Unknown setting '%s'. (UNKNOWN_SETTING)", s.name)
		}
		set = append(set, s.name+"="+quote(s.value))
	}
	if err := conn.Exec("SET " + strings.Join(set, ", ")); err != nil {
		return err
	}
	if req.database != "" {
		if err := conn.Exec("USE " + quoteName(req.database)); err != nil {
			return err
		}
	}
	if req.readOnly { // last, since nothing can be set after it
		return conn.Exec("SET readonly=2")
	}
	return nil
}

// kill asks the engine to end the statement tagged tag until it has ended:
// the first request may come before the engine has begun the statement.
func (s *Server) kill(tag string, ended <-chan struct{}) {
	conn, err := s.engine.Connect()
	if err != nil {
		s.log.Error("open session to cancel a statement", "err", err)
		return
	}
	defer conn.Close()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		err := conn.Exec("KILL QUERY WHERE Settings['log_comment'] = {tag:String} ASYNC", chdb.Param{Name: "tag", Value: tag})
		if err != nil {
			s.log.Error("cancel a statement", "err", err)
			return
		}
		select {
		case <-ended:
			return
		case <-again.C:
		}
	}
}

// randomQueryID names a request whose client did not.
func randomQueryID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
