package query

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/httpx"
)

// ExportInput says what is exported.
type ExportInput struct {
	Rows   string `path:"rows" enum:"views,events" doc:"One row a view, or one an event."`
	Format string `query:"format" enum:"csv,parquet" default:"csv"`
	ScopeInput
}

func registerExport(api huma.API, svc *Service, log *slog.Logger) {
	op := operation("export-stats", "/exports/{rows}", "Views or raw events as CSV or Parquet, streamed")
	op.Responses = map[string]*huma.Response{"200": {Description: "The rows.", Content: map[string]*huma.MediaType{
		"text/csv":                       {Schema: &huma.Schema{Type: huma.TypeString}},
		"application/vnd.apache.parquet": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}}}
	httpx.Register(api, op, func(ctx context.Context, in *ExportInput) (*huma.StreamResponse, error) {
		build := svc.ExportViews
		if in.Rows == "events" {
			build = svc.ExportEvents
		}
		export, err := build(ctx, auth.AccountID(ctx), in.Media, in.Format, in.Filter)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(hctx huma.Context) {
			hctx.SetHeader("Content-Type", export.ContentType)
			hctx.SetHeader("Content-Disposition", `attachment; filename="`+export.FileName+`"`)
			hctx.SetHeader("Cache-Control", "no-store")
			hctx.SetStatus(http.StatusOK)
			if err := export.Write(hctx.Context(), hctx.BodyWriter()); err != nil {
				log.WarnContext(hctx.Context(), "export cut short", "rows", in.Rows, "format", in.Format, "err", err)
				panic(http.ErrAbortHandler) // the answer is cut, so that nobody takes half of it for all
			}
		}}, nil
	})
}
