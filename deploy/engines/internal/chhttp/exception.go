package chhttp

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"

	"github.com/vitascope/vitascope/deploy/engines/internal/chdb"
)

// Codes of ClickHouse's ErrorCodes.cpp that this package itself answers with.
const (
	codeCannotRead           = 33
	codeNotImplemented       = 48
	codeSyntaxError          = 62
	codeUnknownSetting       = 115
	codeTooLarge             = 131
	codeAuthenticationFailed = 516
	codeCannotDecompress     = 271
	codeUnknownException     = 1002
)

var exceptionCode = regexp.MustCompile(`^Code:\s*(\d+)`)

// exceptionf words an error as the engine does.
func exceptionf(code int, format string, args ...any) error {
	return &chdb.Error{Message: fmt.Sprintf("Code: %d. DB::Exception: %s", code, fmt.Sprintf(format, args...))}
}

// writeFailure answers with err as the real server does: the code in a header
// and in the text, from which clients make a typed exception.
func writeFailure(w http.ResponseWriter, err error) {
	msg := err.Error()
	code := codeUnknownException
	if m := exceptionCode.FindStringSubmatch(msg); m != nil {
		code, _ = strconv.Atoi(m[1]) // digits only
	} else {
		msg = fmt.Sprintf("Code: %d. DB::Exception: %s. (UNKNOWN_EXCEPTION)", code, msg)
	}
	h := w.Header()
	h.Del("Content-Encoding")
	h.Set("X-ClickHouse-Exception-Code", strconv.Itoa(code))
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	w.WriteHeader(status(code))
	_, _ = io.WriteString(w, msg+"\n")
}

// status maps codes to HTTP statuses as the real server does.
func status(code int) int {
	switch code {
	case codeAuthenticationFailed:
		return http.StatusForbidden
	case 60, 81: // UNKNOWN_TABLE, UNKNOWN_DATABASE
		return http.StatusNotFound
	case codeTooLarge:
		return http.StatusRequestEntityTooLarge
	case codeNotImplemented:
		return http.StatusNotImplemented
	case 6, 26, 27, 36, 41, 42, 43, 47, 53, codeSyntaxError, codeUnknownSetting, 117, 164, 386:
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}
