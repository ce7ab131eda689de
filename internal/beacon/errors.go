package beacon

import "fmt"

// Code is the stable, documented reason a body or token is refused with.
type Code string

// Codes of refusal.
const (
	CodeMediaType       Code = "media_type" // not text/plain, or not as Content-Encoding says
	CodeTooLarge        Code = "body_too_large"
	CodeNotUTF8         Code = "not_utf8"
	CodeNotJSON         Code = "not_json"
	CodeWrongType       Code = "wrong_type"
	CodeVersion         Code = "unsupported_version"
	CodeTokenMissing    Code = "token_missing"
	CodeTokenInvalid    Code = "token_invalid"
	CodeTokenExpired    Code = "token_expired"
	CodeSeq             Code = "seq_invalid"
	CodeTime            Code = "time_invalid"
	CodeEventsMissing   Code = "events_missing"
	CodeEventsTooMany   Code = "events_too_many"
	CodeKind            Code = "kind_unknown"
	CodeInterval        Code = "interval_invalid"
	CodeIntervalOverlap Code = "interval_overlap"
	CodePosition        Code = "position_invalid"
	CodeRate            Code = "rate_invalid"
	CodeTook            Code = "took_invalid"
	CodeFieldMissing    Code = "field_missing"
	CodeFieldTooLong    Code = "field_too_long"
	CodePlayerSize      Code = "player_size_invalid"
	CodeQuality         Code = "quality_invalid"
	CodeRequests        Code = "requests_invalid"
	CodeSeverity        Code = "severity_invalid"
	CodeAction          Code = "action_invalid"
)

// Error is a refusal: a code for programs, a sentence for people. The sentence
// never quotes the body.
type Error struct {
	Code   Code
	Detail string
}

// Error implements error.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Detail }

func refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}
