package transcode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/Eyevinn/hls-m3u8/m3u8"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/captions"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/langtag"
	"github.com/vitascope/vitascope/transcode/child"
)

const (
	captionGroup = "txt"
	// captionSegment is the length of a segment of text. Few bytes each, they are
	// longer than those of sound and picture.
	captionSegment = time.Minute
	// maxTextTracks bounds the subtitle tracks taken from a source.
	maxTextTracks = 16
	// unknownLanguage is BCP 47 for a text that does not tell.
	unknownLanguage = "und"
)

// describesSound marks captions for those who do not hear (RFC 8216bis, 4.4.6.1).
const describesSound = "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound"

// textSpecs are the subtitle tracks of a source that become captions: one for each
// language and kind. Forced ones, which repeat parts of others, are left out.
func textSpecs(probe child.ProbeResult) []child.TextSpec {
	var specs []child.TextSpec
	for n, t := range probe.Texts {
		if !t.Forced && len(specs) < maxTextTracks {
			specs = append(specs, child.TextSpec{Name: "s" + strconv.Itoa(n), Track: n})
		}
	}
	return specs
}

// takeText stores a subtitle track that a child found in the source. The child is
// not trusted: its text is read and written anew.
func (u *uploader) takeText(ctx context.Context, e child.Text, file *os.File) error {
	raw, err := io.ReadAll(io.LimitReader(file, captions.MaxBytes+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", e.File, err)
	}
	track, err := captions.Parse(raw)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", child.ErrProtocol, e.File, err)
	}
	id, vtt := catalog.NewID(), track.VTT()
	if err := u.service.store.PutBytes(ctx, blob.CaptionKey(u.media.AccountID, u.media.ID, id), vtt, typeVTT); err != nil {
		return err
	}
	u.texts = append(u.texts, text{name: e.Name, row: catalog.Caption{
		MediaID: u.media.ID, FileID: id, Origin: catalog.CaptionOfSource, Cues: track.Cues(), SizeBytes: int64(len(vtt)),
	}})
	return nil
}

// text is a stored subtitle track of a source, yet to be named.
type text struct {
	name string
	row  catalog.Caption
}

// describeTexts adds to the rows of subtitle tracks what viewers choose by. Two in
// one language get tags that differ by a private part.
func describeTexts(texts []text, probe child.ProbeResult) {
	taken := map[string]bool{}
	for n, track := range probe.Texts {
		for i := range texts {
			if texts[i].name != "s"+strconv.Itoa(n) {
				continue
			}
			tag := langtag.Canonical(track.Language)
			label := langtag.Name(tag)
			if tag == "" {
				tag, label = unknownLanguage, "Subtitles"
			}
			if title := langtag.Clean(track.Title); title != "" && title != label {
				label += " (" + title + ")"
			}
			row := &texts[i].row
			row.Language, row.Label, row.Kind, row.IsDefault = tag, label, captions.KindSubtitles, track.Default
			for next := 2; taken[row.Language]; next++ {
				row.Language = fmt.Sprintf("%s-x-%d", tag, next)
			}
			taken[row.Language] = true
			if track.Captions {
				row.Kind = captions.KindCaptions
			}
		}
	}
}

// recordTexts records the subtitle tracks of a source. Ones that were uploaded stay.
func (s *Service) recordTexts(ctx context.Context, tx catalog.Tx, u *uploader) error {
	for i := range u.texts {
		if err := s.db.PutCaption(ctx, tx, &u.texts[i].row); err != nil {
			return err
		}
	}
	return nil
}

