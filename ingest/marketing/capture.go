package marketing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/limit"
)

// LeadsPath is where gates hand leads in.
const LeadsPath = "/leads/v1"

const (
	maxLeadBytes = 16 << 10
	maxEmail     = 254 // RFC 5321, a path without its brackets
	maxName      = 100
	maxPhone     = 40
	maxPage      = 500
	maxConsent   = 400
)

// RegisterPublic adds what players call. Players of every site may.
func (s *Service) RegisterPublic(e *echo.Echo) { e.POST(LeadsPath, s.captureLead) }

// handedIn is what a player sends: JSON, as text/plain, so that browsers ask nothing
// before.
type handedIn struct {
	ViewToken string `json:"view_token"`
	ActionID  string `json:"action_id"`
	Email     string `json:"email"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Company   string `json:"company"`
	Phone     string `json:"phone"`
	Consent   string `json:"consent"`
	Page      string `json:"page"`
}

type captured struct {
	// ViewerToken names the viewer in later beacons. Players use it with consent only.
	ViewerToken string `json:"viewer_token,omitempty"`
}

var errLeadBody = fault.New(fault.Invalid, "invalid-lead", "The body is a JSON object with view_token, action_id and email.")

// captureLead takes a lead. The answer is the same for an address that was known.
func (s *Service) captureLead(c echo.Context) error {
	h := c.Response().Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", limit.Headers)
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Cache-Control", "no-store")
	now := s.cfg.Now()
	if !s.networks.Allow(c.Request().Context(), c.RealIP(), now) {
		return fault.New(fault.RateLimited, "lead-rate", "Too many answers from this network. Wait a minute, then try again.")
	}
	raw, err := io.ReadAll(io.LimitReader(c.Request().Body, maxLeadBytes+1))
	var in handedIn
	if err != nil || len(raw) > maxLeadBytes || json.Unmarshal(raw, &in) != nil {
		return errLeadBody
	}
	claims, err := beacon.VerifyViewToken(s.cfg.ViewTokenKey, in.ViewToken, now)
	if err != nil {
		return fault.Wrap(fault.Forbidden, err, "view-token", "This view has ended, or is not one of ours. Reload the page.")
	}
	optedOut := c.Request().Header.Get("Sec-GPC") == "1" || c.Request().Header.Get("DNT") == "1"
	lead, err := s.lead(c.Request().Context(), claims, in, optedOut)
	if err != nil {
		return err
	}
	var out captured
	if !optedOut {
		viewer := beacon.Viewer{Account: claims.Account, Identity: lead.Email, ExpiresAt: now.Add(beacon.TokenLife)}
		if out.ViewerToken, err = beacon.SignViewerToken(s.cfg.ViewTokenKey, viewer); err != nil {
			return err
		}
	}
	return c.JSON(http.StatusOK, out)
}

// lead checks and stores what was handed in by the view of claims.
func (s *Service) lead(ctx context.Context, claims beacon.Claims, in handedIn, optedOut bool) (*catalog.Lead, error) {
	m, err := s.db.Media(ctx, claims.Account, claims.Media)
	if err != nil {
		return nil, gone(err)
	}
	gate, err := s.gate(ctx, m.ID, in.ActionID)
	if err != nil {
		return nil, err
	}
	email, err := emailAddress(in.Email)
	if err != nil {
		return nil, err
	}
	if gate.Consent != "" && line(in.Consent) == "" {
		return nil, fault.New(fault.Invalid, "consent-needed", "This gate asks for consent.")
	}
	l := &catalog.Lead{AccountID: m.AccountID, MediaID: m.ID, ActionID: gate.ID, Email: email, Page: pageOf(in.Page)}
	if slices.Contains(gate.Fields, "name") {
		l.FirstName, l.LastName = cut(line(in.FirstName), maxName), cut(line(in.LastName), maxName)
	}
	if slices.Contains(gate.Fields, "company") {
		l.Company = cut(line(in.Company), maxName)
	}
	if slices.Contains(gate.Fields, "phone") {
		l.Phone = cut(line(in.Phone), maxPhone)
	}
	if gate.Consent != "" {
		l.Consent = cut(line(in.Consent), maxConsent)
	}
	if !optedOut {
		l.ViewID = claims.View
	}
	data, err := json.Marshal(struct {
		MediaID    string    `json:"media_id"`
		MediaName  string    `json:"media_name"`
		ActionID   string    `json:"action_id"`
		Email      string    `json:"email"`
		FirstName  string    `json:"first_name,omitempty"`
		LastName   string    `json:"last_name,omitempty"`
		Company    string    `json:"company,omitempty"`
		Phone      string    `json:"phone,omitempty"`
		Consent    string    `json:"consent,omitempty"`
		Page       string    `json:"page,omitempty"`
		CapturedAt time.Time `json:"captured_at"`
	}{m.ID, m.Name, l.ActionID, l.Email, l.FirstName, l.LastName, l.Company, l.Phone, l.Consent, l.Page, s.cfg.Now().UTC().Truncate(time.Millisecond)})
	if err != nil {
		return nil, fmt.Errorf("lead of media %s: %w", m.ID, err)
	}
	if _, err := s.db.AddLead(ctx, l, string(data)); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "leads-unavailable", "This cannot be stored right now. Try again in a moment.")
	}
	return l, nil
}

// gate returns the media's gate of that id: leads of others are made up.
func (s *Service) gate(ctx context.Context, media, id string) (PlayerAction, error) {
	row, err := s.db.Settings(ctx, s.db, media)
	if err != nil {
		return PlayerAction{}, gone(err)
	}
	actions, err := actionsOf(row)
	if err != nil {
		return PlayerAction{}, err
	}
	for _, a := range actions.Body.Items {
		if a.Type == kindGate && a.ID == id {
			return a, nil
		}
	}
	return PlayerAction{}, fault.New(fault.Invalid, "unknown-gate", "This video has no such gate any more. Reload the page.")
}

// gone tells a missing media from a catalog that is away.
func gone(err error) error {
	if errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	return fault.Wrap(fault.Unavailable, err, "leads-unavailable", "This cannot be stored right now. Try again in a moment.")
}

// emailAddress takes one address as people write it, without a name or a comment.
func emailAddress(text string) (string, error) {
	text = strings.TrimSpace(text)
	parsed, err := mail.ParseAddress(text)
	_, host, _ := strings.Cut(text, "@")
	if err != nil || parsed.Address != text || len(text) > maxEmail || clean(text) != text || strings.ContainsAny(text, "\"() <>,;:\\[]") || !strings.Contains(host, ".") {
		return "", fault.New(fault.Invalid, "invalid-email", "That is not an email address.")
	}
	return text, nil
}

// pageOf keeps of a page's address what tells no secrets.
func pageOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || clean(text) != text {
		return ""
	}
	page := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	if len(page) > maxPage {
		return ""
	}
	return page
}

func cut(text string, most int) string {
	runes := []rune(text)
	return string(runes[:min(len(runes), most)])
}
