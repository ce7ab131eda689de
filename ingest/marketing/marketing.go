// Package marketing is the part of the JSON API that says what a player asks of its
// viewers, and keeps what they answer: calls to action, email gates and annotation
// links of a media, the leads that gates bring, and experiments.
//
// Texts from people stay text: they are cleaned of what no reader could see, never
// taken for markup, and bounded. Every operation works on the caller's account alone;
// another account's ids answer as unknown ones. A Service is safe for concurrent use.
package marketing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/limit"
)

// Config holds what a Service needs to know.
type Config struct {
	// ViewTokenKey verifies the token that a lead comes with.
	ViewTokenKey []byte
	// LeadsPerMinute is how many leads one network may hand in. Default 10.
	LeadsPerMinute int
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Validate reports every problem at once.
func (c Config) Validate() error {
	if len(c.ViewTokenKey) < 16 {
		return errors.New("a key for view tokens is needed")
	}
	return nil
}

// Publisher makes a change of a media while its row is locked and has origins know.
type Publisher interface {
	Change(ctx context.Context, m catalog.Media, edit func(ctx context.Context, tx catalog.Tx) error) error
}

// Service answers for the marketing of accounts.
type Service struct {
	cfg       Config
	db        *catalog.DB
	blobs     *blob.Store
	publisher Publisher
	jobs      Jobs
	networks  *limit.Networks
	log       *slog.Logger
}

const leadsPerMinute = 10

// New returns a Service and starts nothing; see Register and RegisterPublic.
func New(cfg Config, db *catalog.DB, blobs *blob.Store, publisher Publisher, jobs Jobs, log *slog.Logger) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("marketing: %w", err)
	}
	if cfg.LeadsPerMinute == 0 {
		cfg.LeadsPerMinute = leadsPerMinute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{cfg: cfg, db: db, blobs: blobs, publisher: publisher, jobs: jobs, networks: limit.New("leads", cfg.LeadsPerMinute), log: log}, nil
}

// Register adds the operations to the API.
func (s *Service) Register(api huma.API) {
	tags := []string{"Marketing"}
	const one = "/v1/media/{id}"
	httpx.Register(api, huma.Operation{OperationID: "get-actions", Method: http.MethodGet, Path: one + "/actions", Tags: tags,
		Summary: "What a media's player asks of its viewers"}, s.getActions)
	httpx.Register(api, huma.Operation{OperationID: "put-actions", Method: http.MethodPut, Path: one + "/actions", Tags: tags,
		Summary: "Replace what a media's player asks of its viewers"}, s.putActions)
	s.registerLeads(api)
	s.registerExperiments(api)
}
