// Package authapi is the part of the JSON API that signs in and out and manages
// API tokens.
package authapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/idempotency"
)

// Session is who is signed in.
type Session struct {
	User struct {
		ID    string `json:"id"`
		Email string `json:"email"`
		Role  string `json:"role" enum:"admin,member"`
	} `json:"user"`
	Account struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"account"`
	HasPassword bool `json:"has_password" doc:"Whether this user can sign in with a password."`
}

// Token is an API token as listed: never its secret.
type Token struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty" doc:"To the minute."`
}

type handler struct {
	svc *auth.Service
	db  *catalog.DB
}

// Register adds the operations under /v1/sessions, /v1/session and /v1/api-tokens.
func Register(api huma.API, svc *auth.Service, db *catalog.DB) {
	h := &handler{svc: svc, db: db}
	tags := []string{"Sign-in"}
	httpx.Register(api, huma.Operation{OperationID: "create-session", Method: http.MethodPost, Path: "/v1/sessions", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Sign in with a one-time login token, or an e-mail address and password", Security: httpx.Public}, h.createSession)
	httpx.Register(api, huma.Operation{OperationID: "get-session", Method: http.MethodGet, Path: "/v1/session", Tags: tags, Summary: "Who is signed in"}, h.getSession)
	httpx.Register(api, huma.Operation{OperationID: "delete-session", Method: http.MethodDelete, Path: "/v1/session", Tags: tags, Summary: "Sign out"}, h.deleteSession)
	httpx.Register(api, huma.Operation{OperationID: "set-password", Method: http.MethodPut, Path: "/v1/session/password", Tags: tags, Summary: "Choose a new password"}, h.setPassword)
	tags = []string{"API tokens"}
	httpx.Register(api, huma.Operation{OperationID: "list-api-tokens", Method: http.MethodGet, Path: "/v1/api-tokens", Tags: tags, Summary: "List the account's API tokens"}, h.listTokens)
	httpx.Register(api, idempotency.AnswerIsSecret(huma.Operation{OperationID: "create-api-token", Method: http.MethodPost, Path: "/v1/api-tokens", Tags: tags, DefaultStatus: http.StatusCreated, Summary: "Create an API token; its secret is shown this once"}), h.createToken)
	httpx.Register(api, huma.Operation{OperationID: "delete-api-token", Method: http.MethodDelete, Path: "/v1/api-tokens/{id}", Tags: tags, Summary: "Revoke an API token"}, h.deleteToken)
}

type createSessionInput struct {
	remote string
	Body   struct {
		LoginToken string `json:"login_token,omitempty" maxLength:"128" doc:"From a one-time login link."`
		Email      string `json:"email,omitempty" maxLength:"254"`
		Password   string `json:"password,omitempty" maxLength:"1024"`
	}
}

// Resolve notes where the request came from, to bound guesses.
func (in *createSessionInput) Resolve(ctx huma.Context) []error {
	in.remote = humaecho.Unwrap(ctx).RealIP() // believes the proxies that were named, and no others
	return nil
}

type sessionOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      Session
}

func (h *handler) createSession(ctx context.Context, in *createSessionInput) (*sessionOutput, error) {
	u, cookie, err := h.svc.SignIn(ctx, in.remote, auth.Credentials{
		LoginToken: in.Body.LoginToken, Email: in.Body.Email, Password: in.Body.Password})
	if err != nil {
		return nil, err
	}
	s, err := h.session(ctx, u)
	if err != nil {
		return nil, err
	}
	return &sessionOutput{SetCookie: cookie, Body: s}, nil
}

type getSessionOutput struct{ Body Session }

func (h *handler) getSession(ctx context.Context, _ *struct{}) (*getSessionOutput, error) {
	u, err := h.db.User(ctx, auth.From(ctx).UserID)
	if err != nil {
		return nil, err
	}
	s, err := h.session(ctx, u)
	return &getSessionOutput{Body: s}, err
}

func (h *handler) session(ctx context.Context, u catalog.User) (Session, error) {
	a, err := h.db.Account(ctx, u.AccountID)
	if err != nil {
		return Session{}, err
	}
	var s Session
	s.User.ID, s.User.Email, s.User.Role = u.ID, u.Email, u.Role
	s.Account.ID, s.Account.Name = a.ID, a.Name
	s.HasPassword = u.PasswordHash != ""
	return s, nil
}

type cookieOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

func (h *handler) deleteSession(ctx context.Context, _ *struct{}) (*cookieOutput, error) {
	cookie, err := h.svc.SignOut(ctx)
	return &cookieOutput{SetCookie: cookie}, err
}

type setPasswordInput struct {
	Body struct {
		Password string `json:"password" minLength:"10" maxLength:"1024" doc:"At least 10 characters; any characters."`
	}
}

func (h *handler) setPassword(ctx context.Context, in *setPasswordInput) (*struct{}, error) {
	return nil, h.svc.SetPassword(ctx, auth.From(ctx).UserID, in.Body.Password)
}

type tokensOutput struct {
	Body struct {
		Items []Token `json:"items" nullable:"false"`
	}
}

func (h *handler) listTokens(ctx context.Context, _ *struct{}) (*tokensOutput, error) {
	rows, err := h.db.APITokens(ctx, auth.AccountID(ctx))
	if err != nil {
		return nil, err
	}
	out := &tokensOutput{}
	out.Body.Items = []Token{}
	for _, r := range rows {
		out.Body.Items = append(out.Body.Items, tokenView(r))
	}
	return out, nil
}

type createTokenInput struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"100" pattern:"^[^\\x00-\\x1f]+$" patternDescription:"no control characters" doc:"What the token is for."`
	}
}

type createTokenOutput struct {
	Body struct {
		Token
		Secret string `json:"token" doc:"The bearer token. It is shown this once and not stored."`
	}
}

func (h *handler) createToken(ctx context.Context, in *createTokenInput) (*createTokenOutput, error) {
	p := auth.From(ctx)
	secret, row, err := h.svc.NewAPIToken(ctx, p.AccountID, p.UserID, in.Body.Name)
	if err != nil {
		return nil, err
	}
	out := &createTokenOutput{}
	out.Body.Token, out.Body.Secret = tokenView(row), secret
	return out, nil
}

type tokenInput struct {
	ID string `path:"id" maxLength:"32"`
}

func (h *handler) deleteToken(ctx context.Context, in *tokenInput) (*struct{}, error) {
	return nil, h.db.DeleteAPIToken(ctx, auth.AccountID(ctx), in.ID)
}

func tokenView(r catalog.APIToken) Token {
	t := Token{ID: r.ID, Name: r.Name, CreatedAt: r.CreatedAt}
	if !r.LastUsedAt.IsZero() {
		t.LastUsedAt = &r.LastUsedAt
	}
	return t
}
