package query

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/httpx"
)

// MediaInput names a media and narrows its views.
type MediaInput struct {
	ID string `path:"id" minLength:"1" maxLength:"64" doc:"Id of the media."`
	Filter
}

// ScopeInput names a media, or none for the whole account, and narrows the views.
type ScopeInput struct {
	Media string `query:"media" maxLength:"64" doc:"Id of a media; the whole account when empty."`
	Filter
}

// PageInput names a page of a list.
type PageInput struct {
	Cursor string `query:"cursor" maxLength:"256" doc:"next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
}

// ViewsInput names a page of the views of a media.
type ViewsInput struct {
	MediaInput
	PageInput
}

// ViewerInput names a visitor and a page of the visitor's views.
type ViewerInput struct {
	Viewer string `path:"viewer" minLength:"1" maxLength:"256" doc:"Pseudonym or signed identity."`
	PageInput
}

// Resolve undoes the escaping of an identity such as an e-mail address: the router
// matches the path as it was sent where that differs from the plain one.
func (in *ViewerInput) Resolve(ctx huma.Context) []error {
	if u := ctx.URL(); u.RawPath == "" {
		return nil
	}
	plain, err := url.PathUnescape(in.Viewer)
	if err != nil {
		return []error{&huma.ErrorDetail{Message: "is not escaped correctly", Location: "path.viewer", Value: in.Viewer}}
	}
	in.Viewer = plain
	return nil
}

// TrendInput says what trend is wanted.
type TrendInput struct {
	ScopeInput
	Span
}

// BreakdownInput says what breakdown is wanted.
type BreakdownInput struct {
	Dimension string `path:"dimension" enum:"media,page,referrer,utm_source,utm_medium,utm_campaign,country,device,browser,os,language,variant,identity,visitor,rung,autoplay,bots"`
	ScopeInput
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"20"`
}

// CompareInput says which two sides are compared.
type CompareInput struct {
	MediaInput
	Other
}

// LiveInput names a media, or none for the whole account.
type LiveInput struct {
	Media string `query:"media" maxLength:"64" doc:"Id of a media; the whole account when empty."`
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

func operation(id, path, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: http.MethodGet, Path: "/v1/stats" + path, Summary: summary, Tags: []string{"Statistics"}}
}

// get adds an operation that answers the caller's account.
func get[I, O any](api huma.API, id, path, summary string, do func(ctx context.Context, account string, in *I) (*O, error)) {
	httpx.Register(api, operation(id, path, summary), func(ctx context.Context, in *I) (*output[O], error) {
		return answer(do(ctx, auth.AccountID(ctx), in))
	})
}

// Register adds the operations under /v1/stats. The caller's account is taken
// from the context, where package auth puts it. log hears of exports that broke off.
func Register(api huma.API, svc *Service, log *slog.Logger) {
	get(api, "get-media-stats", "/media/{id}", "Figures of a media",
		func(ctx context.Context, account string, in *MediaInput) (*MediaStats, error) {
			return svc.Media(ctx, account, in.ID, in.Filter)
		})
	get(api, "get-media-engagement", "/media/{id}/engagement", "How often each second of a media was watched, rewatched and left",
		func(ctx context.Context, account string, in *MediaInput) (*Engagement, error) {
			return svc.Engagement(ctx, account, in.ID, in.Filter)
		})
	get(api, "list-media-views", "/media/{id}/views", "Played views of a media, newest first, each with its heatmap",
		func(ctx context.Context, account string, in *ViewsInput) (*Views, error) {
			return svc.Views(ctx, account, in.ID, in.Cursor, in.Limit, in.Filter)
		})
	get(api, "get-media-report", "/media/{id}/report", "Figures, graph, trend and top values of a media in one answer",
		func(ctx context.Context, account string, in *MediaInput) (*Report, error) {
			return svc.Report(ctx, account, in.ID, in.Filter)
		})
	get(api, "get-media-comparison", "/media/{id}/comparison", "Two media, or two ranges of one, side by side",
		func(ctx context.Context, account string, in *CompareInput) (*Comparison, error) {
			return svc.Compare(ctx, account, in.ID, in.Other, in.Filter)
		})
	get(api, "get-stats-overview", "/overview", "Figures of the account",
		func(ctx context.Context, account string, in *struct{ Filter }) (*Overview, error) {
			return svc.Overview(ctx, account, in.Filter)
		})
	get(api, "get-stats-trend", "/trend", "Figures by hour, day, week or month, in any time zone",
		func(ctx context.Context, account string, in *TrendInput) (*Trend, error) {
			return svc.Trend(ctx, account, in.Media, in.Span, in.Filter)
		})
	get(api, "get-stats-breakdown", "/breakdowns/{dimension}", "Figures by the values of a dimension, such as top pages or top media",
		func(ctx context.Context, account string, in *BreakdownInput) (*Breakdown, error) {
			return svc.Breakdown(ctx, account, in.Media, in.Dimension, in.Limit, in.Filter)
		})
	get(api, "get-stats-quality", "/quality", "How playback went: startup, rebuffering, failures, picture, scores",
		func(ctx context.Context, account string, in *ScopeInput) (*QualityReport, error) {
			return svc.Quality(ctx, account, in.Media, in.Filter)
		})
	get(api, "get-stats-actions", "/actions", "What became of calls to action, gates, annotations and the like",
		func(ctx context.Context, account string, in *ScopeInput) (*Actions, error) {
			return svc.Actions(ctx, account, in.Media, in.Filter)
		})
	get(api, "get-stats-experiment", "/experiments/{experiment}", "What came of an experiment, with intervals that hold at every look",
		func(ctx context.Context, account string, in *struct {
			Experiment string `path:"experiment" maxLength:"64" doc:"Id of the experiment."`
		}) (*ExperimentReport, error) {
			return svc.Experiment(ctx, account, in.Experiment)
		})
	get(api, "get-stats-live", "/live", "Who watches now, and how many did in the last 30 minutes",
		func(ctx context.Context, account string, in *LiveInput) (*Live, error) {
			return svc.Live(ctx, account, in.Media)
		})
	get(api, "get-stats-viewer", "/viewers/{viewer}", "Everything one visitor watched",
		func(ctx context.Context, account string, in *ViewerInput) (*Viewer, error) {
			return svc.Viewer(ctx, account, in.Viewer, in.Cursor, in.Limit)
		})
	get(api, "get-stats-ledger", "/ledger", "What became of every beacon received, by hour",
		func(ctx context.Context, account string, in *struct{ Range }) (*Ledger, error) {
			return svc.Ledger(ctx, account, in.Range)
		})
	registerExport(api, svc, log)
	registerMaintenance(api, svc)
	registerRetention(api, svc)
	get(api, "list-stats-definitions", "/definitions", "The formula of each figure",
		func(context.Context, string, *struct{}) (*DefinitionsBody, error) {
			return &DefinitionsBody{Definitions: Definitions()}, nil
		})
}

// DefinitionsBody is the formula of each figure.
type DefinitionsBody struct {
	Definitions map[string]string `json:"definitions" doc:"A sentence for each figure, by its name in answers."`
}
