package playback_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/playback"
)

const media = "somemedia1"

var (
	sealing  = bytes.Repeat([]byte("sealing!"), 4)
	grantKey = bytes.Repeat([]byte("granting"), 4)
)

// token is one that is valid, and what tells whether a text is taken for it.
type token struct {
	name, text string
	accepted   func(text string) bool
}

func tokens(t *testing.T, now time.Time) []token {
	t.Helper()
	var out []token
	var keys []playback.Key
	for _, alg := range []string{playback.EdDSA, playback.HS256} {
		key, private, err := playback.NewKey("key-"+alg, alg, sealing)
		require.NoError(t, err)
		keys = append(keys, key)
		signing, err := playback.SigningKey(alg, private)
		require.NoError(t, err)
		for _, audience := range []string{playback.AudiencePlayback, playback.AudienceViewer} {
			j := jwt.NewWithClaims(jwt.GetSigningMethod(alg), jwt.MapClaims{"sub": media, "aud": audience, "exp": now.Add(time.Hour).Unix()})
			j.Header["kid"] = key.ID
			text, err := j.SignedString(signing)
			require.NoError(t, err)
			out = append(out, token{alg + " for " + audience, text, func(text string) bool {
				if audience == playback.AudienceViewer {
					_, err := playback.VerifyViewer(keys, sealing, text, now)
					return err == nil
				}
				_, err := playback.VerifyPlayback(keys, sealing, media, text, now)
				return err == nil
			}})
		}
	}
	for _, by := range []playback.By{playback.ByKey, playback.ByPassword, playback.ByDomain, playback.ByLink, playback.ByOwner} {
		text := playback.Grant{Media: media, By: by, Ref: "a reference", Expires: now.Add(time.Hour)}.Sign(grantKey)
		out = append(out, token{"grant " + string(by), text, func(text string) bool {
			_, err := playback.VerifyGrant(grantKey, media, text, now)
			return err == nil
		}})
	}
	return out
}

// TestNoneOfAHundredThousandChangesIsAccepted changes single bits of the text and of
// the bytes it stands for, and whole fields.
func TestNoneOfAHundredThousandChangesIsAccepted(t *testing.T) {
	t.Parallel()
	const changes = 100_000
	valid := tokens(t, time.Unix(2_000_000_000, 0))
	for _, v := range valid {
		require.True(t, v.accepted(v.text), v.name)
	}
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	made := 0
	for made < changes {
		v := valid[random.IntN(len(valid))]
		changed := change(random, v.text)
		if changed == v.text {
			continue
		}
		made++
		if v.accepted(changed) {
			t.Errorf("%s: accepted %q, made from %q", v.name, changed, v.text)
		}
	}
	t.Logf("%d changes, none accepted", made)
}

func change(random *rand.Rand, text string) string {
	parts := strings.Split(text, ".")
	part := random.IntN(len(parts))
	raw, err := base64.RawURLEncoding.DecodeString(parts[part])
	if err != nil {
		panic(err) // it was made by encoding
	}
	switch random.IntN(3) {
	case 0: // a bit of the text
		b := []byte(text)
		b[random.IntN(len(b))] ^= 1 << random.IntN(8)
		return string(b)
	case 1: // a bit of what it stands for
		raw[random.IntN(len(raw))] ^= 1 << random.IntN(8)
		parts[part] = base64.RawURLEncoding.EncodeToString(raw)
	default: // a field of it
		parts[part] = base64.RawURLEncoding.EncodeToString(changeField(random, raw, part < len(parts)-1))
	}
	return strings.Join(parts, ".")
}

// changeField gives a field of a JWT's header or claims another value, or takes a run
// of bytes, as the fields of a grant are, for others.
func changeField(random *rand.Rand, raw []byte, isJSON bool) []byte {
	fields := map[string]any{}
	if !isJSON || json.Unmarshal(raw, &fields) != nil {
		for i, n := random.IntN(len(raw)), random.IntN(8); n >= 0 && i < len(raw); n, i = n-1, i+1 {
			raw[i] = byte(random.Uint32())
		}
		return raw
	}
	values := []any{"none", "HS256", "EdDSA", "RS256", "key-EdDSA", "key-HS256", "playback", "viewer", "othermedia", 9_999_999_999, nil, true,
		[]string{"playback", "viewer"}, fmt.Sprint(random.Uint64())}
	name := []string{"alg", "kid", "typ", "sub", "aud", "exp", "nbf", "iss", "jwk", "crit"}[random.IntN(10)]
	if fields[name] = values[random.IntN(len(values))]; random.IntN(4) == 0 {
		delete(fields, name)
	}
	out, err := json.Marshal(fields)
	if err != nil {
		panic(err) // only of what cannot be JSON
	}
	return out
}

func TestATokenEndsToTheSecond(t *testing.T) {
	t.Parallel()
	end := time.Unix(2_000_003_600, 0)
	at := func(now time.Time) error {
		_, err := playback.VerifyGrant(grantKey, media, playback.Grant{Media: media, By: playback.ByOwner, Expires: end}.Sign(grantKey), now)
		return err
	}
	require.NoError(t, at(end.Add(-time.Nanosecond)))
	require.ErrorIs(t, at(end), playback.ErrExpired)
}
