package dashboard

import (
	"bytes"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// contentSecurityPolicy allows the page its own files, media from its own origin
// and the given ones or from memory (the player's buffers), and nothing inline.
// style-src-elem alone admits inline style elements: the player's controls
// carry theirs inside shadow roots. Style attributes stay forbidden.
func contentSecurityPolicy(origins []string) string {
	from := strings.Join(append([]string{"'self'"}, origins...), " ")
	return "default-src 'none'; script-src 'self'; style-src 'self'; " +
		"style-src-elem 'self' 'unsafe-inline'; style-src-attr 'none'; " +
		"img-src " + from + " data: blob:; media-src " + from + " blob:; connect-src " + from + "; " +
		"worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}

// Handler serves the dashboard's page and its hashed files.
type Handler struct {
	files  map[string]file // by URL path
	policy string
}

// file is one resource with its ready-compressed forms, empty when absent.
type file struct {
	contentType string
	plain       []byte
	brotli      []byte
	gzip        []byte
}

// NewFromFS returns a handler for a build found in fsys: index.html at its
// root and the hashed files under assets/dashboard. It reads everything at
// once and fails when there is no index.html. For urls see New.
func NewFromFS(fsys fs.FS, urls ...string) (*Handler, error) {
	var origins []string
	for _, raw := range urls {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, fmt.Errorf("dashboard: %q is not an http or https URL", raw)
		}
		origins = append(origins, u.Scheme+"://"+u.Host)
	}
	index, err := fs.ReadFile(fsys, "index.html")
	if err != nil {
		return nil, fmt.Errorf("read the dashboard's page: %w", err)
	}
	h := &Handler{
		files:  map[string]file{"/": {contentType: "text/html; charset=utf-8", plain: index}},
		policy: contentSecurityPolicy(origins),
	}
	dir := strings.Trim(AssetsPrefix, "/")
	if _, err := fs.Stat(fsys, dir); err != nil {
		return h, nil
	}
	err = fs.WalkDir(fsys, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		h.add("/"+name, body)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the dashboard's assets: %w", err)
	}
	return h, nil
}

// add files a resource, or the compressed form of one, under its URL path.
func (h *Handler) add(urlPath string, body []byte) {
	encoding := path.Ext(urlPath)
	if encoding != ".br" && encoding != ".gz" {
		f := h.files[urlPath]
		f.plain, f.contentType = body, contentType(urlPath)
		h.files[urlPath] = f
		return
	}
	urlPath = strings.TrimSuffix(urlPath, encoding)
	f := h.files[urlPath]
	if encoding == ".br" {
		f.brotli = body
	} else {
		f.gzip = body
	}
	h.files[urlPath] = f
}

// contentType names the media type by extension, without the host's own type
// table, which differs from machine to machine.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// ServeHTTP answers the page at "/" and the hashed files under AssetsPrefix.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	urlPath := r.URL.Path
	if urlPath == "/index.html" {
		urlPath = "/"
	}
	f, ok := h.files[urlPath]
	if !ok || f.plain == nil {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	if urlPath == "/" {
		header.Set("Cache-Control", "no-cache")
		header.Set("Content-Security-Policy", h.policy)
		header.Set("Referrer-Policy", "same-origin")
		header.Set("X-Frame-Options", "DENY")
	} else {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	f.write(w, r)
}

// write sends the smallest form the client accepts.
func (f file) write(w http.ResponseWriter, r *http.Request) {
	header, body := w.Header(), f.plain
	header.Set("Content-Type", f.contentType)
	if f.brotli != nil || f.gzip != nil {
		header.Add("Vary", "Accept-Encoding")
	}
	accept := r.Header.Get("Accept-Encoding")
	switch {
	case f.brotli != nil && accepts(accept, "br"):
		body = f.brotli
		header.Set("Content-Encoding", "br")
	case f.gzip != nil && accepts(accept, "gzip"):
		body = f.gzip
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	// A failed write means the client left; there is no one to tell.
	_, _ = bytes.NewReader(body).WriteTo(w)
}

// accepts reports whether an Accept-Encoding header names encoding with a
// quality above zero.
func accepts(header, encoding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), encoding) {
			continue
		}
		q, found := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		if !found {
			return true
		}
		quality, err := strconv.ParseFloat(q, 64)
		return err == nil && quality > 0
	}
	return false
}
