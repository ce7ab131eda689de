package transcode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jit"
	"github.com/vitascope/vitascope/transcode/child"
)

// sourceName is the catalog's rendition of a source that is served as it is. Its
// row is there while the newest publication is made of it.
const sourceName = "source"

// sourcePublication is the publication that a source makes.
const sourcePublication = 1

// typeIndex is the content type of a source's index.
const typeIndex = "application/octet-stream"

// instant makes a media playable from its source as it is, if that can be served,
// and returns its index, else nil. It reads sample tables only; whether the source
// decodes is found out afterwards. A repeat finds what an earlier try recorded and
// goes on from there.
func (s *Service) instant(ctx context.Context, m catalog.Media, attempt string) (*jit.Index, error) {
	started := time.Now()
	var index *jit.Index
	var err error
	if m.Publication == 0 {
		if index, err = s.indexSource(ctx, m); index == nil || err != nil {
			return nil, err
		}
		if err := s.recordSource(ctx, m, index, attempt); err != nil {
			return nil, err
		}
	}
	row, err := s.sourceRow(ctx, m)
	if row == nil || err != nil {
		return nil, err
	}
	if err := s.show(ctx, m.ID, m.Generation); err != nil { // viewers first
		return nil, err
	}
	if index == nil {
		if index, err = s.readIndex(ctx, row.OutputPrefix+blob.SourceIndex); err != nil {
			return nil, err
		}
	}
	s.log.InfoContext(ctx, "source is served as it is", "media_id", m.ID, "codecs", row.Codecs,
		"bandwidth_bps", row.BandwidthBPS, "took_ms", time.Since(started).Milliseconds())
	return index, nil
}

// indexSource is nil when the source has to be encoded before it can be shown.
func (s *Service) indexSource(ctx context.Context, m catalog.Media) (*jit.Index, error) {
	if m.SourceKey != blob.SourceKey(m.AccountID, m.ID, m.Generation) {
		s.log.WarnContext(ctx, "source lies where no player looks", "media_id", m.ID)
		return nil, nil
	}
	info, err := s.store.Stat(ctx, m.SourceKey)
	if err != nil {
		return nil, err
	}
	index, err := jit.Build(ctx, &original{store: s.store, key: m.SourceKey, size: info.Size})
	if no, ok := errors.AsType[*jit.Unservable](err); ok {
		s.log.InfoContext(ctx, "source is not served as it is", "media_id", m.ID, "reason", string(no.Reason), "detail", no.Detail)
		return nil, nil
	}
	return index, err
}

// recordSource stores the index and makes the source the media's first
// publication, unless someone else did. Nothing is visible yet.
func (s *Service) recordSource(ctx context.Context, m catalog.Media, index *jit.Index, attempt string) error {
	folder := blob.OutputPrefix(m.AccountID, m.ID, m.Generation, attempt) + blob.SourceFolder
	m.DurationMS = index.Duration().Milliseconds()
	texts, err := s.subtitles(ctx, m)
	if err != nil {
		return err
	}
	playlist := sourceMultivariant(index, texts, func(track int) string {
		return playlistKey(blob.Relative(m.AccountID, m.ID, folder) + strconv.Itoa(track))
	})
	key := blob.PublicationPrefix(m.AccountID, m.ID, m.Generation, attempt, sourcePublication) + blob.Multivariant
	puts, putCtx := errgroup.WithContext(ctx)
	puts.Go(func() error {
		return s.store.PutBytes(putCtx, folder+blob.SourceIndex, s.indexes.Encode(index), typeIndex)
	})
	puts.Go(func() error { return s.store.PutBytes(putCtx, key, playlist, typePlaylist) })
	if err := puts.Wait(); err != nil {
		return err
	}
	v, tracks := index.Variant(), index.Tracks()
	row := catalog.Rendition{
		MediaID: m.ID, Generation: m.Generation, Name: sourceName, Kind: catalog.RenditionAudio, Codecs: v.Codecs,
		Width: v.Width, Height: v.Height, FrameRate: v.FrameRate,
		BandwidthBPS: v.BandwidthBPS, AverageBandwidthBPS: v.AverageBandwidthBPS,
		OutputPrefix: folder, SegmentCount: tracks[0].Segments,
	}
	if index.HasVideo() {
		row.Kind = catalog.RenditionVideo
	}
	publish := s.db.Publish
	if arrives(&m) {
		publish = s.db.PublishArriving
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		err := publish(ctx, tx, m.ID, m.Generation, sourcePublication,
			catalog.Set{Column: "duration_ms", Value: index.Duration().Milliseconds()},
			catalog.Set{Column: "has_video", Value: index.HasVideo()},
			catalog.Set{Column: "has_audio", Value: slices.ContainsFunc(tracks, func(t jit.Track) bool { return !t.Video })},
			catalog.Set{Column: "width", Value: v.Width}, catalog.Set{Column: "height", Value: v.Height},
			catalog.Set{Column: "frame_rate", Value: v.FrameRate},
			catalog.Set{Column: "multivariant_key", Value: key}, catalog.Set{Column: "extent", Value: catalog.ExtentSource})
		if err != nil {
			return err
		}
		return s.db.PutRendition(ctx, tx, &row)
	})
	if errors.Is(err, catalog.ErrConflict) {
		s.removeAll(ctx, m.ID, outputPrefix(m, attempt))
		return nil
	}
	return err
}

