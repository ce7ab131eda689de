package transcode

import (
	"context"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/langtag"
	"github.com/vitascope/vitascope/transcode/child"
)

// chapterColumns are the chapters of a source, for a media whose chapters nobody
// has edited.
func chapterColumns(m catalog.Media, probe child.ProbeResult) []catalog.Set {
	if m.ChaptersEdited {
		return nil
	}
	var list []catalog.Chapter
	for _, c := range probe.Chapters {
		if title := langtag.Clean(c.Title); title != "" {
			list = append(list, catalog.Chapter{StartMS: c.StartMS, Title: title})
		}
	}
	return []catalog.Set{{Column: "chapters", Value: catalog.EncodeChapters(list)}}
}

// chapters are those of a media as the pointer names them. A list that cannot be
// read is none: the media plays without.
func (s *Service) chapters(ctx context.Context, m catalog.Media) []blob.Chapter {
	list, err := m.ChapterList()
	if err != nil {
		s.log.WarnContext(ctx, "chapters are left out", "media_id", m.ID, "err", err)
	}
	var out []blob.Chapter
	for _, c := range list {
		out = append(out, blob.Chapter{StartMS: c.StartMS, Title: c.Title})
	}
	return out
}
