// Package auth tells who is calling: a browser by its session cookie, a program
// by its bearer token, a new browser by a one-time login link or a password.
//
// Secrets are shown once and stored as hashes; a wrong one always gets the same
// answer. Everything here is safe for concurrent use.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/alexedwards/scs/v2"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/limit"
)

const (
	// TokenPrefix begins every API token, so that secret scanners know one.
	TokenPrefix = "vs_"
	// CookieName is the session cookie's.
	CookieName = "vitascope_session"
	// LoginLinkLifetime is how long a login link may be used.
	LoginLinkLifetime = 24 * time.Hour
	// MinPasswordChars is the shortest password accepted (NIST SP 800-63B: 8 or more).
	MinPasswordChars = 10

	// attemptsPerMinute bounds guesses at passwords and login links from one network.
	attemptsPerMinute = 10

	sessionLifetime = 30 * 24 * time.Hour
	sessionUser     = "user"
)

// Principal is who is calling.
type Principal struct {
	AccountID string
	UserID    string
	Role      string
	Session   bool // signed in by cookie rather than by token
}

type principalKey struct{}

// With returns ctx carrying p.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From returns who is calling, or the zero Principal when nobody is signed in.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}

// AccountID returns the account of who is calling, or "".
func AccountID(ctx context.Context) string { return From(ctx).AccountID }

// ByID is the input of operations on one media.
type ByID struct {
	ID string `path:"id" doc:"The media's id." example:"k3v9x0a1bz"`
}

// Media returns a media of the account of who is calling; another account's is as
// unknown as one that never was.
func Media(ctx context.Context, db *catalog.DB, id string) (catalog.Media, error) {
	if !catalog.IsID(id) {
		return catalog.Media{}, fmt.Errorf("media: %w", catalog.ErrNotFound)
	}
	return db.Media(ctx, AccountID(ctx), id)
}

// Service signs people and programs in.
type Service struct {
	db       *catalog.DB
	sessions *scs.SessionManager
	attempts *limit.Networks
	log      *slog.Logger
}

// New returns a Service. secure marks the cookie for TLS alone, which is right
// whenever the public address is https.
func New(db *catalog.DB, secure bool, log *slog.Logger) *Service {
	sm := scs.New()
	sm.Store = db.Sessions()
	sm.Lifetime = sessionLifetime
	sm.HashTokenInStore = true
	sm.Cookie.Name = CookieName
	sm.Cookie.HttpOnly = true
	sm.Cookie.Secure = secure
	sm.Cookie.SameSite = http.SameSiteLaxMode
	sm.Cookie.Path = "/"
	return &Service{db: db, sessions: sm, attempts: limit.New("sign-in", attemptsPerMinute), log: log}
}

var errUnauthorized = fault.New(fault.Unauthorized, "unauthorized", "Sign in, or send a valid API token as “Authorization: Bearer vs_…”.")

// Identify returns r's context with the caller in it. A request without any
// credential passes with the zero Principal; one with a wrong bearer token is
// refused, so that a mistyped token is not mistaken for a missing right.
func (s *Service) Identify(r *http.Request) (context.Context, error) {
	ctx := r.Context()
	if h := r.Header.Get("Authorization"); h != "" {
		token, ok := strings.CutPrefix(h, "Bearer ")
		if !ok || !strings.HasPrefix(token, TokenPrefix) {
			return ctx, errUnauthorized
		}
		return s.identifyToken(ctx, token)
	}
	var token string
	if c, err := r.Cookie(CookieName); err == nil {
		token = c.Value
	}
	ctx, err := s.sessions.Load(ctx, token)
	if err != nil {
		return ctx, fault.Wrap(fault.Unavailable, err, "sessions-unavailable", "Sessions cannot be read right now. Try again shortly.")
	}
	id := s.sessions.GetString(ctx, sessionUser)
	if id == "" {
		return ctx, nil
	}
	u, err := s.db.User(ctx, id)
	if errors.Is(err, catalog.ErrNotFound) {
		return ctx, nil
	}
	if err != nil {
		return ctx, err
	}
	return With(ctx, Principal{AccountID: u.AccountID, UserID: u.ID, Role: u.Role, Session: true}), nil
}

func (s *Service) identifyToken(ctx context.Context, token string) (context.Context, error) {
	t, err := s.db.APITokenByHash(ctx, hash(token), time.Now())
	if errors.Is(err, catalog.ErrNotFound) {
		return ctx, errUnauthorized
	}
	if err != nil {
		return ctx, err
	}
	u, err := s.db.User(ctx, t.UserID)
	if err != nil {
		return ctx, fmt.Errorf("owner of API token %s: %w", t.ID, err)
	}
	return With(ctx, Principal{AccountID: t.AccountID, UserID: u.ID, Role: u.Role}), nil
}

// NewLoginToken makes a one-time login token for a user. It is shown once: only
// its hash is kept.
func (s *Service) NewLoginToken(ctx context.Context, userID string) (string, error) {
	token := strings.ToLower(rand.Text())
	return token, s.db.CreateLoginLink(ctx, userID, hash(token), time.Now().Add(LoginLinkLifetime))
}

// NewAPIToken makes an API token of the user. It is shown once: only its hash is
// kept.
func (s *Service) NewAPIToken(ctx context.Context, accountID, userID, name string) (string, catalog.APIToken, error) {
	token := TokenPrefix + rand.Text()
	row := catalog.APIToken{ID: catalog.NewID(), AccountID: accountID, UserID: userID, Name: name, TokenHash: hash(token)}
	return token, row, s.db.CreateAPIToken(ctx, &row)
}

// AdoptAPIToken stores a token whose text the caller made, such as the one in the
// data folder that the command line uses. Adopting it again changes nothing.
func (s *Service) AdoptAPIToken(ctx context.Context, accountID, userID, name, token string) error {
	_, err := s.db.APITokenByHash(ctx, hash(token), time.Now())
	if err == nil || !errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	return s.db.CreateAPIToken(ctx, &catalog.APIToken{
		ID: catalog.NewID(), AccountID: accountID, UserID: userID, Name: name, TokenHash: hash(token),
	})
}

// checkPassword returns the user if the password is right, and the same error in
// every other case, after the same work.
func (s *Service) checkPassword(ctx context.Context, email, password string) (catalog.User, error) {
	wrong := fault.New(fault.Unauthorized, "wrong-password", "This e-mail address and password do not match. “vitascope login-link” on the server makes a one-time link.")
	u, err := s.db.UserByEmail(ctx, email)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return catalog.User{}, err
	}
	phc := u.PasswordHash
	if phc == "" {
		phc = noPassword
	}
	ok, err := argon2id.ComparePasswordAndHash(password, phc)
	if err != nil {
		return catalog.User{}, fmt.Errorf("compare password of user %s: %w", u.ID, err)
	}
	if !ok || u.PasswordHash == "" {
		return catalog.User{}, wrong
	}
	return u, nil
}

// noPassword is compared against when there is no hash, so that unknown addresses
// take as long as known ones. It is the hash of a random string thrown away.
const noPassword = "$argon2id$v=19$m=65536,t=1,p=2$c2FsdHNhbHRzYWx0c2FsdA$xCJ5eR8yZ3ZCrYp3cRkqvFJ7kb1C1q0Vf0mZr0d1Q2E"

func (s *Service) cookie(value string, expiry time.Time) http.Cookie {
	c := s.sessions.Cookie
	return http.Cookie{Name: c.Name, Value: value, Path: c.Path, HttpOnly: c.HttpOnly, Secure: c.Secure, SameSite: c.SameSite, Expires: expiry.UTC()}
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
