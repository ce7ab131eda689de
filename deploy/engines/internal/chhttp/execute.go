package chhttp

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/vitascope/vitascope/deploy/engines/internal/chdb"
)

var (
	// selectText matches what can stream; DESCRIBE and SHOW cannot.
	selectText = regexp.MustCompile(`(?is)^(?:[\s(]+|--[^\n]*\n|/\*.*?\*/)*(?:SELECT|WITH)\b`)
	// ownFormat matches a statement that names its output format.
	ownFormat = regexp.MustCompile(`(?is)\bFORMAT\s+\w+\s*(?:SETTINGS\b[^)]*)?;?\s*$`)
)

// streamable are the formats whose chunks, one after the other, are a whole
// result: no header, footer or separator between them.
var streamable = map[string]bool{"Native": true, "TabSeparated": true, "TSV": true, "JSONEachRow": true, "RowBinary": true}

// execute runs the request's statement in conn and writes its result. It
// returns an error only while nothing has been written.
func execute(conn *chdb.Conn, w http.ResponseWriter, req *request) error {
	if req.rows != nil {
		return insert(conn, w, req)
	}
	what, err := analyze(conn, req.sql)
	if err != nil {
		return err
	}
	out := newAnswer(w, req)
	if what.ReadOnly && streamable[req.format] && selectText.MatchString(req.sql) && !ownFormat.MatchString(req.sql) {
		if err := conn.Stream(req.sql, req.format, req.params, out.writeChunk); err != nil {
			return out.fail(err)
		}
		return out.close()
	}
	res, err := conn.Query(req.sql, req.format, req.params)
	if err != nil {
		return out.fail(err)
	}
	defer res.Free()
	if n := res.RowsWritten(); n > 0 {
		writeSummary(w, n)
	}
	setContentType(w, req.format)
	if b := res.Bytes(); len(b) > 0 {
		if err := out.write(b); err != nil {
			return nil // the client has gone
		}
	}
	return out.close()
}

func insert(conn *chdb.Conn, w http.ResponseWriter, req *request) error {
	// The tail is put back for the parser: without it this is no statement.
	if _, err := analyze(conn, req.sql+" FORMAT "+req.rowsFormat); err != nil {
		return err
	}
	n, err := conn.Insert(req.sql, req.rowsFormat, req.params, req.rows)
	if err != nil {
		return err
	}
	writeSummary(w, n)
	w.WriteHeader(http.StatusOK)
	return nil
}

// analyze refuses what is not exactly one statement. The library would run
// several, and would run the first of a text that is broken further on.
func analyze(conn *chdb.Conn, sql string) (chdb.Analysis, error) {
	what, err := conn.Analyze(sql)
	if err != nil {
		return what, err
	}
	if what.Statements > 1 {
		return what, exceptionf(codeSyntaxError, "Syntax error (Multi-statements are not allowed). (SYNTAX_ERROR)")
	}
	if what.Statements == 0 {
		// It did not parse. formatQuery parses without running and words
		// the error.
		err := conn.Exec("SELECT formatQuery({sql:String})", chdb.Param{Name: "sql", Value: escape(sql)})
		if err == nil {
			err = exceptionf(codeSyntaxError, "Syntax error: not a statement. (SYNTAX_ERROR)")
		}
		return what, err
	}
	return what, nil
}

// escape writes s in the text form of parameters.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`).Replace(s)
}

func writeSummary(w http.ResponseWriter, written uint64) {
	w.Header().Set("X-ClickHouse-Summary", fmt.Sprintf(`{"written_rows":"%d"}`, written))
}

func setContentType(w http.ResponseWriter, format string) {
	kind := "application/octet-stream"
	switch {
	case strings.HasPrefix(format, "JSON"):
		kind = "application/json; charset=UTF-8"
	case strings.HasPrefix(format, "TabSeparated"), strings.HasPrefix(format, "TSV"):
		kind = "text/tab-separated-values; charset=UTF-8"
	case strings.HasPrefix(format, "CSV"):
		kind = "text/csv; charset=UTF-8; header=absent"
	}
	w.Header().Set("Content-Type", kind)
}

// isEngineError tells a statement's failure from a failure to write.
func isEngineError(err error) bool {
	var e *chdb.Error
	return errors.As(err, &e)
}