// sourceRow is the source's rendition, nil when the newest publication is not
// made of it.
func (s *Service) sourceRow(ctx context.Context, m catalog.Media) (*catalog.Rendition, error) {
	rows, err := s.db.Renditions(ctx, s.db, m.ID, m.Generation)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(rows, func(r catalog.Rendition) bool { return r.Name == sourceName })
	if i < 0 {
		return nil, nil
	}
	return &rows[i], nil
}

func (s *Service) readIndex(ctx context.Context, key string) (*jit.Index, error) {
	r, info, err := s.store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw := make([]byte, info.Size)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return jit.Decode(raw)
}

// withdraw takes from viewers what is of no use when a media fails: a source that
// turned out to be bad, a rung that will not grow to its end. Complete rungs stay.
func (s *Service) withdraw(ctx context.Context, media string, generation int) error {
	m, err := s.wanted(ctx, media, generation)
	if err != nil || m == nil || m.Extent != catalog.ExtentSource && m.Extent != catalog.ExtentGrowing {
		return err
	}
	p, err := s.store.ReadPointer(ctx, media)
	switch {
	case errors.Is(err, blob.ErrNotFound):
		return nil
	case err != nil:
		return err
	case p.Generation != generation:
		return nil
	}
	s.log.InfoContext(ctx, "publication withdrawn", "media_id", media, "publication", p.Publication)
	return s.store.Remove(ctx, blob.PointerKey(media))
}

// top tells whether a source can be the highest rung of its ladder: it is one by
// its rate, and its segments are as long as those of rungs, at frames of their grid.
func (s *Service) top(ctx context.Context, m *catalog.Media, index *jit.Index, found child.ProbeResult) *top {
	reason := func() string {
		if index == nil || !index.HasVideo() || found.Video == nil {
			return "it is not served as it is"
		}
		v, picture := found.Video, index.Tracks()[0]
		cap := maxRate(min(v.DisplayWidth, v.DisplayHeight))
		switch {
		case len(Ladder(v.DisplayWidth, v.DisplayHeight)) < 2:
			return "the ladder has one rung"
		case found.Start != 0:
			return "it does not start at zero"
		case picture.AverageBandwidthBPS > cap, picture.BandwidthBPS > 2*cap:
			return fmt.Sprintf("%d bits per second, at most %d, are more than %d", picture.AverageBandwidthBPS, picture.BandwidthBPS, cap)
		}
		return ""
	}()
	t := &top{}
	if reason == "" {
		rate := FrameRate(found.Video.FrameRate)
		if t.cuts, reason = index.Grid(rate.Num, rate.Den, targetDuration); reason == "" {
			t.target, t.timescale = index.TargetDuration(), index.Tracks()[0].Timescale
			return t
		}
	}
	s.log.InfoContext(ctx, "source is no rung of its ladder", "media_id", m.ID, "reason", reason)
	return nil
}

// original is a source in the object store as a [jit.Source].
type original struct {
	store *blob.Store
	key   string
	size  int64
}

// Size is the source's size in bytes.
func (o *original) Size() int64 { return o.size }

// ReadAt reads one range.
func (o *original) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if off >= o.size {
		return 0, io.EOF
	}
	r, err := o.store.GetRange(ctx, o.key, off, int64(len(p)))
	if err != nil {
		return 0, err
	}
	defer r.Close()
	n, err := io.ReadFull(r, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}
