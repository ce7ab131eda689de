package player

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vitascope/vitascope/player/internal/cache"
)

// serveText answers with a text, compressed for those who take it.
func (h *Handler) serveText(c echo.Context, name string, t *text, caching string) error {
	return serveWhole(c, h.encodeText(c.Response().Header(), c.Request(), name, t, caching))
}

// encodeText sets the headers of a text and returns the form that the client takes.
func (h *Handler) encodeText(header http.Header, r *http.Request, name string, t *text, caching string) []byte {
	offered := ""
	if t.gzip != nil {
		header["Vary"] = varyEncoding
		if r.Header.Get("Range") == "" {
			offered = strings.Join(r.Header["Accept-Encoding"], ",")
		}
	}
	body, etag, encoding := t.form(offered)
	if encoding != "" {
		header.Set("Content-Encoding", encoding)
	}
	h.metrics.texts.Inc()
	h.metrics.sent.Add(float64(len(body)))
	describe(header, name, etag, caching)
	return body
}

// form returns the bytes of a text for those who take the offered encodings, their
// etag and their encoding, empty for none.
func (t *text) form(offered string) (body []byte, etag, encoding string) {
	switch {
	case t.gzip == nil || offered == "":
	case t.brotli != nil && offers(offered, "br"):
		return t.brotli, t.etag + "-br", "br"
	case offers(offered, "gzip"):
		return t.gzip, t.etag + "-gz", "gzip"
	}
	return t.body, t.etag, ""
}

// serveStored answers with an object, and closes it.
func (h *Handler) serveStored(c echo.Context, name string, found *cache.Object, caching string) error {
	defer found.Close()
	h.metrics.objects[found.Tier].Inc()
	describe(c.Response().Header(), name, found.ETag, caching)
	c.Response().Header()["Accept-Ranges"] = bytesRanges
	if found.Body != nil {
		h.metrics.sent.Add(float64(found.Size))
		return serveWhole(c, found.Body)
	}
	if isPlain(c.Request()) && c.Request().Method == http.MethodGet {
		if f, ok := found.Content().(*os.File); ok {
			c.Response().Header()["Content-Length"] = []string{strconv.FormatInt(found.Size, 10)}
			c.Response().WriteHeader(http.StatusOK)
			sendFile(c.Response().Writer, f, found.Size)
			c.Response().Size = found.Size
			h.metrics.sent.Add(float64(found.Size))
			return nil
		}
		if w, ok := found.Content().(io.WriterTo); ok {
			c.Response().Header().Set("Content-Length", strconv.FormatInt(found.Size, 10))
			c.Response().WriteHeader(http.StatusOK)
			n, err := w.WriteTo(c.Response())
			h.metrics.sent.Add(float64(n))
			return h.brokenOff(c, n, found.Size, err)
		}
	}
	// Ranges, conditions and HEAD are net/http's. When the store fails midway it
	// drops the connection, since less was written than the length says.
	http.ServeContent(passing{c.Response()}, c.Request(), "", time.Time{}, found.Content())
	h.metrics.sent.Add(float64(c.Response().Size))
	return nil
}

// brokenOff ends an answer that is shorter than its length says by dropping the
// connection, so that no cache takes it for whole.
func (h *Handler) brokenOff(c echo.Context, sent, size int64, err error) error {
	if err == nil && sent == size {
		return nil
	}
	ctx := c.Request().Context()
	if err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		h.log.DebugContext(ctx, "object not sent to its end", "err", err)
	}
	return nil // net/http closes a connection on which less was written than announced
}

func describe(header http.Header, name, etag, caching string) {
	header["Content-Type"] = contentTypes[path.Ext(name)]
	header["Cache-Control"] = []string{caching}
	if etag != "" {
		header["Etag"] = []string{`"` + etag + `"`}
	}
}

// serveWhole answers with bytes in memory: in one write, which the kernel takes
// without a copy in between, unless conditions or ranges ask for less.
func serveWhole(c echo.Context, body []byte) error {
	if !isPlain(c.Request()) {
		http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(body))
		return nil
	}
	c.Response().Header().Set("Content-Length", strconv.Itoa(len(body)))
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	// An error is the viewer's having gone.
	_, _ = c.Response().Write(body)
	return nil
}

// isPlain tells whether a request asks for the whole object, whatever it has.
func isPlain(r *http.Request) bool {
	for _, name := range [...]string{"Range", "If-None-Match", "If-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		if len(r.Header[name]) > 0 {
			return false
		}
	}
	return true
}

// sendStep is how much of a file the kernel is asked to send at once. A call that
// takes longer than some 20 µs costs the scheduler a thread switch.
const sendStep = 256 << 10

// sendFile sends a whole file without a copy in this process (sendfile). The headers
// are set; the writer is net/http's own, since echo's hides that it can.
func sendFile(w http.ResponseWriter, f *os.File, size int64) {
	w.Header()["Content-Length"] = []string{strconv.FormatInt(size, 10)}
	for left := size; left > 0; {
		n, err := io.Copy(w, io.LimitReader(f, min(left, sendStep)))
		if err != nil || n == 0 {
			return // the viewer has gone, or the file is shorter: net/http drops the connection
		}
		left -= n
	}
}

// passing lets the kernel send ranges of files: echo's response hides that the
// connection can.
type passing struct{ *echo.Response }

// ReadFrom implements io.ReaderFrom.
func (p passing) ReadFrom(r io.Reader) (int64, error) {
	if !p.Committed {
		p.WriteHeader(http.StatusOK)
	}
	n, err := io.Copy(p.Writer, r)
	p.Size += n
	return n, err
}
