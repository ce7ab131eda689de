package httpx

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/limit"
)

type (
	requestIDKey struct{}
	logKey       struct{}
)

func logFrom(ctx context.Context) *slog.Logger {
	log, _ := ctx.Value(logKey{}).(*slog.Logger)
	return log
}

// Identifier tells who is calling; see auth.Service.
type Identifier interface {
	Identify(r *http.Request) (context.Context, error)
}

// privatePaths are the routes that know who is calling. Everything else is public
// and works without the catalog.
var privatePaths = []string{"/v1/", "/uploads"}

// New returns an echo server with what every route shares. who may be nil in a
// process that serves public routes alone.
func New(who Identifier, log *slog.Logger) *echo.Echo {
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect() // see TrustProxies
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = ErrorHandler(log)
	e.Use(requestContext(log), recoverPanic(log), securityHeaders, requestLog(log))
	if who != nil {
		e.Use(identify(who))
	}
	return e
}

// TrustProxies makes the server believe the X-Forwarded-For of proxies in the given
// networks. Without it the caller is whoever connected: anyone can write a header.
func TrustProxies(e *echo.Echo, networks []*net.IPNet) {
	if len(networks) == 0 {
		return
	}
	opts := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, n := range networks {
		opts = append(opts, echo.TrustIPRange(n))
	}
	e.IPExtractor = echo.ExtractIPFromXFFHeader(opts...)
}

func requestContext(log *slog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			id := rand.Text()
			c.Response().Header().Set(echo.HeaderXRequestID, id)
			ctx := limit.WithHeader(c.Request().Context(), c.Response().Header())
			ctx = context.WithValue(ctx, requestIDKey{}, id)
			c.SetRequest(c.Request().WithContext(context.WithValue(ctx, logKey{}, log)))
			return next(c)
		}
	}
}

func recoverPanic(log *slog.Logger) echo.MiddlewareFunc {
	return middleware.RecoverWithConfig(middleware.RecoverConfig{
		LogErrorFunc: func(c echo.Context, err error, stack []byte) error {
			log.ErrorContext(c.Request().Context(), "handler panicked", "err", err, "stack", string(stack))
			return err
		},
	})
}

// securityHeaders are right for every answer; pages add their own policy.
func securityHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
		return next(c)
	}
}

// requestLog tells what was served, without addresses, queries or tokens. Media
// and beacons are too many to be told one by one above debug.
func requestLog(log *slog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			start := time.Now()
			err := next(c)
			if err != nil {
				c.Error(err)
			}
			log.DebugContext(c.Request().Context(), "request", "method", c.Request().Method, "route", c.Path(),
				"status", c.Response().Status, "size_bytes", c.Response().Size, "took_ms", time.Since(start).Milliseconds())
			return nil
		}
	}
}

// identify puts the caller into the context of private routes and refuses
// state-changing requests that another site's page made a browser send.
func identify(who Identifier) echo.MiddlewareFunc {
	guard := http.NewCrossOriginProtection()
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if !isPrivate(c.Request().URL.Path) {
				return next(c)
			}
			ctx, err := who.Identify(c.Request())
			if err != nil {
				return err
			}
			r := c.Request().WithContext(ctx)
			// A bearer token is not sent by a browser on its own: only cookies need the guard.
			if r.Header.Get("Authorization") == "" {
				if err := guard.Check(r); err != nil {
					return fault.Wrap(fault.Forbidden, err, "cross-origin", "This request came from another site's page and was refused.")
				}
			}
			c.SetRequest(r)
			c.Response().Header().Set("Cache-Control", "no-store")
			return next(c)
		}
	}
}

func isPrivate(path string) bool {
	for _, p := range privatePaths {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

// RequireAccount refuses callers who are not signed in, for routes outside the
// JSON API.
func RequireAccount(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if auth.AccountID(c.Request().Context()) == "" {
			return fault.New(fault.Unauthorized, "unauthorized", "Sign in, or send a valid API token as “Authorization: Bearer vs_…”.")
		}
		return next(c)
	}
}
