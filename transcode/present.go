package transcode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/Eyevinn/hls-m3u8/m3u8"
	"github.com/riverqueue/river"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
)

// presentWorker shows viewers what was changed about a media besides its ladder.
type presentWorker struct {
	river.WorkerDefaults[jobs.PresentArgs]
	service *Service
}

// Timeout is River's limit for the job: captions of twelve hours are some thousands
// of small objects.
func (w *presentWorker) Timeout(*river.Job[jobs.PresentArgs]) time.Duration { return presentTimeout }

const (
	presentTimeout = 5 * time.Minute
	// presentAgain is when a job looks again that found a media that grows.
	presentAgain = 2 * time.Second
)

// Work presents the media, or waits while it is of a publication that still grows.
func (w *presentWorker) Work(ctx context.Context, job *river.Job[jobs.PresentArgs]) error {
	done, err := w.service.present(ctx, job.Args, attempt(job.ID, job.Attempt))
	if err == nil && !done {
		return river.JobSnooze(presentAgain)
	}
	return err
}

// present writes the pointer of a media anew and, where its captions have changed, a
// publication of its own: what is published never changes. The publication number in
// the catalog decides between this and whoever publishes the ladder, and the pointer
// is looked at again after it was written, as in show. A media that is not published
// needs nothing: its publications read the catalog.
func (s *Service) present(ctx context.Context, args jobs.PresentArgs, number string) (done bool, err error) {
	for range maxRaces {
		m, err := s.wanted(ctx, args.MediaID, args.Generation)
		if err != nil || m == nil || m.MultivariantKey == "" || m.State == catalog.StateFailed {
			return true, err
		}
		if m.Extent == catalog.ExtentGrowing || m.State != catalog.StatePlayable && m.State != catalog.StateReady {
			return false, nil
		}
		if err := s.recaption(ctx, m, number); err != nil {
			if errors.Is(err, catalog.ErrConflict) {
				continue // the ladder was first: again, on top of it
			}
			return false, err
		}
		if err := s.writePublication(ctx, *m, m.State, true); err != nil {
			return false, err
		}
		now, err := s.wanted(ctx, args.MediaID, args.Generation)
		switch {
		case err != nil || now == nil:
			return true, err
		case now.State == catalog.StateFailed:
			return true, s.withdraw(ctx, m.ID, m.Generation)
		case now.Publication == m.Publication && now.State == m.State:
			s.log.InfoContext(ctx, "media presented anew", "media_id", m.ID, "publication", m.Publication)
			return true, s.showName(ctx, *m)
		}
	}
	return false, fmt.Errorf("present media %s: it changes all the time", args.MediaID)
}

// recaption makes a publication of what is published with the captions that the
// catalog has, if they differ, and brings m up to it.
func (s *Service) recaption(ctx context.Context, m *catalog.Media, number string) error {
	r, _, err := s.store.Get(ctx, m.MultivariantKey)
	if err != nil {
		return err
	}
	defer r.Close()
	current, err := io.ReadAll(io.LimitReader(r, maxMultivariant))
	if err != nil {
		return fmt.Errorf("read %s: %w", m.MultivariantKey, err)
	}
	texts, err := s.subtitles(ctx, *m)
	if err != nil {
		return err
	}
	playlist, err := withTexts(current, texts)
	if err != nil || bytes.Equal(playlist, current) {
		return err
	}
	n := m.Publication + 1
	// Beside the media playlists, which are the same: see blob.NewestPlaylist.
	key := fmt.Sprintf("%s/a%s-p%d.m3u8", path.Dir(m.MultivariantKey), number, n)
	if err := s.store.PutBytes(ctx, key, playlist, typePlaylist); err != nil {
		return err
	}
	if err := s.db.Republish(ctx, s.db, m.ID, m.Generation, n, catalog.Set{Column: "multivariant_key", Value: key}); err != nil {
		return err
	}
	m.Publication, m.MultivariantKey = n, key
	return nil
}

// maxMultivariant is more than a multivariant playlist has.
const maxMultivariant = 1 << 20

// withTexts is a multivariant playlist with other captions. Without a change it is
// what it was, to the byte.
func withTexts(playlist []byte, texts []*m3u8.Alternative) ([]byte, error) {
	read, kind, err := m3u8.DecodeFrom(bytes.NewReader(playlist), true)
	if err != nil || kind != m3u8.MASTER {
		return nil, fmt.Errorf("read multivariant playlist: %w", errors.Join(err, errors.ErrUnsupported))
	}
	old, fresh := read.(*m3u8.MasterPlaylist), m3u8.NewMasterPlaylist()
	fresh.SetIndependentSegments(old.IndependentSegments())
	for _, v := range old.Variants {
		params := v.VariantParams
		params.Subtitles, params.Alternatives = "", nil
		for _, a := range v.Alternatives {
			if a.Type != "SUBTITLES" {
				params.Alternatives = append(params.Alternatives, a)
			}
		}
		if !v.Iframe {
			addTexts(&params, texts)
		}
		fresh.Append(v.URI, nil, params)
	}
	return encode(fresh), nil
}
