package library

import (
	"context"
	"math"
	"slices"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/langtag"
)

// Chapter is a named moment of a media, up to the next one.
type Chapter struct {
	StartSeconds float64 `json:"start_seconds" minimum:"0" maximum:"43200" example:"12.5"`
	Title        string  `json:"title" minLength:"1" maxLength:"200" example:"Pricing" doc:"One line; 60 characters are kept."`
}

type chaptersOutput struct {
	Body struct {
		Items []Chapter `json:"items" nullable:"false" doc:"In order."`
	}
}

func chaptersOf(list []catalog.Chapter) *chaptersOutput {
	out := &chaptersOutput{}
	out.Body.Items = make([]Chapter, 0, len(list))
	for _, c := range list {
		out.Body.Items = append(out.Body.Items, Chapter{StartSeconds: float64(c.StartMS) / 1000, Title: c.Title})
	}
	return out
}

// getChapters answers with a media's chapters: those found in its file until
// someone edits them.
func (s *Service) getChapters(ctx context.Context, in *auth.ByID) (*chaptersOutput, error) {
	m, err := auth.Media(ctx, s.db, in.ID)
	if err != nil {
		return nil, err
	}
	list, err := m.ChapterList()
	if err != nil {
		return nil, err
	}
	return chaptersOf(list), nil
}

type putChaptersInput struct {
	ID   string `path:"id" doc:"The media's id." example:"k3v9x0a1bz"`
	Body struct {
		Items []Chapter `json:"items" maxItems:"500" nullable:"false" doc:"In any order; none remove all."`
	}
}

// putChapters replaces a media's chapters.
func (s *Service) putChapters(ctx context.Context, in *putChaptersInput) (*chaptersOutput, error) {
	m, err := auth.Media(ctx, s.db, in.ID)
	if err != nil {
		return nil, err
	}
	var list []catalog.Chapter
	for _, c := range in.Body.Items {
		chapter := catalog.Chapter{StartMS: int64(math.Round(c.StartSeconds * 1000)), Title: langtag.Clean(c.Title)}
		switch {
		case chapter.Title == "":
			return nil, fault.New(fault.Invalid, "chapter-title", "A chapter needs a title.")
		case m.DurationMS > 0 && chapter.StartMS >= m.DurationMS:
			return nil, fault.New(fault.Invalid, "chapter-after-end", "Chapter “%s” starts after the end of the video.", chapter.Title)
		}
		list = append(list, chapter)
	}
	slices.SortStableFunc(list, func(a, b catalog.Chapter) int { return int(a.StartMS - b.StartMS) })
	for i := 1; i < len(list); i++ {
		if list[i].StartMS == list[i-1].StartMS {
			return nil, fault.New(fault.Invalid, "chapters-together", "Two chapters start at the same time.")
		}
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		err := s.db.SetMedia(ctx, tx, m.ID, m.Generation,
			catalog.Set{Column: "chapters", Value: catalog.EncodeChapters(list)}, catalog.Set{Column: "chapters_edited", Value: true})
		if err != nil {
			return err
		}
		return s.presentAnew(ctx, tx, m)
	})
	if err != nil {
		return nil, err
	}
	return chaptersOf(list), nil
}
