package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
)

// Credentials are what somebody signs in with: a login token, or an e-mail
// address and a password.
type Credentials struct {
	LoginToken string
	Email      string
	Password   string
}

// SignIn checks the credentials and starts a session, whose cookie it returns.
// Guesses are bounded per network: past that it returns a fault.RateLimited
// whatever the credentials.
func (s *Service) SignIn(ctx context.Context, remote string, cred Credentials) (catalog.User, http.Cookie, error) {
	if !s.attempts.Allow(ctx, remote, time.Now()) {
		return catalog.User{}, http.Cookie{}, fault.New(fault.RateLimited, "rate-limited", "Too many attempts from this network. Wait a minute, then try again.")
	}
	u, err := s.check(ctx, cred)
	if err != nil {
		return catalog.User{}, http.Cookie{}, err
	}
	ctx, err = s.sessions.Load(ctx, "") // a fresh token: no fixation
	if err != nil {
		return catalog.User{}, http.Cookie{}, fmt.Errorf("start session: %w", err)
	}
	s.sessions.Put(ctx, sessionUser, u.ID)
	token, expiry, err := s.sessions.Commit(ctx)
	if err != nil {
		return catalog.User{}, http.Cookie{}, fmt.Errorf("start session: %w", err)
	}
	s.log.InfoContext(ctx, "signed in", "user_id", u.ID)
	return u, s.cookie(token, expiry), nil
}

func (s *Service) check(ctx context.Context, cred Credentials) (catalog.User, error) {
	cred.Email = strings.ToValidUTF8(strings.ReplaceAll(cred.Email, "\x00", ""), "") // databases take no NUL
	if cred.LoginToken == "" {
		return s.checkPassword(ctx, cred.Email, cred.Password)
	}
	u, err := s.db.UseLoginLink(ctx, hash(cred.LoginToken), time.Now())
	if errors.Is(err, catalog.ErrNotFound) {
		return u, fault.New(fault.Unauthorized, "login-link-used", "This login link was already used or is too old. “vitascope login-link” on the server makes a new one.")
	}
	return u, err
}

// SignOut ends the caller's session, if they have one, and returns the cookie
// that clears it.
func (s *Service) SignOut(ctx context.Context) (http.Cookie, error) {
	if From(ctx).Session {
		if err := s.sessions.Destroy(ctx); err != nil {
			return http.Cookie{}, fmt.Errorf("end session: %w", err)
		}
	}
	c := s.cookie("", time.Unix(1, 0))
	c.MaxAge = -1
	return c, nil
}

// SetPassword gives the user a new password.
func (s *Service) SetPassword(ctx context.Context, userID, password string) error {
	if len([]rune(password)) < MinPasswordChars {
		return fault.New(fault.Invalid, "password-too-short", "The password needs at least %d characters.", MinPasswordChars)
	}
	phc, err := argon2id.CreateHash(password, argon2id.DefaultParams)
	if err != nil {
		return fmt.Errorf("hash password: %w", err)
	}
	return s.db.SetPassword(ctx, userID, phc)
}
