// Package httpx turns handlers' errors into answers, one way for all of them:
// RFC 9457 problem details, whose type is stable (/problems/<code>), whose detail
// is a sentence for the caller, and whose instance is the request's id.
//
// It also holds what every route shares: the huma API on echo, the caller's
// identity, cross-origin protection, security headers and the request log.
package httpx

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
)

// Problem is an RFC 9457 problem document.
type Problem struct {
	Type     string              `json:"type" doc:"Stable identifier of the kind of problem." example:"/problems/not-found"`
	Title    string              `json:"title" doc:"The same for every problem of the type."`
	Status   int                 `json:"status"`
	Detail   string              `json:"detail,omitempty" doc:"What is wrong in this case, and what to do."`
	Instance string              `json:"instance,omitempty" doc:"The request's id, to quote when asking for help."`
	Errors   []*huma.ErrorDetail `json:"errors,omitempty" doc:"One entry per field that is wrong."`
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

type class struct {
	status int
	title  string
	code   string // when the fault names none
}

var classes = map[fault.Kind]class{
	fault.Invalid:      {http.StatusUnprocessableEntity, "The request is not valid", "invalid-request"},
	fault.Unauthorized: {http.StatusUnauthorized, "Signing in is needed", "unauthorized"},
	fault.Forbidden:    {http.StatusForbidden, "Not allowed", "forbidden"},
	fault.NotFound:     {http.StatusNotFound, "Not found", "not-found"},
	fault.Conflict:     {http.StatusConflict, "The resource does not allow this now", "conflict"},
	fault.TooLarge:     {http.StatusRequestEntityTooLarge, "Too large", "too-large"},
	fault.RateLimited:  {http.StatusTooManyRequests, "Too many requests", "rate-limited"},
	fault.Unavailable:  {http.StatusServiceUnavailable, "Temporarily unavailable", "unavailable"},
}

const internalDetail = "Something went wrong on the server. Its log has the details under this request's id."

// ProblemOf returns the answer for err. What has no kind is internal: the caller
// learns the request's id and nothing else.
func ProblemOf(err error, requestID string) *Problem {
	p, ok := errors.AsType[*Problem](err)
	if !ok {
		p = fromError(err)
	}
	out := *p
	out.Instance = requestID
	return &out
}

func fromError(err error) *Problem {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind != fault.Internal {
		return problem(classes[f.Kind], f.Code, f.Detail)
	}
	if errors.Is(err, catalog.ErrNotFound) {
		return problem(classes[fault.NotFound], "", "There is nothing here with that id.")
	}
	if errors.Is(err, catalog.ErrConflict) {
		return problem(classes[fault.Conflict], "", "It changed in the meantime. Read it again, then decide.")
	}
	if he, ok := errors.AsType[*echo.HTTPError](err); ok && he.Code < 500 {
		return &Problem{Type: "about:blank", Title: http.StatusText(he.Code), Status: he.Code, Detail: fmt.Sprint(he.Message)}
	}
	return &Problem{Type: "/problems/internal", Title: "Internal error", Status: http.StatusInternalServerError, Detail: internalDetail}
}

func problem(c class, code, detail string) *Problem {
	if code == "" {
		code = c.code
	}
	return &Problem{Type: "/problems/" + code, Title: c.title, Status: c.status, Detail: detail}
}

// ErrorHandler answers the errors of echo handlers.
func ErrorHandler(log *slog.Logger) echo.HTTPErrorHandler {
	return func(err error, c echo.Context) {
		if c.Response().Committed {
			return // bytes are out: the request log tells the rest
		}
		p := ProblemOf(err, RequestID(c))
		if p.Status >= 500 {
			log.ErrorContext(c.Request().Context(), "request failed", "err", err, "request_id", p.Instance, "path", c.Path())
		}
		if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
			if c.Response().Header().Get("Retry-After") == "" {
				c.Response().Header().Set("Retry-After", "2")
			}
		}
		if c.Request().Method == http.MethodHead {
			err = c.NoContent(p.Status)
		} else {
			c.Response().Header().Set(echo.HeaderContentType, "application/problem+json")
			err = c.JSON(p.Status, p)
		}
		if err != nil {
			log.DebugContext(c.Request().Context(), "problem not sent", "err", err)
		}
	}
}

// RequestID returns the id that the answer carries in X-Request-Id.
func RequestID(c echo.Context) string { return c.Response().Header().Get(echo.HeaderXRequestID) }
