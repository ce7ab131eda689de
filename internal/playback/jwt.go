package playback

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The audiences of JWTs: what they are for.
const (
	AudiencePlayback = "playback" // sub is a media
	AudienceViewer   = "viewer"   // sub is a viewer, as the customer names them
)

// maxJWT bounds a token before it is decoded, in bytes.
const maxJWT = 4 << 10

// Viewer is who watches, by the word of the customer's server.
type Viewer struct {
	ID    string `json:"id"`
	Email string `json:"email,omitempty"`
	Name  string `json:"name,omitempty"`
}

type claims struct {
	jwt.RegisteredClaims
	Email string `json:"email,omitempty"`
	Name  string `json:"name,omitempty"`
}

// VerifyPlayback checks a JWT that allows media and returns the grant it is worth,
// or ErrInvalid or ErrExpired. The algorithm is the key's, whatever the token says.
func VerifyPlayback(keys []Key, sealing []byte, media, token string, now time.Time) (Grant, error) {
	c, key, err := verify(keys, sealing, token, AudiencePlayback, now)
	if err != nil {
		return Grant{}, err
	}
	if c.Subject != media {
		return Grant{}, fmt.Errorf("%w: it is for another media", ErrInvalid)
	}
	g := Grant{Media: media, By: ByKey, Ref: key.ID, Expires: c.ExpiresAt.Time}
	if end := time.UnixMilli(key.EndsMS); key.EndsMS != 0 && end.Before(g.Expires) {
		g.Expires = end
	}
	return g, nil
}

// VerifyViewer checks a JWT that names a viewer, or returns ErrInvalid or
// ErrExpired.
func VerifyViewer(keys []Key, sealing []byte, token string, now time.Time) (Viewer, error) {
	c, _, err := verify(keys, sealing, token, AudienceViewer, now)
	if err != nil {
		return Viewer{}, err
	}
	if c.Subject == "" {
		return Viewer{}, fmt.Errorf("%w: it names no viewer", ErrInvalid)
	}
	return Viewer{ID: c.Subject, Email: c.Email, Name: c.Name}, nil
}

func verify(keys []Key, sealing []byte, token, audience string, now time.Time) (claims, Key, error) {
	if len(token) > maxJWT || !isToken(token) {
		return claims{}, Key{}, ErrInvalid
	}
	var c claims
	var key Key
	_, err := jwt.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == kid && k.Counts(now) })
		if i < 0 || t.Method.Alg() != keys[i].Alg {
			return nil, errors.New("no such key")
		}
		key = keys[i]
		return key.verifier(sealing)
	},
		jwt.WithValidMethods([]string{EdDSA, HS256}), jwt.WithAudience(audience), jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(func() time.Time { return now }), jwt.WithStrictDecoding())
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return claims{}, Key{}, ErrExpired
	case err != nil:
		return claims{}, Key{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return c, key, nil
}
