package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"
	xslog "golang.org/x/exp/slog"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/limit"
)

// BasePath is where uploads are received. An upload's address is BasePath and the
// id of its media.
const BasePath = "/uploads/"

// MediaIDHeader names the media that a creation request made.
const MediaIDHeader = "Vitascope-Media-Id"

// Service receives uploads.
type Service struct {
	store *store
	tus   *handler.Handler
	log   *slog.Logger
}

// New returns a Service and starts nothing; see Register and Run.
func New(cfg Config, db *catalog.DB, blobs *blob.Store, jobs Jobs, log *slog.Logger) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	if err := os.MkdirAll(cfg.TempDir, 0o700); err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	s := &Service{store: &store{cfg: cfg, db: db, blobs: blobs, jobs: jobs, log: log}, log: log}
	composer := handler.NewStoreComposer()
	composer.UseCore(s.store)
	composer.UseTerminater(s.store)
	if cfg.SharedLocks {
		composer.UseLocker(newLeaseLocker(db, log))
	} else {
		composer.UseLocker(memorylocker.New())
	}
	cors := handler.DefaultCorsConfig
	cors.ExposeHeaders += ", " + MediaIDHeader + ", " + limit.Headers
	var err error
	s.tus, err = handler.NewHandler(handler.Config{
		StoreComposer:              composer,
		BasePath:                   BasePath,
		MaxSize:                    cfg.MaxBytes,
		DisableDownload:            true,
		Cors:                       &cors,
		Logger:                     xslog.New(tusLog{log}),
		NetworkTimeout:             cfg.ReadTimeout,
		PreUploadCreateCallback:    beforeCreate,
		PreUploadTerminateCallback: s.beforeTerminate,
	})
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	return s, nil
}

// Register mounts the upload routes.
func (s *Service) Register(e *echo.Echo) {
	private := httpx.RequireAccount(s.serve)
	h := func(c echo.Context) error {
		if c.Request().Method == http.MethodOptions {
			return s.serve(c) // discovery and preflight carry no credentials
		}
		return private(c)
	}
	e.Any(strings.TrimSuffix(BasePath, "/"), h)
	e.Any(BasePath+"*", h)
}

func (s *Service) serve(c echo.Context) error {
	r := c.Request()
	w := &answer{ResponseWriter: c.Response(), method: r.Method, upload: strings.TrimPrefix(r.URL.Path, BasePath), maxBytes: s.store.cfg.MaxBytes}
	http.StripPrefix(strings.TrimSuffix(BasePath, "/"), s.tus).ServeHTTP(w, r)
	return w.problem()
}

// beforeCreate chooses the media's id. tusd asks it after its own checks and
// before anything is stored.
func beforeCreate(handler.HookEvent) (handler.HTTPResponse, handler.FileInfoChanges, error) {
	id := catalog.NewID()
	return handler.HTTPResponse{Header: handler.HTTPHeader{MediaIDHeader: id}}, handler.FileInfoChanges{ID: id}, nil
}

var errFinished = handler.NewError("ERR_UPLOAD_FINISHED", "the upload is finished; delete the media instead", http.StatusConflict)

// beforeTerminate keeps DELETE from taking back what is already a media.
func (s *Service) beforeTerminate(e handler.HookEvent) (handler.HTTPResponse, error) {
	m, err := s.store.db.MediaByID(e.Context, e.Upload.ID)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return handler.HTTPResponse{}, handler.ErrNotFound
	case err != nil:
		return handler.HTTPResponse{}, err
	case m.State != catalog.StateUploading:
		return handler.HTTPResponse{}, errFinished
	}
	return handler.HTTPResponse{}, nil
}

// Run finishes uploads whose end was lost and removes abandoned ones, until ctx
// ends.
func (s *Service) Run(ctx context.Context) error { return s.store.sweepLoop(ctx) }
