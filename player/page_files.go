package player

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"
)

// pageFile is a script or style of the server's own pages, under a name that has a
// hash of its content in it.
type pageFile struct {
	body        []byte
	contentType string
	path        string
}

// loadPageFiles reads those in the folder pages, by their names.
func loadPageFiles() (map[string]pageFile, error) {
	files := map[string]pageFile{}
	for _, name := range []string{"page.js", "examples.css"} {
		body, err := pageFiles.ReadFile("pages/" + name)
		if err != nil {
			return nil, fmt.Errorf("read %s of the pages: %w", name, err)
		}
		sum, ext := sha256.Sum256(body), path.Ext(name)
		files[name] = pageFile{body: body, contentType: assetType(name),
			path: "/assets/pages/" + strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:6]) + ext}
	}
	return files, nil
}

func (h *Handler) servePageFile(c echo.Context) error {
	for _, f := range h.pages.files {
		if strings.HasSuffix(f.path, "/"+c.Param("file")) {
			c.Response().Header().Set("Cache-Control", immutable)
			return c.Blob(http.StatusOK, f.contentType, f.body)
		}
	}
	return errNoObject
}
