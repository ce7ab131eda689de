// Package library is the account's shelf of media: the JSON API under /v1/media,
// the live feed of changes under /v1/events, and the removal of what was deleted.
//
// Every operation works on the caller's account alone; another account's media
// answers as an unknown one. A deletion is effective at once and its objects
// follow in the background. A Service is safe for concurrent use.
package library

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/riverqueue/river"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/httpx"
)

// Config says how media are reached and how closely changes are followed.
type Config struct {
	// PublicURL is where browsers reach the server, without a trailing slash:
	// embed codes are built from it.
	PublicURL string
	// PollEvery is how often a live feed looks for changes. Default 500 ms.
	PollEvery time.Duration
	// PingEvery is how often a quiet live feed shows that it is alive. Default 15 s.
	PingEvery time.Duration
	// GrantKey signs what opens protected media to people of their account.
	GrantKey []byte
}

// DefaultConfig returns the defaults; PublicURL is left to the caller.
func DefaultConfig() Config {
	return Config{PollEvery: 500 * time.Millisecond, PingEvery: 15 * time.Second}
}

// Validate reports every problem at once, by key.
func (c Config) Validate() error {
	var errs []error
	if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" {
		errs = append(errs, fmt.Errorf("public-url: must be http(s)://host[:port], is %q", c.PublicURL))
	}
	if c.PollEvery <= 0 || c.PingEvery <= 0 {
		errs = append(errs, errors.New("events: poll and ping intervals must be positive"))
	}
	return errors.Join(errs...)
}

// Jobs enqueues work in the transaction of the rows it belongs to.
type Jobs interface {
	InsertTx(ctx context.Context, tx catalog.Tx, args river.JobArgs, opts *river.InsertOpts) error
}

// Service answers for the media of accounts.
type Service struct {
	cfg     Config
	db      *catalog.DB
	blobs   *blob.Store
	jobs    Jobs
	log     *slog.Logger
	closing chan struct{} // closed when Run ends: live feeds end with it
}

// New returns a Service and starts nothing; see Register and Run.
func New(cfg Config, db *catalog.DB, blobs *blob.Store, jobs Jobs, log *slog.Logger) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("library: %w", err)
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	return &Service{cfg: cfg, db: db, blobs: blobs, jobs: jobs, log: log, closing: make(chan struct{})}, nil
}

// Run waits for ctx and then ends the live feeds, which would otherwise hold up
// the server's shutdown. It must be called once at most.
func (s *Service) Run(ctx context.Context) error {
	<-ctx.Done()
	close(s.closing)
	return nil
}

// Register adds the operations to the API.
func (s *Service) Register(api huma.API) {
	tags := []string{"Media"}
	httpx.Register(api, huma.Operation{OperationID: "list-media", Method: http.MethodGet, Path: "/v1/media", Tags: tags,
		Summary: "List the account's media, newest first"}, s.listMedia)
	httpx.Register(api, huma.Operation{OperationID: "get-media", Method: http.MethodGet, Path: "/v1/media/{id}", Tags: tags,
		Summary: "One media"}, s.getMedia)
	httpx.Register(api, huma.Operation{OperationID: "rename-media", Method: http.MethodPatch, Path: "/v1/media/{id}", Tags: tags,
		Summary: "Rename a media"}, s.renameMedia)
	httpx.Register(api, huma.Operation{OperationID: "delete-media", Method: http.MethodDelete, Path: "/v1/media/{id}", Tags: tags,
		DefaultStatus: http.StatusNoContent, Summary: "Delete a media and everything made of it"}, s.deleteMedia)
	httpx.Register(api, huma.Operation{OperationID: "retry-media", Method: http.MethodPost, Path: "/v1/media/{id}/retries", Tags: tags,
		DefaultStatus: http.StatusAccepted, Summary: "Try a failed media again"}, s.retryMedia)
	s.registerTracks(api)
	httpx.Register(api, eventsOperation(), s.events)
}

// PublicState tells the name and state of a media of whichever account, for pages
// that anyone may open, or catalog.ErrNotFound.
func (s *Service) PublicState(ctx context.Context, id string) (name string, state catalog.MediaState, err error) {
	if !catalog.IsID(id) {
		return "", "", fmt.Errorf("media: %w", catalog.ErrNotFound)
	}
	m, err := s.db.MediaByID(ctx, id)
	return m.Name, m.State, err
}

type mediaOutput struct{ Body Media }

// answer reads the media again and returns it as the API shows it.
func (s *Service) answer(ctx context.Context, id string) (*mediaOutput, error) {
	m, err := auth.Media(ctx, s.db, id)
	if err != nil {
		return nil, err
	}
	views, err := s.views(ctx, []catalog.Media{m})
	if err != nil {
		return nil, err
	}
	return &mediaOutput{Body: views[0]}, nil
}
