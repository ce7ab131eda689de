// Package sharing is the part of the JSON API that says who may watch a media: its
// access settings, share links and embed codes, and the keys that sign an account's
// playback tokens.
//
// What origins read (package blob, Settings and PlaybackKeys) is written from the
// catalog's rows while they are locked, so that of two changes the later one stays,
// at once and, if that could not be, by a job that commits with the change. Every
// operation works on the caller's account alone; another account's ids answer as
// unknown ones. A Service is safe for concurrent use.
package sharing

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

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/idempotency"
)

// Config says where media are reached, and with which keys.
type Config struct {
	// PublicURL is where browsers reach the server, without a trailing slash.
	PublicURL string
	// GrantKey signs share links.
	GrantKey []byte
	// SealingKey closes the secrets of signing keys, 32 bytes.
	SealingKey []byte
}

// Validate reports every problem at once, by key.
func (c Config) Validate() error {
	var errs []error
	if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" {
		errs = append(errs, fmt.Errorf("public-url: must be http(s)://host[:port], is %q", c.PublicURL))
	}
	if len(c.GrantKey) < 16 || len(c.SealingKey) != 32 {
		errs = append(errs, errors.New("keys for share links and stored secrets are needed"))
	}
	return errors.Join(errs...)
}

// Jobs enqueues work in the transaction of the rows it belongs to.
type Jobs interface {
	InsertTx(ctx context.Context, tx catalog.Tx, args river.JobArgs, opts *river.InsertOpts) error
}

// Service answers for who may watch the media of accounts.
type Service struct {
	cfg       Config
	db        *catalog.DB
	publisher *publisher
	jobs      Jobs
	log       *slog.Logger
}

// New returns a Service and starts nothing; see Register and AddWorkers.
func New(cfg Config, db *catalog.DB, blobs *blob.Store, jobs Jobs, log *slog.Logger) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("sharing: %w", err)
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	return &Service{cfg: cfg, db: db, publisher: &publisher{db: db, blobs: blobs}, jobs: jobs, log: log}, nil
}

// Register adds the operations to the API.
func (s *Service) Register(api huma.API) {
	tags := []string{"Sharing and access"}
	const one = "/v1/media/{id}"
	httpx.Register(api, huma.Operation{OperationID: "get-access", Method: http.MethodGet, Path: one + "/access", Tags: tags,
		Summary: "Who may watch a media"}, s.getAccess)
	httpx.Register(api, huma.Operation{OperationID: "put-access", Method: http.MethodPut, Path: one + "/access", Tags: tags,
		Summary: "Say who may watch a media"}, s.putAccess)
	httpx.Register(api, huma.Operation{OperationID: "get-embed-codes", Method: http.MethodGet, Path: one + "/embed-codes", Tags: tags,
		Summary: "Codes that show a media in other pages"}, s.getCodes)
	httpx.Register(api, huma.Operation{OperationID: "list-share-links", Method: http.MethodGet, Path: one + "/share-links", Tags: tags,
		Summary: "A media's share links"}, s.listLinks)
	httpx.Register(api, idempotency.AnswerIsSecret(huma.Operation{OperationID: "create-share-link", Method: http.MethodPost, Path: one + "/share-links", Tags: tags,
		DefaultStatus: http.StatusCreated, Summary: "Make a link that opens a media until it expires"}), s.createLink)
	httpx.Register(api, huma.Operation{OperationID: "delete-share-link", Method: http.MethodDelete, Path: one + "/share-links/{link}", Tags: tags,
		Summary: "Revoke a share link"}, s.deleteLink)
	tags = []string{"Playback keys"}
	httpx.Register(api, huma.Operation{OperationID: "list-playback-keys", Method: http.MethodGet, Path: "/v1/playback-keys", Tags: tags,
		Summary: "The keys that sign the account's playback tokens"}, s.listKeys)
	httpx.Register(api, idempotency.AnswerIsSecret(huma.Operation{OperationID: "create-playback-key", Method: http.MethodPost, Path: "/v1/playback-keys", Tags: tags,
		DefaultStatus: http.StatusCreated, Summary: "Make a signing key; its secret is shown this once"}), s.createKey)
	httpx.Register(api, idempotency.AnswerIsSecret(huma.Operation{OperationID: "rotate-playback-key", Method: http.MethodPost, Path: "/v1/playback-keys/{key}/rotations", Tags: tags,
		DefaultStatus: http.StatusCreated, Summary: "Make the key that follows one, which ends after a while"}), s.rotateKey)
	httpx.Register(api, huma.Operation{OperationID: "delete-playback-key", Method: http.MethodDelete, Path: "/v1/playback-keys/{key}", Tags: tags,
		Summary: "Revoke a signing key: what it signed ends at once"}, s.deleteKey)
}

// change makes a change of the caller's media while its row is locked, and publishes it.
func (s *Service) change(ctx context.Context, m catalog.Media, edit func(ctx context.Context, tx catalog.Tx) error) error {
	args := publishArgs(m.AccountID, m.ID)
	err := s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		if _, err := s.db.LockMedia(ctx, tx, m.ID); err != nil {
			return err
		}
		if err := edit(ctx, tx); err != nil {
			return err
		}
		if err := s.db.SetMedia(ctx, tx, m.ID, m.Generation); err != nil { // tells the live feed
			return err
		}
		return s.jobs.InsertTx(ctx, tx, args, &river.InsertOpts{ScheduledAt: time.Now().Add(catchUpAfter)})
	})
	if err != nil {
		return err
	}
	return s.atOnce(ctx, args)
}
