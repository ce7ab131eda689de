package httpx

import (
	"context"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/limit"
)

// Public is the security of an operation that anyone may call. All others need a
// session or a token.
var Public = []map[string][]string{{}}

// useProblems sets huma's one way to make errors, which all APIs of a process share.
var useProblems = sync.OnceFunc(func() { huma.NewError = newHumaError })

// NewAPI returns the JSON API under /v1, with its OpenAPI 3.1 document at
// /openapi.json. Operations need a signed-in caller unless their Security is
// Public.
func NewAPI(e *echo.Echo, version string) huma.API {
	useProblems()
	cfg := huma.DefaultConfig("Vitascope", version)
	cfg.DocsPath = "" // huma's page loads scripts from elsewhere; ours is served by us
	cfg.SchemasPath = ""
	cfg.CreateHooks = nil // no $schema property in answers
	cfg.Info.Description = "Self-hosted video hosting with analytics: media, uploads, playback and the figures behind every heatmap."
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer":  {Type: "http", Scheme: "bearer", Description: "An API token, `vs_…`, from the dashboard's settings."},
		"session": {Type: "apiKey", In: "cookie", Name: auth.CookieName, Description: "A signed-in browser."},
	}
	cfg.Security = []map[string][]string{{"bearer": {}}, {"session": {}}}
	api := humaecho.New(e, cfg)
	api.UseMiddleware(func(ctx huma.Context, next func(huma.Context)) {
		if !IsPublic(ctx.Operation()) && auth.From(ctx.Context()).AccountID == "" {
			Refuse(api, ctx, fault.New(fault.Unauthorized, "unauthorized", "Sign in, or send a valid API token as “Authorization: Bearer vs_…”."))
			return
		}
		next(ctx)
	})
	return api
}

// IsPublic tells whether anyone may call an operation.
func IsPublic(op *huma.Operation) bool { return len(op.Security) == 1 && len(op.Security[0]) == 0 }

// Refuse answers a request for which no handler is called.
func Refuse(api huma.API, ctx huma.Context, err error) {
	p := ProblemOf(err, RequestID(humaecho.Unwrap(ctx)))
	logInternal(ctx.Context(), p, err, ctx.Operation())
	ctx.SetHeader("Content-Type", "application/problem+json")
	ctx.SetStatus(p.Status)
	if err := api.Marshal(ctx.BodyWriter(), "application/json", p); err != nil {
		return // the connection is gone
	}
}

// logInternal tells the log what the caller is not told.
func logInternal(ctx context.Context, p *Problem, err error, op *huma.Operation) {
	if log := logFrom(ctx); log != nil && p.Status >= 500 {
		log.ErrorContext(ctx, "request failed", "err", err, "request_id", p.Instance, "operation", op.OperationID)
	}
}

// newHumaError makes huma's own refusals (malformed JSON, a field out of range)
// look like everyone else's.
func newHumaError(status int, message string, errs ...error) huma.StatusError {
	p := &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: message}
	if status == http.StatusUnprocessableEntity {
		p = problem(classes[fault.Invalid], "", message)
	}
	for _, err := range errs {
		if err == nil {
			continue
		}
		if d, ok := err.(huma.ErrorDetailer); ok {
			p.Errors = append(p.Errors, d.ErrorDetail())
		} else if status < 500 {
			p.Errors = append(p.Errors, &huma.ErrorDetail{Message: err.Error()})
		}
	}
	if status >= 500 {
		p.Type, p.Detail = "/problems/internal", internalDetail
	}
	return p
}

// Register adds an operation whose handler returns the project's errors: they are
// turned into problems here, and what is internal goes to the log by way of
// echo's error handler.
func Register[I, O any](api huma.API, op huma.Operation, handler func(context.Context, *I) (*O, error)) {
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err == nil {
			return out, nil
		}
		id, _ := ctx.Value(requestIDKey{}).(string)
		p := ProblemOf(err, id)
		logInternal(ctx, p, err, &op)
		if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
			if !limit.ToldWhen(ctx) {
				return nil, huma.ErrorWithHeaders(p, http.Header{"Retry-After": {"2"}})
			}
		}
		return nil, p
	})
}
