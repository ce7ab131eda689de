package uploadcli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	errToken = errors.New("the server does not accept this API token; make a new one in the dashboard's settings")
	errAway  = errors.New("no Vitascope server answers")
	// errGone: the server does not know the upload (any more).
	errGone = errors.New("the server no longer has this upload; run the command again to start anew")
	// errTryAgain: the next try may succeed.
	errTryAgain = errors.New("the server could not take the bytes")
)

// transfer is one file on its way.
type transfer struct {
	*Client
	file     *os.File
	name     string
	size     int64
	location string // address of the upload, path or URL
	media    string
	offset   int64 // what the server has acknowledged
	progress progress
}

// create announces the file.
func (t *transfer) create(ctx context.Context) error {
	res, err := t.do(ctx, http.MethodPost, "/uploads/", map[string]string{
		"Upload-Length":   strconv.FormatInt(t.size, 10),
		"Upload-Metadata": "filename " + base64.StdEncoding.EncodeToString([]byte(t.name)),
	}, nil, 0)
	if err != nil {
		return err
	}
	t.location, t.media = res.header.Get("Location"), res.header.Get("Vitascope-Media-Id")
	if res.status != http.StatusCreated || t.location == "" || t.media == "" {
		return fmt.Errorf("%s is not a Vitascope server: it answered %d", t.base, res.status)
	}
	return nil
}

// ask learns the offset.
func (t *transfer) ask(ctx context.Context) error {
	res, err := t.do(ctx, http.MethodHead, t.location, nil, nil, 0)
	if err != nil {
		return err
	}
	return t.take(res)
}

func (t *transfer) take(res reply) error {
	offset, err := strconv.ParseInt(res.header.Get("Upload-Offset"), 10, 64)
	if err != nil || offset < 0 || offset > t.size {
		return fmt.Errorf("%s is not a Vitascope server: its Upload-Offset is %q", t.base, res.header.Get("Upload-Offset"))
	}
	t.offset = offset
	return nil
}

// run sends until the server has everything, trying again for as long as
// Options.Patience after the last progress.
func (t *transfer) run(ctx context.Context) error {
	pause, last, best := t.o.Pause, time.Now(), t.offset
	for t.offset < t.size {
		err := t.patch(ctx)
		if t.offset > best {
			pause, last, best = t.o.Pause, time.Now(), t.offset
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, errTryAgain) && !errors.Is(err, errAway) {
			return err
		}
		for err != nil {
			if ctx.Err() != nil || time.Since(last) > t.o.Patience {
				return err
			}
			if waitErr := wait(ctx, pause); waitErr != nil {
				return waitErr
			}
			pause = min(2*pause, 10*time.Second)
			if err = t.ask(ctx); err != nil && !errors.Is(err, errTryAgain) && !errors.Is(err, errAway) {
				return err
			}
		}
		t.progress.set(t.offset)
	}
	return nil
}

// patch sends one chunk.
func (t *transfer) patch(ctx context.Context) error {
	n := min(t.o.ChunkBytes, t.size-t.offset)
	body := &meter{r: io.NewSectionReader(t.file, t.offset, n), at: t.offset, progress: t.progress}
	res, err := t.do(ctx, http.MethodPatch, t.location, map[string]string{
		"Upload-Offset": strconv.FormatInt(t.offset, 10),
		"Content-Type":  "application/offset+octet-stream",
	}, body, n)
	if failed := body.failed.Load(); failed != nil {
		return fmt.Errorf("read the file: %w", plainPathError(*failed))
	}
	if err != nil {
		return err
	}
	if err := t.take(res); err != nil {
		return err
	}
	t.progress.set(t.offset)
	return nil
}

// meter shows the bytes that leave and keeps the file's own read errors apart
// from the connection's. The connection may read on for a moment after an answer.
type meter struct {
	r        io.Reader
	at       int64
	progress progress
	failed   atomic.Pointer[error]
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	m.at += int64(n)
	if n > 0 {
		m.progress.set(m.at)
	}
	if err != nil && err != io.EOF {
		m.failed.Store(&err)
	}
	return n, err
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

// do sends one request and turns refusals into errors that tell what to do.
func (c *Client) do(ctx context.Context, method, path string, header map[string]string, body io.Reader, n int64) (reply, error) {
	target, err := c.base.Parse(path)
	if err != nil {
		return reply{}, fmt.Errorf("address %q: %w", path, err)
	}
	if target.Host != c.base.Host {
		return reply{}, fmt.Errorf("%s points to another server, %s", c.base, target.Host) // the token stays here
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return reply{}, err
	}
	req.ContentLength = n
	req.Header.Set("Authorization", "Bearer "+c.o.Token)
	req.Header.Set("Tus-Resumable", "1.0.0")
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return reply{}, ctx.Err()
		}
		if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return reply{}, fmt.Errorf("%w: the connection was cut", errTryAgain)
		}
		return reply{}, fmt.Errorf("%w at %s (%w); is it running?", errAway, c.base, rootCause(err))
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		return reply{}, fmt.Errorf("%w: the answer was cut", errTryAgain)
	}
	out := reply{status: res.StatusCode, header: res.Header, body: raw}
	return out, c.refusal(out)
}

func (c *Client) refusal(r reply) error {
	switch {
	case r.status < 400:
		return nil
	case r.status == http.StatusUnauthorized:
		return errToken
	case r.status == http.StatusNotFound || r.status == http.StatusGone:
		return errGone
	case r.status == http.StatusConflict, r.status == http.StatusLocked, r.status == http.StatusTooManyRequests, r.status >= 500:
		return fmt.Errorf("%w: it answered %d %s", errTryAgain, r.status, detail(r.body))
	}
	return fmt.Errorf("the server refused: %s (%d)", detail(r.body), r.status)
}

// detail is the sentence in a problem document, if there is one.
func detail(body []byte) string {
	var p struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
	}
	if json.Unmarshal(body, &p) != nil {
		return ""
	}
	if p.Detail != "" {
		return p.Detail
	}
	return p.Title
}

// rootCause is the last error of a chain: "connection refused" rather than the
// whole request.
func rootCause(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