// subtitles is the subtitles group of a media, its segments stored, with the row of
// each track; uris are relative to the media's folder.
func (s *Service) subtitles(ctx context.Context, m catalog.Media) ([]*m3u8.Alternative, error) {
	rows, err := s.db.Captions(ctx, s.db, m.ID)
	if err != nil || m.DurationMS <= 0 {
		return nil, err
	}
	var group []*m3u8.Alternative
	taken := map[string]bool{}
	for _, row := range rows {
		key, err := s.segmentCaptions(ctx, m, row)
		if errors.Is(err, blob.ErrNotFound) {
			s.log.WarnContext(ctx, "captions are gone", "media_id", m.ID, "language", row.Language)
			continue
		}
		if err != nil {
			return nil, err
		}
		choice := &m3u8.Alternative{
			Type: "SUBTITLES", GroupId: captionGroup, Name: distinct(row.Label, taken), Language: row.Language,
			Default: row.IsDefault, Autoselect: true, URI: blob.Relative(m.AccountID, m.ID, key),
		}
		if row.Kind == captions.KindCaptions {
			choice.Characteristics = describesSound
		}
		group = append(group, choice)
	}
	return group, nil
}

// segmentCaptions stores a track in segments, unless that has been done, and
// returns the key of their playlist, which is written last.
func (s *Service) segmentCaptions(ctx context.Context, m catalog.Media, row catalog.Caption) (string, error) {
	folder := blob.CaptionFolder(m.AccountID, m.ID, row.FileID, m.DurationMS)
	key := playlistKey(folder)
	if _, err := s.store.Stat(ctx, key); !errors.Is(err, blob.ErrNotFound) {
		return key, err
	}
	r, _, err := s.store.Get(ctx, blob.CaptionKey(m.AccountID, m.ID, row.FileID))
	if err != nil {
		return "", err
	}
	raw, err := io.ReadAll(io.LimitReader(r, captions.MaxBytes))
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return "", fmt.Errorf("read captions %s of media %s: %w", row.Language, m.ID, err)
	}
	track, err := captions.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("captions %s of media %s: %w", row.Language, m.ID, err)
	}
	total := time.Duration(m.DurationMS) * time.Millisecond
	for n := 0; time.Duration(n)*captionSegment < total; n++ {
		part := track.Segment(time.Duration(n)*captionSegment, time.Duration(n+1)*captionSegment)
		if err := s.store.PutBytes(ctx, folder+strconv.Itoa(n)+".vtt", part, typeVTT); err != nil {
			return "", err
		}
	}
	playlist, err := captionPlaylist(total)
	if err != nil {
		return "", err
	}
	return key, s.store.PutBytes(ctx, key, playlist, typePlaylist)
}

// captionPlaylist is the media playlist of a track in segments.
func captionPlaylist(total time.Duration) ([]byte, error) {
	count := int((total + captionSegment - 1) / captionSegment)
	p, err := m3u8.NewMediaPlaylist(0, uint(max(count, 1)))
	if err != nil {
		return nil, fmt.Errorf("caption playlist: %w", err)
	}
	p.MediaType = m3u8.VOD
	p.SetWritePrecision(6)
	p.SetTargetDuration(uint(math.Ceil(min(total, captionSegment).Seconds())))
	for n := range count {
		length := min(captionSegment, total-time.Duration(n)*captionSegment)
		if err := p.Append(strconv.Itoa(n)+".vtt", length.Seconds(), ""); err != nil {
			return nil, fmt.Errorf("caption playlist: %w", err)
		}
	}
	p.SetVersion(playlistVersion)
	p.Close()
	return append([]byte(nil), p.Encode().Bytes()...), nil
}

// sidecars are the caption tracks as the pointer names them.
func (s *Service) sidecars(ctx context.Context, m catalog.Media) ([]blob.Caption, error) {
	rows, err := s.db.Captions(ctx, s.db, m.ID)
	if err != nil {
		return nil, err
	}
	var list []blob.Caption
	for _, row := range rows {
		list = append(list, blob.Caption{
			Language: row.Language, Label: row.Label, Kind: row.Kind, Default: row.IsDefault,
			Src: blob.Relative(m.AccountID, m.ID, blob.CaptionKey(m.AccountID, m.ID, row.FileID)),
		})
	}
	return list, nil
}
