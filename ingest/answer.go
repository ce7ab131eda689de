package ingest

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/vitascope/vitascope/internal/httpx"
)

// answer passes tusd's answers on, with two changes: a refusal is held back to
// become a problem document like everyone else's, and Location becomes a path, so
// that it is right behind every proxy and for every Host header.
type answer struct {
	http.ResponseWriter
	method   string
	upload   string // id of the upload, which is its media's
	maxBytes int64
	refused  int // status, 0 when not refused
	text     bytes.Buffer
}

// Unwrap lets http.ResponseController reach the connection's deadlines.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if loc, err := url.Parse(a.Header().Get("Location")); err == nil && loc.Host != "" {
		a.Header().Set("Location", loc.EscapedPath())
	}
	if status >= http.StatusBadRequest {
		a.refused = status
		a.Header().Del("Content-Length")
		a.Header().Del("Content-Type")
		return
	}
	if a.method == http.MethodHead {
		// A client that resumes learns again which media its upload becomes.
		a.Header().Set(MediaIDHeader, a.upload)
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if a.refused != 0 {
		if a.text.Len() < 4<<10 {
			a.text.Write(b)
		}
		return len(b), nil
	}
	return a.ResponseWriter.Write(b)
}

// problem returns tusd's refusal as a problem, or nil.
func (a *answer) problem() error {
	if a.refused == 0 {
		return nil
	}
	code, _, _ := strings.Cut(a.text.String(), ":")
	p := &httpx.Problem{Title: http.StatusText(a.refused), Status: a.refused}
	if known, ok := refusals[code]; ok {
		p.Type, p.Detail = "/problems/"+known.slug, known.detail
	} else if a.refused >= 500 {
		p.Type, p.Detail = "/problems/upload-interrupted", "The bytes could not be stored just now. Ask for the offset again and go on from there."
	} else {
		p.Type, p.Detail = "about:blank", strings.TrimSpace(a.text.String())
	}
	if code == "ERR_MAX_SIZE_EXCEEDED" {
		p.Detail = "The file is larger than the " + humanize.IBytes(uint64(a.maxBytes)) + " this server accepts."
	}
	if a.refused == http.StatusNotFound {
		p.Type, p.Detail = "/problems/not-found", "There is no unfinished upload with that id."
	}
	return p
}

const (
	quotaCode   = "quota-exceeded"
	quotaDetail = "With this file your account would keep more than its quota allows. Delete media, or ask the operator for more."
)

// refusals explains tusd's errors that clients can do something about.
var refusals = map[string]struct{ slug, detail string }{
	"ERR_MAX_SIZE_EXCEEDED":       {"upload-too-large", ""},
	"ERR_QUOTA":                   {quotaCode, quotaDetail},
	"ERR_UPLOAD_SIZE_EXCEEDED":    {"upload-length-exceeded", "More bytes were sent than the Upload-Length that was announced."},
	"ERR_MISMATCHED_OFFSET":       {"upload-offset", "Upload-Offset is not where this upload stands. Ask with HEAD and go on from there."},
	"ERR_INVALID_UPLOAD_LENGTH":   {"upload-length", "Upload-Length must be the file's size in bytes."},
	"ERR_INVALID_OFFSET":          {"upload-offset", "Upload-Offset must be a whole number of bytes."},
	"ERR_INVALID_CONTENT_TYPE":    {"upload-content-type", "Content-Type must be application/offset+octet-stream."},
	"ERR_UNSUPPORTED_VERSION":     {"tus-version", "Tus-Resumable must be 1.0.0."},
	"ERR_UPLOAD_LOCKED":           {"upload-locked", "Another request is writing to this upload."},
	"ERR_LOCK_TIMEOUT":            {"upload-locked", "Another request is writing to this upload."},
	"ERR_UPLOAD_INTERRUPTED":      {"upload-interrupted", "A newer request took over this upload."},
	"ERR_UNEXPECTED_EOF":          {"upload-cut", "The request ended before its announced length. What came is kept: ask for the offset and go on."},
	"ERR_READ_TIMEOUT":            {"upload-stalled", "No bytes came for too long. What came is kept: ask for the offset and go on."},
	"ERR_UPLOAD_FINISHED":         {"upload-finished", "This upload is finished. Delete the media instead."},
	"ERR_NOT_IMPLEMENTED":         {"tus-extension", "This tus extension is not offered; see Tus-Extension in the answer to OPTIONS."},
	"ERR_AMBIGUOUS_UPLOAD_LENGTH": {"upload-length", "Send Upload-Length alone: the size must be known from the start."},
}
