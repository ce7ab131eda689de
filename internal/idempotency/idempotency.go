// Package idempotency lets a caller of the JSON API repeat a request that was cut off
// without having it done twice, by the Idempotency-Key header
// (draft-ietf-httpapi-idempotency-key-header).
//
// It is one step before the handlers of all operations that are not idempotent by
// themselves: POST and PATCH of a signed-in caller with a JSON body. The first request
// with a key does the work; its answer is in the catalog before it is sent, for a day.
// A repeat is answered from there, with Idempotent-Replayed: true, by whichever
// process. It is the same request if the user, method, path, query and body are;
// another one with the key of an account is refused with 422, one that comes while the
// first still runs with 409.
//
// Guarantees and their bounds:
//   - A request with a key goes on to its end, for a minute at most, when its caller
//     hangs up: what was begun is known to the repeat.
//   - A process that dies in the middle leaves the key taken for a minute and a half.
//     The next repeat is then done anew, whether or not the first had its effect.
//   - Answers of 5xx and 429 are not kept: a repeat tries again.
//   - An answer that holds a secret (see AnswerIsSecret) or is longer than 64 KiB is
//     not kept, only that there was one: a repeat is refused with 409 and done no
//     second time.
//   - One request needs no more than 1 MiB for its body and 64 KiB for its answer.
//
// A Keys is safe for concurrent use.
package idempotency

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/httpx"
)

const (
	// Header carries the key, 1 to 255 visible ASCII characters.
	Header = "Idempotency-Key"
	// ReplayedHeader is "true" on an answer that was given before.
	ReplayedHeader = "Idempotent-Replayed"

	maxKey    = 255
	maxBody   = 1 << 20  // of a request: huma's own limit of a JSON body
	maxAnswer = 64 << 10 // that is kept; the API's longest to a POST is a tenth of it
)

// Config says how long requests take and answers are kept.
type Config struct {
	// Timeout bounds a request with a key, whose caller may be gone. Default 60 s.
	Timeout time.Duration
	// Lease is how long a request that does not end has its key to itself, longer than
	// Timeout. Default 90 s.
	Lease time.Duration
	// Keep is how long an answer is kept. Default 24 h.
	Keep time.Duration
	// PurgeEvery is how often old answers are removed. Default 1 h.
	PurgeEvery time.Duration
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Timeout: time.Minute, Lease: 90 * time.Second, Keep: 24 * time.Hour, PurgeEvery: time.Hour}
}

// Validate reports every problem at once.
func (c Config) Validate() error {
	var errs []error
	if c.Timeout <= 0 || c.Keep <= 0 || c.PurgeEvery <= 0 {
		errs = append(errs, errors.New("times must be positive"))
	}
	if c.Lease <= c.Timeout {
		errs = append(errs, errors.New("the lease must be longer than the timeout"))
	}
	return errors.Join(errs...)
}

// Keys knows which requests were made.
type Keys struct {
	cfg Config
	db  *catalog.DB
	log *slog.Logger
}

// New returns Keys and starts nothing; see Use and Run.
func New(cfg Config, db *catalog.DB, log *slog.Logger) (*Keys, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("idempotency: %w", err)
	}
	return &Keys{cfg: cfg, db: db, log: log}, nil
}

// Run removes old answers until ctx ends.
func (k *Keys) Run(ctx context.Context) error {
	tick := time.NewTicker(k.cfg.PurgeEvery)
	defer tick.Stop()
	for {
		if _, err := k.db.PurgeRequests(ctx); err != nil && ctx.Err() == nil {
			k.log.WarnContext(ctx, "old answers not purged", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Use adds the header to the operations that are registered with api from now on.
func (k *Keys) Use(api huma.API) {
	doc := api.OpenAPI()
	doc.OnAddOperation = append(doc.OnAddOperation, describe)
	api.UseMiddleware(func(ctx huma.Context, next func(huma.Context)) { k.serve(api, ctx, next) })
}

// mark is the key in an operation's metadata under which it says how it is repeated.
const mark = "idempotency"

type marked int

const (
	secret marked = iota + 1
	repeatable
)

// AnswerIsSecret marks an operation whose answer must not be stored. A repeat is
// refused, and makes no second one.
func AnswerIsSecret(op huma.Operation) huma.Operation { return with(op, secret) }

// Repeatable marks an operation that is not told by its method to be idempotent but is,
// or that only reads. It takes no key, and may take longer than Config.Timeout.
func Repeatable(op huma.Operation) huma.Operation { return with(op, repeatable) }

func with(op huma.Operation, m marked) huma.Operation {
	meta := map[string]any{mark: m}
	for name, value := range op.Metadata {
		meta[name] = value
	}
	op.Metadata = meta
	return op
}

// IsSecret tells whether an operation is marked with AnswerIsSecret.
func IsSecret(op *huma.Operation) bool { return op.Metadata[mark] == secret }

// takesKey tells whether an operation heeds the header.
func takesKey(op *huma.Operation) bool {
	return (op.Method == http.MethodPost || op.Method == http.MethodPatch) &&
		op.Metadata[mark] != repeatable && !httpx.IsPublic(op) && op.MaxBodyBytes <= maxBody
}

// describe adds the header to the OpenAPI document.
func describe(_ *huma.OpenAPI, op *huma.Operation) {
	if !takesKey(op) {
		return
	}
	text := "Chosen by the caller, once for each thing to do: a repeat with the same key is not done again for 24 hours but answered as the first was, with Idempotent-Replayed: true. With another request it is refused (422), and while the first still runs (409, Retry-After)."
	if IsSecret(op) {
		text = "Chosen by the caller, once for each thing to do: a repeat with the same key is not done again for 24 hours. The answer holds a secret and is not kept, so a repeat is refused (409)."
	}
	length, shortest := maxKey, 1
	op.Parameters = append(op.Parameters, &huma.Param{Name: Header, In: "header", Description: text, Example: "8e03978e-40d5-43dd-bc93-6894a57f9324",
		Schema: &huma.Schema{Type: huma.TypeString, MinLength: &shortest, MaxLength: &length, Pattern: "^[!-~]+$"}})
}
