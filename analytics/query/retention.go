package query

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/httpx"
)

// Retention is for how long an account keeps views.
type Retention struct {
	Days int `json:"days" minimum:"0" maximum:"36500" doc:"Views opened longer ago, by whole days (UTC), are removed from every table and figure, with their events; 0 keeps all."`
}

// Retention returns for how long an account keeps views.
func (s *Service) Retention(ctx context.Context, account string) (*Retention, error) {
	days, err := s.db.Retention(ctx, account)
	if err != nil {
		return nil, away("retention", err)
	}
	return &Retention{Days: days}, nil
}

// SetRetention changes it. What is too old goes within the hour.
func (s *Service) SetRetention(ctx context.Context, account string, r Retention) (*Retention, error) {
	if err := s.db.SetRetention(ctx, account, r.Days); err != nil {
		return nil, away("retention", err)
	}
	return &r, nil
}

func registerRetention(api huma.API, svc *Service) {
	get(api, "get-stats-retention", "/retention", "For how long views are kept",
		func(ctx context.Context, account string, _ *struct{}) (*Retention, error) {
			return svc.Retention(ctx, account)
		})
	op := operation("set-stats-retention", "/retention", "Change for how long views are kept")
	op.Method, op.DefaultStatus = http.MethodPut, http.StatusOK
	httpx.Register(api, op, func(ctx context.Context, in *struct{ Body Retention }) (*output[Retention], error) {
		if auth.From(ctx).Role != catalog.RoleAdmin {
			return nil, fault.New(fault.Forbidden, "admin-needed", "Only an admin of the account may do this.")
		}
		return answer(svc.SetRetention(ctx, auth.AccountID(ctx), in.Body))
	})
}
