package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/riverqueue/river"
	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/jobs"
)

// FailureImport is the failure of a media whose file could not be fetched.
const FailureImport = "import_failed"

// ImportConfig says where imports may fetch from, and how fast.
type ImportConfig struct {
	// Networks are reached although they are not public. Default none.
	Networks []*net.IPNet
	// BytesPerSecond bounds what one process fetches, 1 MiB or more. Default 64 MiB.
	BytesPerSecond int64
}

// DefaultImportConfig returns the defaults.
func DefaultImportConfig() ImportConfig { return ImportConfig{BytesPerSecond: 64 << 20} }

// Imports makes media of files at addresses. A file becomes an upload that this side
// writes, so that all that holds for uploads holds for it; one that breaks off goes
// on where it was.
type Imports struct {
	store *store
	fetch *fetcher
}

// NewImports returns Imports and starts nothing; see Register and AddWorkers.
func NewImports(cfg ImportConfig, up Config, db *catalog.DB, blobs *blob.Store, jobs Jobs, log *slog.Logger) (*Imports, error) {
	if cfg.BytesPerSecond < 1<<20 {
		return nil, errors.New("ingest: import-bytes-per-second: must be at least 1 MiB")
	}
	if err := up.Validate(); err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	return &Imports{store: &store{cfg: up, db: db, blobs: blobs, jobs: jobs, log: log}, fetch: newFetcher(cfg.Networks, cfg.BytesPerSecond)}, nil
}

// Register adds the operation to the API.
func (s *Imports) Register(api huma.API) {
	httpx.Register(api, huma.Operation{OperationID: "import-media", Method: http.MethodPost, Path: "/v1/imports", Tags: []string{"Media"},
		DefaultStatus: http.StatusCreated, Summary: "Make a media of the file at an address"}, s.create)
}

// AddWorkers registers the worker that fetches.
func (s *Imports) AddWorkers(c *jobs.Client) { jobs.AddWorker(c, &importer{Imports: s}) }

type importInput struct {
	Body struct {
		URL  string `json:"url" minLength:"8" maxLength:"2048" example:"https://example.com/film.mp4" doc:"Where the file is, http or https. The server there must say how large it is."`
		Name string `json:"name,omitempty" maxLength:"255" doc:"What to call the media; by default as the file is called."`
	}
}

type importOutput struct {
	Location string `header:"Location"`
	Body     struct {
		MediaID   string `json:"media_id" example:"k3v9x0a1bz"`
		Name      string `json:"name"`
		SizeBytes int64  `json:"size_bytes"`
	}
}

// create looks whether there is a file at the address, makes the media and answers;
// the bytes follow, as the media's progress tells.
func (s *Imports) create(ctx context.Context, in *importInput) (*importOutput, error) {
	file, err := s.fetch.open(ctx, in.Body.URL, 0, "")
	if err != nil {
		return nil, err
	}
	_ = file.Close() // the worker asks again
	switch {
	case file.size == 0:
		return nil, fault.New(fault.Invalid, "import-empty", "The file at this address is empty.")
	case file.size > s.store.cfg.MaxBytes:
		return nil, fault.New(fault.TooLarge, "upload-too-large", "The file has %d bytes; this server takes at most %d.", file.size, s.store.cfg.MaxBytes)
	}
	name := in.Body.Name
	if name == "" {
		name = file.name
	}
	made, err := s.store.NewUpload(ctx, handler.FileInfo{ID: catalog.NewID(), Size: file.size, MetaData: handler.MetaData{"filename": name}})
	if errors.Is(err, errQuota) {
		return nil, fault.New(fault.TooLarge, quotaCode, quotaDetail)
	}
	if err != nil {
		return nil, err
	}
	m := made.(*upload).media // what NewUpload returns
	args := jobs.ImportArgs{MediaID: m.ID, Generation: m.Generation, URL: in.Body.URL, Tag: file.tag}
	err = s.store.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error { return s.store.jobs.InsertTx(ctx, tx, args, nil) })
	if err != nil {
		return nil, errors.Join(err, s.store.db.DeleteMedia(context.WithoutCancel(ctx), s.store.db, m.AccountID, m.ID))
	}
	out := &importOutput{Location: "/v1/media/" + m.ID}
	out.Body.MediaID, out.Body.Name, out.Body.SizeBytes = m.ID, m.Name, m.SizeBytes
	return out, nil
}

// importer fetches the files of imports.
type importer struct {
	river.WorkerDefaults[jobs.ImportArgs]
	*Imports
}

// importTimeout bounds one try; the next goes on where it ended.
const importTimeout = 6 * time.Hour

// Timeout is River's limit for the job.
func (w *importer) Timeout(*river.Job[jobs.ImportArgs]) time.Duration { return importTimeout }

// Work fetches what is missing. A file that is not what it was, or cannot be had
// after the last try, fails the media.
func (w *importer) Work(ctx context.Context, job *river.Job[jobs.ImportArgs]) error {
	m, err := w.store.db.MediaByID(ctx, job.Args.MediaID)
	if errors.Is(err, catalog.ErrNotFound) || err == nil && (m.State != catalog.StateUploading || m.Generation != job.Args.Generation) {
		return nil // deleted, or done
	}
	if err != nil {
		return err
	}
	err = w.fill(ctx, &upload{store: w.store, media: m}, job.Args)
	known, told := errors.AsType[*fault.Error](err)
	changed := errors.Is(err, errFetchChanged) || errors.Is(err, errFetchNetwork) || errors.Is(err, handler.ErrNotFound)
	if err == nil || ctx.Err() != nil || !changed && job.Attempt < job.MaxAttempts {
		return err
	}
	reason := errFetchAway.Detail
	if told {
		reason = known.Detail
	}
	return errors.Join(river.JobCancel(err), w.fail(ctx, m, reason))
}

func (w *importer) fill(ctx context.Context, u *upload, args jobs.ImportArgs) error {
	if err := w.store.load(ctx, u); err != nil {
		return err
	}
	if u.offset < u.media.SizeBytes {
		file, err := w.fetch.open(ctx, args.URL, u.offset, args.Tag)
		if err != nil {
			return err
		}
		defer file.Close()
		if file.size != u.media.SizeBytes || args.Tag != "" && file.tag != args.Tag {
			return errFetchChanged
		}
		if _, err := u.WriteChunk(ctx, u.offset, io.LimitReader(file, u.media.SizeBytes-u.offset)); err != nil {
			return fmt.Errorf("import media %s: %w", u.media.ID, hideAddress(err, args.URL))
		}
	}
	if u.offset < u.media.SizeBytes {
		return fmt.Errorf("import media %s: %w", u.media.ID, io.ErrUnexpectedEOF)
	}
	return u.FinishUpload(ctx)
}

// hideAddress keeps addresses, which may hold credentials, out of logs.
func hideAddress(err error, address string) error {
	if strings.Contains(err.Error(), address) {
		return errFetchAway
	}
	return err
}

func (w *importer) fail(ctx context.Context, m catalog.Media, reason string) error {
	err := w.store.db.Transition(ctx, w.store.db, m.ID, m.Generation, []catalog.MediaState{catalog.StateUploading}, catalog.StateFailed,
		catalog.Set{Column: "failure_code", Value: FailureImport},
		catalog.Set{Column: "failure_reason", Value: reason},
		catalog.Set{Column: "failure_retryable", Value: false})
	if errors.Is(err, catalog.ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	return w.store.discard(ctx, m)
}
