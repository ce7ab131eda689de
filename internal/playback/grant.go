// Package playback says who may watch a media: the tokens that allow it and the
// keys that sign them.
//
// There are two kinds of tokens. A customer's server signs a JWT (RFC 7519, EdDSA
// or HS256) with a key of its account, named by kid. The player's origin answers
// it, a password or a share link with a [Grant] of its own, which is short enough
// to stand in the path of every playlist and segment.
//
// Everything here is safe for concurrent use.
package playback

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// ErrInvalid is returned for a token that is not what it claims to be.
var ErrInvalid = errors.New("token is not valid")

// ErrExpired is returned for a token whose time is over.
var ErrExpired = errors.New("token has expired")

// By tells what a grant was given for.
type By byte

// What grants are given for.
const (
	ByKey      By = 'k' // a JWT signed by the key Ref
	ByPassword By = 'p' // the password that Ref stands for
	ByDomain   By = 'd' // a page of the allow-list that Ref stands for
	ByLink     By = 'l' // the share link Ref
	ByOwner    By = 'o' // someone of the account
)

// Grant lets its holder read everything of one media until it ends.
type Grant struct {
	Media   string
	By      By
	Ref     string // at most MaxRef bytes
	Expires time.Time
}

const (
	// MaxRef is the longest Ref, in bytes.
	MaxRef = 64

	grantVersion = 1
	macBytes     = 16 // 128 bits of HMAC-SHA256 (RFC 2104, section 5: at least half)
	fixedBytes   = 1 + 1 + 8 + 1
)

// encoding has one text for each token: no padding, no spare bits.
var encoding = base64.RawURLEncoding.Strict()

// Sign returns the grant as text of the alphabet of URLs. It panics when Ref is
// longer than MaxRef.
func (g Grant) Sign(key []byte) string {
	if len(g.Ref) > MaxRef {
		panic("playback: a grant's reference is too long")
	}
	raw := make([]byte, 0, fixedBytes+len(g.Ref)+macBytes)
	raw = append(raw, grantVersion, byte(g.By))
	raw = binary.BigEndian.AppendUint64(raw, uint64(g.Expires.Unix()))
	raw = append(raw, byte(len(g.Ref)))
	raw = append(raw, g.Ref...)
	return encoding.EncodeToString(append(raw, grantMAC(key, g.Media, raw)...))
}

// ownerLife is how long people of the account may watch by one token, at most.
const ownerLife = 48 * time.Hour

// ForOwner returns a token that opens a media to people of its account for a day at
// least. It stays the same for a day, so that what it opens can be cached.
func ForOwner(key []byte, media string, now time.Time) string {
	return Grant{Media: media, By: ByOwner, Expires: now.UTC().Truncate(24 * time.Hour).Add(ownerLife)}.Sign(key)
}

// VerifyGrant returns the grant for media that text is, or ErrInvalid or
// ErrExpired. It holds until the second in which it expires begins.
func VerifyGrant(key []byte, media, text string, now time.Time) (Grant, error) {
	const most = (fixedBytes + MaxRef + macBytes) * 4 / 3
	if len(text) > most+2 || !isToken(text) {
		return Grant{}, ErrInvalid
	}
	raw, err := encoding.DecodeString(text)
	if err != nil || len(raw) < fixedBytes+macBytes {
		return Grant{}, ErrInvalid
	}
	signed, mac := raw[:len(raw)-macBytes], raw[len(raw)-macBytes:]
	if !hmac.Equal(mac, grantMAC(key, media, signed)) {
		return Grant{}, ErrInvalid
	}
	if signed[0] != grantVersion || int(signed[fixedBytes-1]) != len(signed)-fixedBytes {
		return Grant{}, ErrInvalid
	}
	g := Grant{Media: media, By: By(signed[1]), Ref: string(signed[fixedBytes:]),
		Expires: time.Unix(int64(binary.BigEndian.Uint64(signed[2:10])), 0)}
	if !now.Before(g.Expires) {
		return Grant{}, ErrExpired
	}
	return g, nil
}

func grantMAC(key []byte, media string, signed []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(media))
	h.Write([]byte{0}) // ids never hold one
	h.Write(signed)
	return h.Sum(nil)[:macBytes]
}

// isToken tells whether text is of the alphabet of tokens alone. Decoders of
// base64 pass over line breaks, which would give one token several texts.
func isToken(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return text != ""
}
