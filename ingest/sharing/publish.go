package sharing

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/internal/playback"
)

// catchUpAfter is when a change is published once more, in case it could not be at once.
const catchUpAfter = 5 * time.Second

func publishArgs(account, media string) jobs.PublishSettingsArgs {
	return jobs.PublishSettingsArgs{AccountID: account, MediaID: media}
}

// atOnce publishes what has just been committed.
func (s *Service) atOnce(ctx context.Context, args jobs.PublishSettingsArgs) error {
	if err := s.publisher.publish(context.WithoutCancel(ctx), args); err != nil {
		return fault.Wrap(fault.Unavailable, err, "change-not-published",
			"The change is saved, and takes effect as soon as the object store answers again.")
	}
	return nil
}

// publisher writes what origins read from the rows of the catalog.
type publisher struct {
	db    *catalog.DB
	blobs *blob.Store
}

func (p *publisher) publish(ctx context.Context, args jobs.PublishSettingsArgs) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	return p.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		if args.MediaID == "" {
			return p.keys(ctx, tx, args.AccountID)
		}
		return p.settings(ctx, tx, args.MediaID)
	})
}

// publishTimeout bounds how long rows stay locked for the object store.
const publishTimeout = 20 * time.Second

// settings writes those of a media. What was deleted is the sweeper's.
func (p *publisher) settings(ctx context.Context, tx catalog.Tx, id string) error {
	m, err := p.db.LockMedia(ctx, tx, id)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	row, err := p.db.Settings(ctx, tx, id)
	if err != nil {
		return err
	}
	links, err := p.db.ShareLinks(ctx, tx, id)
	if err != nil {
		return err
	}
	doc := blob.Settings{Account: m.AccountID, Media: id, Access: blob.Access{
		Visibility: row.Visibility, Domains: row.DomainList(), PasswordHash: row.PasswordHash,
	}}
	if doc.Player, err = playerSettings(row); err != nil {
		return err
	}
	if doc.Experiment, err = p.experiment(ctx, tx, m, row); err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	for _, l := range links {
		if l.ExpiresMS > now {
			doc.Access.Links = append(doc.Access.Links, blob.ShareLink{ID: l.ID, ExpiresMS: l.ExpiresMS})
		}
	}
	return p.blobs.WriteSettings(ctx, doc)
}

// keys writes the signing keys of an account that count now.
func (p *publisher) keys(ctx context.Context, tx catalog.Tx, account string) error {
	if err := p.db.LockAccount(ctx, tx, account); err != nil {
		return err
	}
	rows, err := p.db.PlaybackKeys(ctx, tx, account)
	if err != nil {
		return err
	}
	doc, now := blob.PlaybackKeys{Account: account, Keys: []playback.Key{}}, time.Now()
	for _, k := range rows {
		if k.Counts(now) {
			doc.Keys = append(doc.Keys, playback.Key{ID: k.ID, Alg: k.Alg, Public: k.Public, Sealed: k.Sealed, EndsMS: k.EndsMS})
		}
	}
	return p.blobs.WritePlaybackKeys(ctx, doc)
}

// AddWorkers registers the worker that publishes what could not be at once.
func AddWorkers(c *jobs.Client, db *catalog.DB, blobs *blob.Store) {
	jobs.AddWorker(c, &worker{publisher: &publisher{db: db, blobs: blobs}})
}

type worker struct {
	river.WorkerDefaults[jobs.PublishSettingsArgs]
	publisher *publisher
}

// Work publishes once more. It may run any number of times.
func (w *worker) Work(ctx context.Context, job *river.Job[jobs.PublishSettingsArgs]) error {
	return w.publisher.publish(ctx, job.Args)
}
