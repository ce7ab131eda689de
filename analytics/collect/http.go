package collect

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/fault"
)

// Register adds the routes. They take no credentials, so checks of the caller's
// origin must leave them out.
func (h *Handler) Register(e *echo.Echo) {
	e.POST(Path, h.post)
	e.OPTIONS(Path, h.options)
}

// exposed is what pages read of a refusal: players wait as long as it says.
const exposed = "Retry-After"

func allowAnyOrigin(c echo.Context) http.Header {
	header := c.Response().Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	return header
}

func (h *Handler) options(c echo.Context) error {
	header := allowAnyOrigin(c)
	header.Set("Access-Control-Allow-Methods", "POST, OPTIONS")
	header.Set("Access-Control-Allow-Headers", "Content-Type")
	header.Set("Access-Control-Max-Age", "86400")
	return c.NoContent(http.StatusNoContent)
}

func (h *Handler) post(c echo.Context) error {
	header := allowAnyOrigin(c)
	header.Set("Cache-Control", "no-store")
	r := c.Request()
	buffer, _ := h.bodies.Get().(*[]byte)
	defer h.bodies.Put(buffer)
	n, err := readBody(*buffer, r.Body)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "beacon-body", "The body could not be read.")
	}
	address, _ := netip.ParseAddr(c.RealIP())
	err = h.take(r.Context(), &arrival{
		body: (*buffer)[:n], mediaType: r.Header.Get("Content-Type"), encoding: r.Header.Get("Content-Encoding"),
		agent: r.UserAgent(), address: address, optedOut: r.Header.Get("Sec-GPC") == "1" || r.Header.Get("DNT") == "1",
		sentAt: c.QueryParam(beacon.SentAtParam),
	})
	if err != nil {
		if after := h.retryAfter(err); after != "" {
			header.Set("Retry-After", after)
			header.Set("Access-Control-Expose-Headers", exposed)
		}
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// readBody reads a body as far as into goes and tells how far. Unlike io.ReadFull it tells
// a body that ended from one whose sender hung up in the middle of it: cut in the
// right place, that could be read as a whole one.
func readBody(into []byte, body io.Reader) (n int, err error) {
	for n < len(into) && err == nil {
		var more int
		more, err = body.Read(into[n:])
		n += more
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// retryAfter returns the header's value when err asks to come again.
func (h *Handler) retryAfter(err error) string {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.RateLimited:
		return strconv.Itoa(int(h.cfg.RetryAfter.Seconds()))
	}
	return ""
}
