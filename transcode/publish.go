package transcode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Eyevinn/hls-m3u8/m3u8"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/transcode/child"
)

// publication is what viewers are to be shown next.
type publication struct {
	extent     catalog.Extent
	renditions []shownRendition
	sound      bool // all there is has been made
	images     bool // and here they are
	poster     string
	storyboard string
	duration   time.Duration
}

// shownRendition is one rendition of a publication.
type shownRendition struct {
	row    catalog.Rendition
	output *output // nil for the source as it is
}

// maxRaces bounds how often a publication is tried again because someone else was
// first; each time there is more to show.
const maxRaces = 20

// advance shows viewers what has become complete. Whoever makes the last chunk
// of a part comes here, perhaps several at once: the publication number in the
// catalog decides who publishes, and everybody sees to it that what is published is
// shown. It may run again at any point.
func (s *Service) advance(ctx context.Context, m catalog.Media, plan *Plan, number string) error {
	begun := false
	for range maxRaces {
		now, err := s.wanted(ctx, m.ID, m.Generation)
		if err != nil || now == nil || now.State == catalog.StateFailed {
			return err
		}
		p, err := s.next(ctx, *now, plan)
		if err != nil {
			return err
		}
		if p == nil {
			if err := s.show(ctx, m.ID, m.Generation); err != nil || !begun {
				return err
			}
			return s.insertRest(ctx, *now, plan)
		}
		err = s.record(ctx, *now, plan, p, number)
		if err == nil {
			begun = begun || p.extent == catalog.ExtentGrowing && now.Extent == catalog.ExtentNone
			s.log.InfoContext(ctx, "publication made", "media_id", m.ID, "publication", now.Publication+1,
				"extent", p.extent, "renditions", len(p.renditions))
		} else if !errors.Is(err, catalog.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("publish media %s: always someone else's turn", m.ID)
}

// next is what can be shown beyond what is published, nil when there is nothing.
func (s *Service) next(ctx context.Context, m catalog.Media, plan *Plan) (*publication, error) {
	done, err := s.db.ChunksDone(ctx, m.ID, m.Generation)
	if err != nil {
		return nil, err
	}
	if m.State == catalog.StateProbing || m.State == catalog.StatePlayable {
		if err := s.db.UpdateProgress(ctx, m.ID, m.Generation, plan.progress(done)); err != nil {
			return nil, err
		}
	}
	var parts []*Part
	whole, rungs, sound, early := true, false, !plan.hasAudio() && !plan.Instant, true
	for i := range plan.Parts {
		part := &plan.Parts[i]
		if len(done[part.Name]) < len(part.Chunks) {
			whole = false
			early = early && !(part.Early && len(part.Spec.Rungs) > 0)
			continue
		}
		parts = append(parts, part)
		rungs = rungs || len(part.Spec.Rungs) > 0
		sound = sound || part.Name == partExtra
	}
	p := &publication{}
	switch {
	case m.Extent == catalog.ExtentWhole:
		return nil, nil
	case whole:
		p.extent = catalog.ExtentWhole
	case rungs && sound && early: // who watches what grows finds it again in what follows
		p.extent = catalog.ExtentRungs
	case plan.Instant:
		return nil, nil
	default:
		p.extent, parts = catalog.ExtentGrowing, nil
		for i := range plan.Parts {
			if part := &plan.Parts[i]; part.Early || part.Spec.Poster {
				parts = append(parts, part)
			}
		}
	}
	for _, part := range parts {
		if err := s.collect(ctx, m, plan, part, p); err != nil {
			return nil, err
		}
	}
	if known, err := s.isKnown(ctx, m, plan, p); known || err != nil {
		return nil, err
	}
	if err := p.checkLength(plan); err != nil {
		return nil, err
	}
	if plan.SourceTop {
		return p, s.keepSource(ctx, m, p)
	}
	return p, nil
}

// collect adds what has been made of a part.
func (s *Service) collect(ctx context.Context, m catalog.Media, plan *Plan, part *Part, p *publication) error {
	rows, err := s.db.Chunks(ctx, m.ID, m.Generation, part.Name)
	if err != nil {
		return err
	}
	made, err := join(part, rows)
	if err != nil {
		return err
	}
	add := func(name, kind string, rung child.Rung) {
		o := made[name]
		if len(o.segments) == 0 {
			return // nothing yet, or a track without sound
		}
		peak, average := o.rates()
		row := catalog.Rendition{
			MediaID: m.ID, Generation: m.Generation, Name: name, Kind: kind, Codecs: o.codecs,
			BandwidthBPS: peak, AverageBandwidthBPS: average, SegmentCount: len(o.segments),
		}
		if kind == catalog.RenditionVideo {
			row.Width, row.Height, row.FrameRate = rung.Width, rung.Height, part.Spec.FrameRate.Float64()
			if !o.complete { // a few segments tell little
				row.BandwidthBPS = max(peak, rung.MaxBitrateBPS)
			}
		}
		p.duration = max(p.duration, o.length())
		p.renditions = append(p.renditions, shownRendition{row: row, output: o})
	}
	for _, r := range part.Spec.Rungs {
		if made[r.Name].complete && len(made[r.Name].segments) == 0 {
			return child.Refuse(child.DecodeFailed, "nothing of %s", r.Name)
		}
		add(r.Name, catalog.RenditionVideo, r)
	}
	for _, a := range part.Spec.Audio {
		add(a.Name, catalog.RenditionAudio, child.Rung{})
	}
	if len(rows) == 0 || !rows[0].Done {
		return nil
	}
	p.sound = p.sound || part.Name == partExtra
	if part.Spec.Poster {
		var o outputs
		if err := json.Unmarshal([]byte(rows[0].Outputs), &o); err != nil {
			return fmt.Errorf("read chunk 0 of %s: %w", part.Name, err)
		}
		p.images = true
		p.poster, p.storyboard = o.imageKeys(rows[0].OutputPrefix)
	}
	return nil
}

// isKnown tells that viewers are shown as much already.
func (s *Service) isKnown(ctx context.Context, m catalog.Media, plan *Plan, p *publication) (bool, error) {
	video, audio := !plan.hasVideo(), !plan.hasAudio()
	for _, r := range p.renditions {
		video = video || r.row.Kind == catalog.RenditionVideo
		audio = audio || r.row.Kind == catalog.RenditionAudio
	}
	if p.extent == catalog.ExtentGrowing && (!video || !audio) {
		return true, nil // not enough to play
	}
	if m.Extent != p.extent {
		return p.extent == catalog.ExtentGrowing && m.Extent != catalog.ExtentNone, nil
	}
	rows, err := s.db.Renditions(ctx, s.db, m.ID, m.Generation)
	if err != nil {
		return false, err
	}
	shown := map[string]int{}
	for _, r := range rows {
		if r.Name != sourceName {
			shown[r.Name] = r.SegmentCount
		}
	}
	if p.extent != catalog.ExtentGrowing {
		return len(shown) == len(p.renditions), nil // the same parts make the same
	}
	before, after := time.Duration(1<<62), time.Duration(1<<62)
	for _, r := range p.renditions {
		old := *r.output
		old.segments = old.segments[:min(shown[r.row.Name], len(old.segments))]
		before, after = min(before, old.length()), min(after, r.output.length())
	}
	return float64(after) < growth*float64(before), nil
}

// checkLength refuses a source of which too little could be decoded.
func (p *publication) checkLength(plan *Plan) error {
	declared := plan.duration()
	if p.extent != catalog.ExtentGrowing && !plan.Probe.DurationEstimated && float64(p.duration) < minDecoded*float64(declared) {
		return child.Refuse(child.TruncatedFile, "%s of %s decoded", p.duration, declared)
	}
	return nil
}

// keepSource adds the source as the highest rung.
func (s *Service) keepSource(ctx context.Context, m catalog.Media, p *publication) error {
	row, err := s.sourceRow(ctx, m)
	if err != nil {
		return err
	}
	if row == nil {
		return fmt.Errorf("source of media %s is not served any more", m.ID)
	}
	index, err := s.readIndex(ctx, row.OutputPrefix+blob.SourceIndex)
	if err != nil {
		return err
	}
	picture := index.Tracks()[0] // the sound is that of the other rungs
	row.Codecs, row.BandwidthBPS, row.AverageBandwidthBPS = picture.Codecs, picture.BandwidthBPS, picture.AverageBandwidthBPS
	row.SegmentCount = picture.Segments
	p.renditions = append(p.renditions, shownRendition{row: *row})
	p.duration = max(p.duration, picture.Duration)
	return nil
}

// record stores a publication's playlists and makes it the media's newest in the
// catalog, or returns catalog.ErrConflict when someone else was first. Viewers do not
// see it yet.
func (s *Service) record(ctx context.Context, m catalog.Media, plan *Plan, p *publication, number string) error {
	n := m.Publication + 1
	folder := blob.PublicationPrefix(m.AccountID, m.ID, m.Generation, number, n)
	growing := p.extent == catalog.ExtentGrowing
	rows := make([]catalog.Rendition, 0, len(p.renditions))
	hasAudio := false
	for i := range p.renditions {
		r := &p.renditions[i]
		hasAudio = hasAudio || r.row.Kind == catalog.RenditionAudio
		if r.output != nil {
			r.row.OutputPrefix = folder + r.row.Name + "/"
			playlist, err := mediaPlaylist(r.output, plan.TargetSeconds, !growing, func(folder string) string { return fromPlaylist(m, folder) })
			if err != nil {
				return err
			}
			if err := s.store.PutBytes(ctx, playlistKey(r.row.OutputPrefix), playlist, typePlaylist); err != nil {
				return err
			}
			if !growing {
				if err := s.putIframes(ctx, m, r); err != nil {
					return err
				}
			}
		}
		rows = append(rows, r.row)
	}
	describeAudio(rows, plan.Probe)
	var texts []*m3u8.Alternative
	if !growing {
		m.DurationMS = p.duration.Milliseconds()
		var err error
		if texts, err = s.subtitles(ctx, m); err != nil {
			return err
		}
	}
	playlist := multivariant(rows, texts, func(r catalog.Rendition) string {
		switch {
		case plan.grows(r.Name): // under one name from first to last, for who looks again
			return blob.NewestPlaylist(m.Generation, r.Name)
		case r.Name == sourceName:
			return blob.Relative(m.AccountID, m.ID, playlistKey(r.OutputPrefix+"0"))
		}
		return blob.Relative(m.AccountID, m.ID, playlistKey(r.OutputPrefix))
	})
	key := folder + blob.Multivariant
	if err := s.store.PutBytes(ctx, key, playlist, typePlaylist); err != nil {
		return err
	}
	set := []catalog.Set{{Column: "multivariant_key", Value: key}, {Column: "extent", Value: p.extent}}
	if !growing {
		set = append(set, catalog.Set{Column: "duration_ms", Value: p.duration.Milliseconds()})
	}
	if p.sound {
		set = append(set, catalog.Set{Column: "has_audio", Value: hasAudio})
	}
	if p.images {
		set = append(set, posterSet(p.poster), catalog.Set{Column: "storyboard_key", Value: p.storyboard})
	}
	before, err := s.db.Renditions(ctx, s.db, m.ID, m.Generation)
	if err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		if err := s.db.Publish(ctx, tx, m.ID, m.Generation, n, set...); err != nil {
			return err
		}
		for _, r := range before { // such as the source, whose place was taken
			if slices.ContainsFunc(rows, func(now catalog.Rendition) bool { return now.Name == r.Name }) {
				continue
			}
			if err := s.db.RemoveRendition(ctx, tx, m.ID, m.Generation, r.Name); err != nil {
				return err
			}
		}
		for i := range rows {
			if err := s.db.PutRendition(ctx, tx, &rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// fromPlaylist names an object folder from a media playlist in its publication's.
func fromPlaylist(m catalog.Media, folder string) string {
	return "../../../" + strings.TrimPrefix(folder, blob.GenerationPrefix(m.AccountID, m.ID, m.Generation))
}

// show brings the pointer, then the media's state, to what the catalog says is
// published. A worker that was away may write an old pointer over a newer one: it
// looks again afterwards, and mends that.
func (s *Service) show(ctx context.Context, id string, generation int) error {
	for range maxRaces {
		m, err := s.wanted(ctx, id, generation)
		if err != nil || m == nil || m.State == catalog.StateFailed || m.MultivariantKey == "" {
			return err
		}
		state := catalog.StatePlayable
		if m.Extent == catalog.ExtentWhole {
			state = catalog.StateReady
		}
		if err := s.writePublication(ctx, *m, state, false); err != nil {
			return err
		}
		now, err := s.wanted(ctx, id, generation)
		switch {
		case err != nil:
			return err
		case now == nil:
			return s.withdrawDeleted(ctx, id)
		case now.State == catalog.StateFailed:
			return s.withdraw(ctx, id, generation)
		case now.Publication != m.Publication, arrives(now) != arrives(m):
			continue
		}
		if err := s.enter(ctx, *now, state); err != nil || state != catalog.StateReady {
			return err
		}
		return s.showName(ctx, *m)
	}
	return fmt.Errorf("show media %s: it changes all the time", id)
}

// enter moves the media to the state that its publication has.
func (s *Service) enter(ctx context.Context, m catalog.Media, state catalog.MediaState) error {
	if m.State == state && !m.PlayableAt.IsZero() {
		return nil
	}
	now := time.Now().UTC()
	var set []catalog.Set
	if m.PlayableAt.IsZero() {
		set = append(set, catalog.Set{Column: "playable_at", Value: now})
	}
	if arrives(&m) && len(set) == 0 {
		return nil
	}
	if arrives(&m) { // its upload will take it on
		return ignoreConflict(s.db.SetMedia(ctx, s.db, m.ID, m.Generation, set...))
	}
	if state == catalog.StateReady {
		set = append(set, catalog.Set{Column: "ready_at", Value: now}, catalog.Set{Column: "progress", Value: 1.0})
	}
	from := []catalog.MediaState{catalog.StateProbing, catalog.StatePlayable}
	return ignoreConflict(s.db.Transition(ctx, s.db, m.ID, m.Generation, from, state, set...))
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

// writePublication points viewers to a media's newest publication; when they know
// it already, only if what goes with it is to be shown anew.
func (s *Service) writePublication(ctx context.Context, m catalog.Media, state catalog.MediaState, anew bool) error {
	relative := func(key string) string {
		if key == "" {
			return ""
		}
		return blob.Relative(m.AccountID, m.ID, key)
	}
	current, err := s.store.ReadPointer(ctx, m.ID)
	switch {
	case err != nil && !errors.Is(err, blob.ErrNotFound):
		return err
	case err == nil && (current.Generation > m.Generation || current.Generation == m.Generation && current.Publication > m.Publication):
		return nil // never back to an older publication
	case err == nil && !anew && current.Generation == m.Generation && current.Publication == m.Publication && current.State == string(state) && current.Arriving == arrives(&m):
		return nil
	}
	pointer := blob.Pointer{
		Account: m.AccountID, Media: m.ID, Generation: m.Generation, Publication: m.Publication, State: string(state), Name: m.Name, UploadedMS: unixMS(m.UploadedAt),
		DurationMS: m.DurationMS, Width: m.Width, Height: m.Height, HasVideo: m.HasVideo, HasAudio: m.HasAudio,
		Multivariant: relative(m.MultivariantKey), Poster: relative(m.PosterKey), Storyboard: relative(m.StoryboardKey),
		Preview: relative(m.PreviewKey), Chapters: s.chapters(ctx, m), Arriving: arrives(&m),
	}
	if pointer.Captions, err = s.sidecars(ctx, m); err != nil {
		return err
	}
	return s.store.WritePointer(ctx, pointer)
}

// unixMS is 0 for the time that is not set.
func unixMS(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
