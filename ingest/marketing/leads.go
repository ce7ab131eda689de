package marketing

import (
	"context"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/riverqueue/river"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/idempotency"
	"github.com/vitascope/vitascope/internal/jobs"
)

// registerLeads adds the operations on leads.
func (s *Service) registerLeads(api huma.API) {
	tags := []string{"Leads"}
	httpx.Register(api, huma.Operation{OperationID: "list-leads", Method: http.MethodGet, Path: "/v1/leads", Tags: tags,
		Summary: "People who answered the account's gates, newest first"}, s.listLeads)
	httpx.Register(api, idempotency.Repeatable(huma.Operation{OperationID: "search-leads", Method: http.MethodPost, Path: "/v1/lead-searches", Tags: tags,
		Summary: "The same by address, name or company: these are not for addresses of pages"}), s.searchLeads)
	export := huma.Operation{OperationID: "export-leads", Method: http.MethodGet, Path: "/v1/leads/export", Tags: tags,
		Summary: "Leads as CSV, streamed"}
	export.Responses = map[string]*huma.Response{"200": {Description: "The leads.", Content: map[string]*huma.MediaType{
		"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}}}}
	httpx.Register(api, export, s.exportLeads)
	httpx.Register(api, huma.Operation{OperationID: "delete-lead", Method: http.MethodDelete, Path: "/v1/leads/{lead}", Tags: tags,
		DefaultStatus: http.StatusNoContent, Summary: "Erase a lead, and with the last of an address what was watched in its name"}, s.deleteLead)
	httpx.Register(api, huma.Operation{OperationID: "erase-leads", Method: http.MethodPost, Path: "/v1/lead-erasures", Tags: tags,
		Summary: "Erase every lead of an email address and what was watched in its name, as its owner may ask"}, s.eraseLeads)
}

// Lead is someone who told a gate who they are.
type Lead struct {
	ID         string    `json:"id"`
	Email      string    `json:"email"`
	FirstName  string    `json:"first_name"`
	LastName   string    `json:"last_name"`
	Company    string    `json:"company"`
	Phone      string    `json:"phone"`
	Consent    string    `json:"consent" doc:"The words that were agreed to; empty when the gate asked for none."`
	MediaID    string    `json:"media_id"`
	MediaName  string    `json:"media_name" doc:"Empty once the video is deleted."`
	ActionID   string    `json:"action_id" doc:"The gate that asked."`
	Page       string    `json:"page" doc:"Where the player was."`
	CapturedAt time.Time `json:"captured_at"`
}

func leadOf(l catalog.Lead) Lead {
	return Lead{l.ID, l.Email, l.FirstName, l.LastName, l.Company, l.Phone, l.Consent, l.MediaID, l.MediaName, l.ActionID, l.Page, time.UnixMilli(l.CreatedMS).UTC()}
}

// leadFilter narrows leads.
type leadFilter struct {
	Media  string    `query:"media" json:"media,omitempty" maxLength:"64" doc:"Of one video."`
	Action string    `query:"action" json:"action,omitempty" maxLength:"64" doc:"Of one gate."`
	From   time.Time `query:"from" json:"from,omitzero" doc:"Captured at this time or later."`
	To     time.Time `query:"to" json:"to,omitzero" doc:"Captured before this time."`
}

func (f leadFilter) rows(query string) catalog.LeadFilter {
	return catalog.LeadFilter{Media: clean(f.Media), Action: clean(f.Action), From: f.From, To: f.To, Query: line(query)}
}

type listLeadsInput struct {
	leadFilter
	Cursor string `query:"cursor" maxLength:"64" doc:"The next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type searchLeadsInput struct {
	Body struct {
		leadFilter
		Query  string `json:"query,omitempty" maxLength:"200" doc:"Part of the address, the name or the company, in any case."`
		Cursor string `json:"cursor,omitempty" maxLength:"64"`
		Limit  int    `json:"limit,omitempty" minimum:"1" maximum:"200" doc:"50 when left out."`
	}
}

type leadsOutput struct {
	Body struct {
		Items      []Lead `json:"items" nullable:"false"`
		NextCursor string `json:"next_cursor" doc:"Empty on the last page."`
	}
}

// listLeads answers with a page of leads.
func (s *Service) listLeads(ctx context.Context, in *listLeadsInput) (*leadsOutput, error) {
	return s.page(ctx, in.rows(""), in.Cursor, in.Limit)
}

// searchLeads is listLeads with a text to look for.
func (s *Service) searchLeads(ctx context.Context, in *searchLeadsInput) (*leadsOutput, error) {
	if in.Body.Limit == 0 {
		in.Body.Limit = 50
	}
	return s.page(ctx, in.Body.rows(in.Body.Query), in.Body.Cursor, in.Body.Limit)
}

func (s *Service) page(ctx context.Context, f catalog.LeadFilter, cursor string, most int) (*leadsOutput, error) {
	if err := after(&f, cursor); err != nil {
		return nil, err
	}
	list, err := s.db.Leads(ctx, auth.AccountID(ctx), f, int64(most)+1)
	if err != nil {
		return nil, err
	}
	out := &leadsOutput{}
	out.Body.Items = []Lead{}
	if len(list) > most {
		list = list[:most]
		last := list[most-1]
		out.Body.NextCursor = base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(last.CreatedMS, 10) + "." + last.ID))
	}
	for _, l := range list {
		out.Body.Items = append(out.Body.Items, leadOf(l))
	}
	return out, nil
}

// after has a list go on behind a cursor.
func after(f *catalog.LeadFilter, cursor string) error {
	if cursor == "" {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	ms, id, ok := strings.Cut(string(raw), ".")
	at, notNumber := strconv.ParseInt(ms, 10, 64)
	if err != nil || !ok || notNumber != nil || !catalog.IsID(id) {
		return fault.New(fault.Invalid, "invalid-cursor", "This cursor is not one of this list. Start again without it.")
	}
	f.BeforeMS, f.BeforeID = at, id
	return nil
}

// exportPage is how many leads are read at a time.
const exportPage = 1000

type exportLeadsInput struct{ leadFilter }

// exportLeads streams leads as CSV.
func (s *Service) exportLeads(ctx context.Context, in *exportLeadsInput) (*huma.StreamResponse, error) {
	account, f := auth.AccountID(ctx), in.rows("")
	first, err := s.db.Leads(ctx, account, f, exportPage)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		hctx.SetHeader("Content-Type", "text/csv; charset=utf-8")
		hctx.SetHeader("Content-Disposition", `attachment; filename="vitascope-leads.csv"`)
		hctx.SetHeader("Cache-Control", "no-store")
		hctx.SetStatus(http.StatusOK)
		w := csv.NewWriter(hctx.BodyWriter())
		err := w.Write([]string{"captured_at", "email", "first_name", "last_name", "company", "phone", "consent", "media_id", "media_name", "action_id", "page"})
		for list := first; len(list) > 0 && err == nil; {
			for _, row := range list {
				l := leadOf(row)
				err = errors.Join(err, w.Write([]string{l.CapturedAt.Format("2006-01-02T15:04:05.000Z"), harmless(l.Email), harmless(l.FirstName), harmless(l.LastName),
					harmless(l.Company), harmless(l.Phone), harmless(l.Consent), l.MediaID, harmless(l.MediaName), harmless(l.ActionID), harmless(l.Page)}))
			}
			if len(list) < exportPage || err != nil {
				break
			}
			f.BeforeMS, f.BeforeID = list[len(list)-1].CreatedMS, list[len(list)-1].ID
			list, err = s.db.Leads(hctx.Context(), account, f, exportPage)
		}
		w.Flush()
		if err = errors.Join(err, w.Error()); err != nil {
			s.log.WarnContext(hctx.Context(), "export of leads cut short", "err", err)
			panic(http.ErrAbortHandler) // the answer is cut, so that nobody takes half of it for all
		}
	}}, nil
}

// harmless keeps a spreadsheet from taking what strangers sent for a formula.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

type leadInput struct {
	Lead string `path:"lead" doc:"The lead's id."`
}

// forgetAgainAfter is when what was watched in the name of an erased lead is erased
// once more: by then the tokens of its players have expired.
const forgetAgainAfter = beacon.TokenLife + time.Hour

// forget has the views of addresses erased: a gate that was answered makes the
// address the identity of what is watched from then on.
func (s *Service) forget(account string) func(ctx context.Context, tx catalog.Tx, emails []string) error {
	return func(ctx context.Context, tx catalog.Tx, emails []string) error {
		for _, email := range emails {
			args := jobs.ForgetVisitorArgs{AccountID: account, Visitor: email}
			if err := s.jobs.InsertTx(ctx, tx, args, nil); err != nil {
				return err
			}
			if err := s.jobs.InsertTx(ctx, tx, args, &river.InsertOpts{ScheduledAt: s.cfg.Now().Add(forgetAgainAfter)}); err != nil {
				return err
			}
		}
		return nil
	}
}

// deleteLead erases one lead, and what was watched in its name when the address has
// no other lead.
func (s *Service) deleteLead(ctx context.Context, in *leadInput) (*struct{}, error) {
	if !catalog.IsID(in.Lead) {
		return nil, fmt.Errorf("lead: %w", catalog.ErrNotFound)
	}
	n, err := s.db.EraseLeads(ctx, auth.AccountID(ctx), in.Lead, "", s.forget(auth.AccountID(ctx)))
	if err == nil && n == 0 {
		err = fmt.Errorf("lead %s: %w", in.Lead, catalog.ErrNotFound)
	}
	return nil, err
}

type eraseLeadsInput struct {
	Body struct {
		Email string `json:"email" minLength:"3" maxLength:"254"`
	}
}

type eraseLeadsOutput struct {
	Body struct {
		Erased int `json:"erased" doc:"How many leads there were."`
	}
}

// eraseLeads erases all leads of an address and what was watched in its name.
func (s *Service) eraseLeads(ctx context.Context, in *eraseLeadsInput) (*eraseLeadsOutput, error) {
	n, err := s.db.EraseLeads(ctx, auth.AccountID(ctx), "", clean(in.Body.Email), s.forget(auth.AccountID(ctx)))
	if err != nil {
		return nil, err
	}
	s.log.InfoContext(ctx, "leads erased", "leads", n)
	out := &eraseLeadsOutput{}
	out.Body.Erased = n
	return out, nil
}
