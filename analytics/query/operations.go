package query

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/httpx"
)

// MediaInput names a media.
type MediaInput struct {
	ID string `path:"id" minLength:"1" maxLength:"64" doc:"Id of the media."`
}

// ViewsInput names a page of the views of a media.
type ViewsInput struct {
	MediaInput
	Cursor string `query:"cursor" maxLength:"256" doc:"next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
}

type output[T any] struct {
	CacheControl string `header:"Cache-Control"`
	Body         *T
}

// answer wraps a result that changes with each beacon.
func answer[T any](body *T, err error) (*output[T], error) {
	if err != nil {
		return nil, err
	}
	return &output[T]{CacheControl: "no-store", Body: body}, nil
}

// Register adds the operations under /v1/stats. The caller's account is taken
// from the context, where package auth puts it.
func Register(api huma.API, svc *Service) {
	operation := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Tags: []string{"Statistics"}}
	}
	httpx.Register(api, operation("get-media-stats", "/v1/stats/media/{id}", "Figures of a media"),
		func(ctx context.Context, in *MediaInput) (*output[MediaStats], error) {
			return answer(svc.Media(ctx, auth.AccountID(ctx), in.ID))
		})
	httpx.Register(api, operation("get-media-engagement", "/v1/stats/media/{id}/engagement", "How often each second of a media was watched and rewatched"),
		func(ctx context.Context, in *MediaInput) (*output[Engagement], error) {
			return answer(svc.Engagement(ctx, auth.AccountID(ctx), in.ID))
		})
	httpx.Register(api, operation("list-media-views", "/v1/stats/media/{id}/views", "Played views of a media, newest first, each with its heatmap"),
		func(ctx context.Context, in *ViewsInput) (*output[Views], error) {
			return answer(svc.Views(ctx, auth.AccountID(ctx), in.ID, in.Cursor, in.Limit))
		})
	httpx.Register(api, operation("get-stats-overview", "/v1/stats/overview", "Figures of the account"),
		func(ctx context.Context, _ *struct{}) (*output[Overview], error) {
			return answer(svc.Overview(ctx, auth.AccountID(ctx)))
		})
}
