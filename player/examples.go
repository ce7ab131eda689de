package player

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vitascope/vitascope/internal/embed"
)

// serveExamples answers a page that shows every way to embed one open video, each
// beside the code for it.
func (h *Handler) serveExamples(c echo.Context) error {
	data := h.newPage(c)
	id, err := paramID(c)
	var m media
	if err == nil {
		m, err = h.lookUp(c.Request().Context(), id)
	}
	if isNotFound(err) || err == nil && !m.access.Open() {
		return h.render(c, http.StatusNotFound, "missing.html", data)
	}
	if err != nil {
		return err
	}
	data.describe(m)
	data.NoIndex = true
	data.ExamplesCSS = h.pages.files["examples.css"].path
	data.Codes = embed.Codes(embed.Media{Base: data.Base, ID: m.id, Name: m.name, Width: data.Width, Height: data.Height}, embed.Options{})
	return h.render(c, http.StatusOK, "examples.html", data)
}
