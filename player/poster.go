package player

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vitascope/vitascope/internal/fault"
)

// servePoster answers with the poster that serveConfig would name, at an address that
// a page knows before it has asked for anything. Where there is none, or the caller has
// to show something first, there is no content, and no error in the page's console: the
// player asks for the config then, and hears why.
func (h *Handler) servePoster(c echo.Context) error {
	header := c.Response().Header()
	openToAll(header)
	header.Set("Cache-Control", "no-store")
	id, err := paramID(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	m, err := h.lookUp(ctx, id)
	if err != nil {
		return err
	}
	if _, err := h.admit(ctx, m, h.callerOf(c), credentials{}); err != nil {
		if k := fault.KindOf(err); k == fault.Unauthorized || k == fault.Forbidden {
			return c.NoContent(http.StatusNoContent)
		}
		return err
	}
	// Who asks is told apart as in serveConfig, so the arm is the same.
	chosen := h.choose(ctx, &m, c.RealIP(), c.Request().UserAgent(), nil)
	if m.pointer == nil || m.pointer.Poster == "" && chosen.poster == "" {
		return c.NoContent(http.StatusNoContent)
	}
	asked, caching := "poster.jpg", posterFreshly
	if chosen.poster != "" {
		asked = chosen.poster
	}
	if m.arms != nil || !m.access.Open() {
		caching = "private, max-age=60"
	}
	f, err := h.find(ctx, *m.pointer, asked)
	if err != nil {
		return notServed(c, err)
	}
	return h.serveStored(c, f.name, f.object, caching)
}
