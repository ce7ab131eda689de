package transcode

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/transcode/child"
)

// record makes what a pass produced the media's publication n in the catalog, or
// returns catalog.ErrConflict when someone else did. Nothing is visible yet.
func (s *Service) record(ctx context.Context, u *uploader, n int, rows []catalog.Rendition, first bool) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		hasAudio := slices.ContainsFunc(rows, func(r catalog.Rendition) bool { return r.Kind == catalog.RenditionAudio })
		var set []catalog.Set
		if first {
			set = []catalog.Set{
				{Column: "duration_ms", Value: u.done.DurationMS},
				{Column: "has_audio", Value: hasAudio},
				{Column: "poster_key", Value: u.posterKey()},
				{Column: "storyboard_key", Value: u.storyboardKey()},
			}
		}
		if err := s.db.Publish(ctx, tx, u.media.ID, u.media.Generation, n, set...); err != nil {
			return err
		}
		if first { // what was encoded takes the place of the source
			if err := s.db.RemoveRendition(ctx, tx, u.media.ID, u.media.Generation, sourceName); err != nil {
				return err
			}
		}
		for i := range rows {
			if err := s.db.PutRendition(ctx, tx, &rows[i]); err != nil {
				return err
			}
		}
		return s.recordTexts(ctx, tx, u)
	})
}

// publish shows publication n to viewers: the multivariant playlist, made from
// the catalog's rows, then the pointer, then the state, with the next pass in
// the same transaction. It may run again at any point: what it writes follows
// from the rows.
func (s *Service) publish(ctx context.Context, args EncodeArgs, n int, final bool) error {
	m, err := s.db.MediaByID(ctx, args.MediaID)
	if err != nil {
		return err
	}
	if m.Generation != args.Generation {
		return nil // replaced
	}
	state := catalog.StatePlayable
	if final {
		state = catalog.StateReady
	}
	if final && m.Publication > n {
		n = m.Publication // recorded by an earlier run of another plan, and perhaps never shown
	}
	if m.Publication == n { // a later one stays: a repeat has only the state to bring up
		playlist, err := s.ladderPlaylist(ctx, m)
		if err != nil {
			return err
		}
		if err := s.writePublication(ctx, m, playlist, n, state); err != nil {
			return err
		}
	}
	now := time.Now().UTC()
	set := []catalog.Set{{Column: "progress", Value: s.progressAfter(args)}}
	if m.PlayableAt.IsZero() {
		set = append(set, catalog.Set{Column: "playable_at", Value: now})
	}
	if final {
		set = append(set, catalog.Set{Column: "ready_at", Value: now})
	}
	from := []catalog.MediaState{catalog.StateProbing, catalog.StatePlayable}
	err = s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		if err := s.db.Transition(ctx, tx, m.ID, m.Generation, from, state, set...); err != nil {
			return err
		}
		if final {
			return nil
		}
		next := args
		next.Pass++
		return s.insertEncode(ctx, tx, next)
	})
	if errors.Is(err, catalog.ErrConflict) {
		return nil // failed, deleted or replaced meanwhile
	}
	if err != nil || !final {
		return err
	}
	return s.showName(ctx, m)
}

// showName brings a new name to the pointer when the media was renamed while its
// last publication was being written. From ready on, renaming does so itself.
func (s *Service) showName(ctx context.Context, m catalog.Media) error {
	now, err := s.db.MediaByID(ctx, m.ID)
	if errors.Is(err, catalog.ErrNotFound) || err == nil && now.Name == m.Name {
		return nil
	}
	if err != nil {
		return err
	}
	p, err := s.store.ReadPointer(ctx, m.ID)
	if err != nil || p.Generation != m.Generation {
		return err
	}
	p.Name = now.Name
	return s.store.WritePointer(ctx, p)
}

// ladderPlaylist is the multivariant playlist of what has been encoded.
func (s *Service) ladderPlaylist(ctx context.Context, m catalog.Media) ([]byte, error) {
	rows, err := s.db.Renditions(ctx, s.db, m.ID, m.Generation)
	if err != nil {
		return nil, err
	}
	texts, err := s.subtitles(ctx, m)
	if err != nil {
		return nil, err
	}
	return multivariant(rows, texts, func(r catalog.Rendition) string {
		return blob.Relative(m.AccountID, m.ID, playlistKey(r.OutputPrefix))
	}), nil
}

// writePublication stores a playlist as publication n and points viewers to it.
func (s *Service) writePublication(ctx context.Context, m catalog.Media, playlist []byte, n int, state catalog.MediaState) error {
	relative := func(key string) string {
		if key == "" {
			return ""
		}
		return blob.Relative(m.AccountID, m.ID, key)
	}
	key := blob.PublicationKey(m.AccountID, m.ID, m.Generation, n)
	if err := s.store.PutBytes(ctx, key, playlist, typePlaylist); err != nil {
		return err
	}
	current, err := s.store.ReadPointer(ctx, m.ID)
	switch {
	case err != nil && !errors.Is(err, blob.ErrNotFound):
		return err
	case err == nil && (current.Generation > m.Generation || current.Generation == m.Generation && current.Publication > n):
		return nil // never back to an older publication
	}
	pointer := blob.Pointer{
		Account: m.AccountID, Media: m.ID, Generation: m.Generation, Publication: n, State: string(state), Name: m.Name,
		DurationMS: m.DurationMS, Width: m.Width, Height: m.Height, HasVideo: m.HasVideo, HasAudio: m.HasAudio,
		Multivariant: relative(key), Poster: relative(m.PosterKey), Storyboard: relative(m.StoryboardKey),
		Preview: relative(m.PreviewKey), Chapters: s.chapters(ctx, m),
	}
	if pointer.Captions, err = s.sidecars(ctx, m); err != nil {
		return err
	}
	return s.store.WritePointer(ctx, pointer)
}

// passes returns the plan's passes and this one's place in the media's progress:
// work grows with the pixels that are encoded.
func passes(args EncodeArgs) (specs []child.EncodeSpec, base, share float64, err error) {
	specs = Plan(args.Probe, args.Instant)
	if args.Pass < 0 || args.Pass >= len(specs) {
		return nil, 0, 0, fmt.Errorf("encode has no pass %d of %d", args.Pass, len(specs))
	}
	weights, total := make([]float64, len(specs)), 0.0
	for i, spec := range specs {
		weights[i] = 300_000 // decoding costs about what a small rung does
		for _, r := range spec.Rungs {
			weights[i] += float64(r.Width * r.Height)
		}
		total += weights[i]
	}
	for _, w := range weights[:args.Pass] {
		base += w / total
	}
	return specs, base, weights[args.Pass] / total, nil
}

func (s *Service) progressAfter(args EncodeArgs) float64 {
	_, base, share, err := passes(args)
	if err != nil {
		return 0
	}
	return min(1, base+share)
}
