package beacon

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Audience is the aud claim of view tokens.
const Audience = "beacon"

// TokenLife is how long a view token is valid.
const TokenLife = 24 * time.Hour

// Claims is what a view token asserts: whose media, which playback of it, and
// the facts collect clamps with.
type Claims struct {
	Account    string
	Media      string
	View       string // UUIDv7
	Generation int
	Duration   time.Duration // of the media, millisecond precision, positive
	Identity   string        // who the viewer is, when the embedding site said so under its signature
	Variant    string        // which arm of an experiment is shown, up to MaxIDLen bytes
	IssuedAt   time.Time
	ExpiresAt  time.Time
}

type wireClaims struct {
	Account    string `json:"acc"`
	Generation int    `json:"gen"`
	DurationMS int64  `json:"dur"`
	Identity   string `json:"idn,omitempty"`
	Variant    string `json:"var,omitempty"`
	jwt.RegisteredClaims
}

// SignViewToken returns c as a JWT signed with HS256.
func SignViewToken(key []byte, c Claims) (string, error) {
	if c.Account == "" || c.Media == "" || c.View == "" || c.Duration < time.Millisecond {
		return "", errors.New("sign view token: account, media, view and a positive duration are needed")
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, wireClaims{
		Account: c.Account, Generation: c.Generation, DurationMS: c.Duration.Milliseconds(), Identity: cut(c.Identity, MaxTextLen), Variant: cut(c.Variant, MaxIDLen),
		RegisteredClaims: jwt.RegisteredClaims{
			Subject: c.Media, ID: c.View, Audience: jwt.ClaimStrings{Audience},
			IssuedAt: jwt.NewNumericDate(c.IssuedAt), ExpiresAt: jwt.NewNumericDate(c.ExpiresAt),
		},
	}).SignedString(key)
	if err != nil {
		return "", fmt.Errorf("sign view token: %w", err)
	}
	return signed, nil
}

// VerifyViewToken checks signature, algorithm, audience and expiry at now. The
// error is an [*Error] with [CodeTokenExpired] or [CodeTokenInvalid]. The claims of
// a token that has expired, and is otherwise good, are returned beside the error: a
// late beacon is counted for the account it is of.
func VerifyViewToken(key []byte, token string, now time.Time) (Claims, error) {
	var w wireClaims
	err := verify(key, token, Audience, &w, now)
	expired := errors.Is(err, jwt.ErrTokenExpired) && !errors.Is(err, jwt.ErrTokenInvalidAudience)
	if err != nil && !expired {
		return Claims{}, refuse(CodeTokenInvalid, "the view token is not one of ours")
	}
	c := Claims{
		Account: w.Account, Media: w.Subject, View: w.ID, Generation: w.Generation,
		Duration: time.Duration(w.DurationMS) * time.Millisecond, Identity: cut(w.Identity, MaxTextLen), Variant: cut(w.Variant, MaxIDLen), ExpiresAt: w.ExpiresAt.Time,
	}
	if w.IssuedAt != nil {
		c.IssuedAt = w.IssuedAt.Time
	}
	if c.Account == "" || c.Media == "" || c.View == "" || w.DurationMS <= 0 || w.DurationMS > MaxMediaMS {
		return Claims{}, refuse(CodeTokenInvalid, "the view token lacks a claim")
	}
	if expired {
		return c, refuse(CodeTokenExpired, "the view token has expired")
	}
	return c, nil
}

// ViewerAudience is the aud claim of viewer tokens.
const ViewerAudience = "viewer"

// Viewer is who watches, as far as the account wants to know: what its own site
// signed, or what the viewer told a gate.
type Viewer struct {
	Account   string
	Identity  string // up to MaxTextLen bytes
	ExpiresAt time.Time
}

// SignViewerToken returns v as a JWT signed with HS256. A batch carries it as
// viewer when the identity became known after the view token was made.
func SignViewerToken(key []byte, v Viewer) (string, error) {
	if v.Account == "" || v.Identity == "" || len(v.Identity) > MaxTextLen {
		return "", fmt.Errorf("sign viewer token: account and an identity of at most %d bytes are needed", MaxTextLen)
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, wireClaims{Account: v.Account, RegisteredClaims: jwt.RegisteredClaims{
		Subject: v.Identity, Audience: jwt.ClaimStrings{ViewerAudience}, ExpiresAt: jwt.NewNumericDate(v.ExpiresAt),
	}}).SignedString(key)
	if err != nil {
		return "", fmt.Errorf("sign viewer token: %w", err)
	}
	return signed, nil
}

// VerifyViewerToken checks signature, algorithm, audience and expiry at now.
// The error is an [*Error] with [CodeTokenExpired] or [CodeTokenInvalid].
func VerifyViewerToken(key []byte, token string, now time.Time) (Viewer, error) {
	var w wireClaims
	err := verify(key, token, ViewerAudience, &w, now)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return Viewer{}, refuse(CodeTokenExpired, "the viewer token has expired")
	case err != nil || w.Account == "" || w.Subject == "" || len(w.Subject) > MaxTextLen:
		return Viewer{}, refuse(CodeTokenInvalid, "the viewer token is not one of ours")
	}
	return Viewer{Account: w.Account, Identity: w.Subject, ExpiresAt: w.ExpiresAt.Time}, nil
}

func verify(key []byte, token, audience string, into *wireClaims, now time.Time) error {
	_, err := jwt.ParseWithClaims(token, into, func(*jwt.Token) (any, error) { return key, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithStrictDecoding(), jwt.WithTimeFunc(func() time.Time { return now }))
	return err
}
