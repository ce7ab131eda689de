// Package fault gives errors a kind that a transport can answer and a sentence
// that a client may read.
//
// Features return ordinary wrapped errors; where a client should learn more than
// "internal error" they wrap with a kind, a stable code and a safe sentence.
// Everything without a kind stays internal: clients see a fixed text and the log
// sees all. The package is safe for concurrent use: it holds no state.
package fault

import (
	"errors"
	"fmt"
)

// Kind tells which class of answer an error deserves.
type Kind int

// The kinds. Internal is the zero value: an error without a kind.
const (
	Internal     Kind = iota
	Invalid           // the request itself is wrong; repeating it cannot help
	Unauthorized      // nobody is signed in, or the credential is not valid
	Forbidden         // signed in, but not allowed
	NotFound          // unknown, or another account's: the two look alike
	Conflict          // the resource is in a state that does not allow this
	TooLarge          // above a documented limit
	RateLimited       // too many requests; try later
	Unavailable       // a part we depend on is away; try later
)

// Error is an error with a kind, a stable code and a sentence safe for clients.
type Error struct {
	Kind   Kind
	Code   string // stable, kebab-case, documented as /problems/<code>
	Detail string // one sentence, safe for clients
	cause  error
}

// Error returns the detail with the cause, for logs.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.Detail
	}
	return e.Detail + ": " + e.cause.Error()
}

// Unwrap returns the cause, if any.
func (e *Error) Unwrap() error { return e.cause }

// New returns an error of the kind with a stable code and a client-safe sentence.
func New(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Wrap is New with the error that caused it, which clients never see.
func Wrap(kind Kind, cause error, code, format string, args ...any) *Error {
	e := New(kind, code, format, args...)
	e.cause = cause
	return e
}

// KindOf returns the kind of the first *Error in err's chain, or Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}
