package query

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/idempotency"
	"github.com/vitascope/vitascope/internal/warehouse"
)

// Erasure says what to erase.
type Erasure struct {
	Visitor string `json:"visitor,omitempty" maxLength:"256" doc:"Everything this visitor left: a pseudonym of one day or a signed identity."`
	MediaID string `json:"media_id,omitempty" maxLength:"64" doc:"Every figure of this media."`
	Account bool   `json:"account,omitempty" doc:"Every figure of the account."`
}

// ErasureResult says what was erased.
type ErasureResult struct {
	Views  uint64 `json:"views"`
	Events uint64 `json:"events"`
	Media  int    `json:"media" doc:"In how many media there was something."`
}

// Scope narrows a rebuild or a verification.
type Scope struct {
	MediaID string `json:"media_id,omitempty" maxLength:"64" doc:"All media when empty."`
	Day     string `json:"day,omitempty" format:"date" doc:"Only views opened on that day (UTC)."`
}

// RebuildResult says of which media the derived tables were made anew.
type RebuildResult struct {
	MediaIDs []string `json:"media_ids"`
}

// VerificationResult says whether the derived tables follow from the events.
type VerificationResult struct {
	Media       int                      `json:"media" doc:"How many media were compared."`
	Differences []VerificationDifference `json:"differences" doc:"Empty when all agree."`
}

// VerificationDifference is a table that disagrees with what it follows from.
type VerificationDifference struct {
	MediaID string `json:"media_id"`
	Table   string `json:"table"`
	Rows    uint64 `json:"rows"`
}

// maintenanceTimeout bounds one maintenance call.
const maintenanceTimeout = 30 * time.Minute

// Erase removes what e names from every table.
func (s *Service) Erase(ctx context.Context, account string, e Erasure) (*ErasureResult, error) {
	named := 0
	for _, is := range []bool{e.Visitor != "", e.MediaID != "", e.Account} {
		if is {
			named++
		}
	}
	if named != 1 {
		return nil, fault.New(fault.Invalid, "what-to-erase", "Name one of visitor, media_id and account.")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maintenanceTimeout)
	defer cancel()
	var out warehouse.Erased
	var err error
	switch {
	case e.Visitor != "":
		out, err = s.db.EraseVisitor(ctx, account, e.Visitor)
	case e.Account:
		out, err = s.db.EraseAccount(ctx, account)
	default:
		out, err = s.db.EraseMedia(ctx, account, e.MediaID)
	}
	return &ErasureResult{Views: out.Views, Events: out.Events, Media: out.Media}, held(err)
}

// Rebuild makes derived tables anew from events.
func (s *Service) Rebuild(ctx context.Context, account string, scope Scope) (*RebuildResult, error) {
	within, err := scope.of(account)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maintenanceTimeout)
	defer cancel()
	done, err := s.db.Rebuild(ctx, within)
	out := &RebuildResult{MediaIDs: []string{}}
	for _, k := range done {
		out.MediaIDs = append(out.MediaIDs, k.Media)
	}
	return out, held(err)
}

// Verify compares derived tables with events.
func (s *Service) Verify(ctx context.Context, account string, scope Scope) (*VerificationResult, error) {
	within, err := scope.of(account)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maintenanceTimeout)
	defer cancel()
	media, found, err := s.db.Verify(ctx, within)
	out := &VerificationResult{Media: media, Differences: []VerificationDifference{}}
	for _, d := range found {
		out.Differences = append(out.Differences, VerificationDifference{MediaID: d.Media, Table: d.Table, Rows: d.Rows})
	}
	return out, held(err)
}

func (s Scope) of(account string) (warehouse.Scope, error) {
	out := warehouse.Scope{Account: account, Media: s.MediaID}
	if s.Day != "" {
		day, err := time.Parse(time.DateOnly, s.Day)
		if err != nil {
			return out, fault.New(fault.Invalid, "wrong-day", "The day must be written as 2006-01-02.")
		}
		out.Day = day
	}
	return out, nil
}

// held gives errors of maintenance their kind.
func held(err error) error {
	if errors.Is(err, warehouse.ErrUnfinished) {
		return fault.Wrap(fault.Unavailable, err, "sinks-busy", "A batch of beacons is unfinished and nobody takes it up. Start a sink, then try again.")
	}
	if err != nil {
		return away("maintenance", err)
	}
	return nil
}

// post adds an operation for admins.
func post[I, O any](api huma.API, id, path, summary string, do func(ctx context.Context, account string, in *I) (*O, error)) {
	op := operation(id, path, summary)
	op.Method, op.DefaultStatus = http.MethodPost, http.StatusOK
	httpx.Register(api, idempotency.Repeatable(op), func(ctx context.Context, in *struct{ Body I }) (*output[O], error) {
		if who := auth.From(ctx); who.Role != catalog.RoleAdmin {
			return nil, fault.New(fault.Forbidden, "admin-needed", "Only an admin of the account may do this.")
		}
		return answer(do(ctx, auth.AccountID(ctx), &in.Body))
	})
}

// registerMaintenance adds what changes or repairs stored figures.
func registerMaintenance(api huma.API, svc *Service) {
	post(api, "create-stats-erasure", "/erasures", "Erase a visitor, a media's figures or all figures",
		func(ctx context.Context, account string, in *Erasure) (*ErasureResult, error) {
			return svc.Erase(ctx, account, *in)
		})
	post(api, "create-stats-rebuild", "/rebuilds", "Make derived tables anew from the raw events",
		func(ctx context.Context, account string, in *Scope) (*RebuildResult, error) {
			return svc.Rebuild(ctx, account, *in)
		})
	post(api, "create-stats-verification", "/verifications", "Compare derived tables with the raw events",
		func(ctx context.Context, account string, in *Scope) (*VerificationResult, error) {
			return svc.Verify(ctx, account, *in)
		})
}
