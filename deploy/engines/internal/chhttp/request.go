package chhttp

import (
	"bufio"
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/ClickHouse/ch-go/compress"

	"github.com/vitascope/vitascope/deploy/engines/internal/chdb"
)

// maxStatementBytes bounds a statement held in memory, inline data included;
// rows of any amount go into the body of an INSERT named in the URL.
const maxStatementBytes = 64 << 20

var (
	settingName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
	// insertText matches an INSERT after white space and comments.
	insertText = regexp.MustCompile(`(?is)^(?:\s+|--[^\n]*\n|/\*.*?\*/)*INSERT\s+INTO\s`)
	// insertTail finds where the rows' format is named.
	insertTail = regexp.MustCompile(`(?is)\s+(?:FORMAT\s+(\w+)|VALUES)\s*;?\s*$`)
	// helloText is what clickhouse-go asks first.
	helloText = regexp.MustCompile(`(?i)^\s*SELECT\s+displayName\(\),\s*version\(\),\s*revision\(\),\s*timezone\(\)\s*$`)
)

// notSettings are URL parameters of the protocol itself, or that do not
// matter here. All others are settings and checked by the engine.
var notSettings = map[string]bool{
	"query": true, "database": true, "default_format": true, "query_id": true, "quota_key": true,
	"user": true, "password": true, "compress": true, "decompress": true, "client_protocol_version": true,
	"wait_end_of_query": true, "buffer_size": true, "stacktrace": true, "close_session": true,
	"session_timeout": true, "session_check": true, "log_comment": true, "enable_http_compression": true,
}

type setting struct{ name, value string }

// request is one HTTP request, decoded.
type request struct {
	sql        string
	rows       io.Reader // rows of an INSERT, or nil
	rowsFormat string
	format     string // of the result, when the statement names none
	database   string
	queryID    string
	settings   []setting
	params     []chdb.Param
	readOnly   bool // GET must not change anything
	native     bool // answer in ClickHouse's compressed blocks
	gzip       bool // answer gzipped
	greets     bool // speaks the native protocol's revisions, as clickhouse-go does
}

func (r *request) empty() bool   { return strings.TrimSpace(r.sql) == "" && r.rows == nil }
func (r *request) isHello() bool { return r.greets && helloText.MatchString(r.sql) }

// parseRequest decodes r. Of the body it reads as much as is not rows.
func parseRequest(r *http.Request) (*request, error) {
	query := r.URL.Query()
	req := &request{
		database: firstOf(query.Get("database"), r.Header.Get("X-ClickHouse-Database")),
		format:   firstOf(query.Get("default_format"), r.Header.Get("X-ClickHouse-Format"), "TabSeparated"),
		queryID:  query.Get("query_id"),
		readOnly: r.Method != http.MethodPost,
		native:   query.Get("compress") == "1",
		greets:   query.Has("client_protocol_version"),
		gzip:     strings.Contains(r.Header.Get("Accept-Encoding"), "gzip"),
	}
	if req.queryID == "" {
		req.queryID = randomQueryID()
	}
	if query.Get("session_id") != "" {
		return nil, exceptionf(codeNotImplemented, "Sessions over several requests are not supported. (NOT_IMPLEMENTED)")
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		return nil, exceptionf(codeNotImplemented, "External tables are not supported. (NOT_IMPLEMENTED)")
	}
	req.readURL(query)
	body, err := decodeBody(r, query)
	if err != nil {
		return nil, err
	}
	return req, req.readStatement(query.Get("query"), body)
}

// readURL takes settings and parameters from the URL, sorted by name so that
// the same request is always the same statement.
func (r *request) readURL(query url.Values) {
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if param, ok := strings.CutPrefix(name, "param_"); ok {
			r.params = append(r.params, chdb.Param{Name: param, Value: query.Get(name)})
		} else if !notSettings[name] {
			r.settings = append(r.settings, setting{name, query.Get(name)})
		}
	}
}

// decodeBody undoes what the client did to the body.
func decodeBody(r *http.Request, query url.Values) (io.Reader, error) {
	var body io.Reader = r.Body
	switch enc := r.Header.Get("Content-Encoding"); enc {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, exceptionf(codeCannotDecompress, "Body is not gzip: %v. (CANNOT_DECOMPRESS)", err)
		}
		body = z
	default:
		return nil, exceptionf(codeNotImplemented, "Content-Encoding %s is not supported, use gzip. (NOT_IMPLEMENTED)", enc)
	}
	if query.Get("decompress") == "1" {
		body = compress.NewReader(body)
	}
	return body, nil
}

// readStatement tells statement and rows apart: an INSERT in the URL takes
// the body as its rows, anything else has the body as its (further) text.
func (r *request) readStatement(inURL string, body io.Reader) error {
	r.sql = inURL
	if insertText.MatchString(inURL) {
		rows := bufio.NewReader(body)
		if _, err := rows.Peek(1); err == nil {
			r.rows, r.rowsFormat = rows, "Values"
			if at := insertTail.FindStringSubmatchIndex(inURL); at != nil {
				r.sql = inURL[:at[0]]
				if at[2] >= 0 {
					r.rowsFormat = inURL[at[2]:at[3]]
				}
			}
			return nil
		}
	}
	text, err := io.ReadAll(io.LimitReader(body, maxStatementBytes+1))
	if err != nil {
		return exceptionf(codeCannotRead, "Cannot read the request's body: %v. (CANNOT_READ_ALL_DATA)", err)
	}
	if len(text) > maxStatementBytes {
		return exceptionf(codeTooLarge, "Statement is larger than %d bytes; put the INSERT into the URL and its rows "+
			"into the body. (TOO_LARGE_STRING_SIZE)", maxStatementBytes)
	}
	if r.sql != "" && len(text) > 0 {
		r.sql += "\n"
	}
	r.sql += string(text)
	return nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// quote writes s as a string literal.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// quoteName writes s as an identifier.
func quoteName(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}
