package idempotency

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/httpx"
)

// noteTimeout bounds what is noted of a request after its end.
const noteTimeout = 10 * time.Second

// bodyTimeout bounds how long a body arrives, as huma's default does.
const bodyTimeout = 5 * time.Second

// retryAfter is when a repeat of a running request is worth another try, in seconds.
const retryAfter = "2"

var (
	errKey = &httpx.Problem{Type: "/problems/idempotency-key-invalid", Title: "The key is not valid", Status: http.StatusBadRequest,
		Detail: fmt.Sprintf("%s is one value of 1 to %d visible ASCII characters.", Header, maxKey)}
	errBody = &httpx.Problem{Type: "about:blank", Title: http.StatusText(http.StatusBadRequest), Status: http.StatusBadRequest,
		Detail: "The request broke off."}
	errTooLarge = fault.New(fault.TooLarge, "body-too-large", "The body of a request with %s has at most %d bytes.", Header, maxBody)
	errReused   = fault.New(fault.Invalid, "idempotency-key-reused", "This %s was sent with another request. Choose a new key for each thing to do.", Header)
	errRunning  = fault.New(fault.Conflict, "idempotency-key-in-use", "The first request with this %s is still running. Repeat this one shortly.", Header)
	errNotKept  = fault.New(fault.Conflict, "idempotency-answer-not-kept", "This was done before and is not done again. Its answer is not kept: look at what there is, and choose a new key to do it once more.")
)

// kept are the headers of an answer that a repeat is given too.
var kept = []string{"Content-Type", "Location", "Etag", "Link"}

// serve is the step before the handlers.
func (k *Keys) serve(api huma.API, ctx huma.Context, next func(huma.Context)) {
	c := humaecho.Unwrap(ctx)
	keys := c.Request().Header.Values(Header)
	if len(keys) == 0 || !takesKey(ctx.Operation()) {
		next(ctx)
		return
	}
	mine, err := k.read(ctx, c, keys)
	if err != nil {
		httpx.Refuse(api, ctx, err)
		return
	}
	first, ok, err := k.db.ClaimRequest(ctx.Context(), mine, k.cfg.Lease)
	switch {
	case err != nil:
		httpx.Refuse(api, ctx, err)
	case ok:
		k.run(ctx, c, mine, next)
	case first.Fingerprint != mine.Fingerprint:
		httpx.Refuse(api, ctx, errReused)
	case first.Status == 0:
		ctx.SetHeader("Retry-After", retryAfter)
		httpx.Refuse(api, ctx, errRunning)
	case first.Body == nil:
		httpx.Refuse(api, ctx, errNotKept)
	default:
		if err := replay(c, first); err != nil {
			httpx.Refuse(api, ctx, err)
		}
	}
}

// read checks the key and tells what the request is. The body is left as it was.
func (k *Keys) read(ctx huma.Context, c echo.Context, keys []string) (catalog.KeyedRequest, error) {
	if len(keys) > 1 || !isKey(keys[0]) {
		return catalog.KeyedRequest{}, errKey
	}
	r := c.Request()
	_ = ctx.SetReadDeadline(time.Now().Add(bodyTimeout)) // a connection that has none is a test's
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	_ = ctx.SetReadDeadline(time.Time{})
	switch {
	case err != nil:
		return catalog.KeyedRequest{}, errBody
	case len(body) > maxBody:
		return catalog.KeyedRequest{}, errTooLarge
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(body), r.Body}
	who := auth.From(r.Context())
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n", who.UserID, r.Method, r.URL.RequestURI())
	h.Write(body)
	return catalog.KeyedRequest{AccountID: who.AccountID, Key: keys[0], Fingerprint: hex.EncodeToString(h.Sum(nil)), Holder: rand.Text()}, nil
}

func isKey(key string) bool {
	for i := range len(key) {
		if key[i] < '!' || key[i] > '~' {
			return false
		}
	}
	return 0 < len(key) && len(key) <= maxKey
}

// run does the work of a first request, keeps its answer and sends it.
func (k *Keys) run(ctx huma.Context, c echo.Context, mine catalog.KeyedRequest, next func(huma.Context)) {
	r, w := c.Request(), c.Response()
	work, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), k.cfg.Timeout)
	defer cancel()
	rec := &recorder{ResponseWriter: w.Writer}
	c.SetRequest(r.WithContext(work))
	w.Writer = rec
	done := false
	defer func() {
		w.Writer = rec.ResponseWriter
		c.SetRequest(r)
		if !done { // it panicked: what it had to say is not an answer
			rec.status, w.Committed = 0, rec.spilled
		}
		k.note(r.Context(), mine, rec, IsSecret(ctx.Operation()))
		rec.send()
	}()
	next(ctx)
	done = true
}

// note keeps what came of a request, or forgets that it was made. The answer is right
// even if that fails: the key then stays taken until its lease is over.
func (k *Keys) note(ctx context.Context, mine catalog.KeyedRequest, rec *recorder, secret bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	if rec.status == 0 || rec.status >= http.StatusInternalServerError || rec.status == http.StatusTooManyRequests {
		if err := k.db.ReleaseRequest(ctx, mine); err != nil {
			k.log.WarnContext(ctx, "request key not released", "err", err)
		}
		return
	}
	mine.Status = rec.status
	if !rec.spilled && (!secret || rec.status >= http.StatusBadRequest) {
		headers := map[string]string{}
		for _, name := range kept {
			if v := rec.Header().Get(name); v != "" {
				headers[name] = v
			}
		}
		text, err := json.Marshal(headers)
		if err != nil {
			panic(err) // a map of strings
		}
		mine.Headers, mine.Body = string(text), append([]byte{}, rec.body.Bytes()...)
	}
	if err := k.db.FinishRequest(ctx, mine, k.cfg.Keep); err != nil {
		k.log.WarnContext(ctx, "answer of a request with a key not kept", "err", err)
	}
}

// replay answers as the first request was.
func replay(c echo.Context, first catalog.KeyedRequest) error {
	var headers map[string]string
	if err := json.Unmarshal([]byte(first.Headers), &headers); err != nil {
		return fmt.Errorf("headers of a kept answer: %w", err)
	}
	w := c.Response()
	for name, v := range headers {
		w.Header().Set(name, v)
	}
	w.Header().Set(ReplayedHeader, "true")
	w.WriteHeader(first.Status)
	if len(first.Body) > 0 {
		_, _ = w.Write(first.Body) // an error is the connection's: nobody is there to be told
	}
	return nil
}
