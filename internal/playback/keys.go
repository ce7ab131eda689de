package playback

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// The algorithms of signing keys.
const (
	EdDSA = "EdDSA" // we keep the public half alone
	HS256 = "HS256" // we keep the secret, sealed
)

// Key is a signing key of an account as it is stored: enough to check what it
// signed, and in the case of EdDSA not enough to sign.
type Key struct {
	ID     string `json:"kid"`
	Alg    string `json:"alg"`
	Public []byte `json:"public,omitempty"` // EdDSA
	Sealed []byte `json:"sealed,omitempty"` // HS256: the secret, see Seal
	// EndsMS is when it stops to count, Unix milliseconds; 0 for a key without an end.
	EndsMS int64 `json:"ends_ms,omitempty"`
}

// Counts tells whether what the key signed is accepted at a time.
func (k Key) Counts(now time.Time) bool { return k.EndsMS == 0 || now.UnixMilli() < k.EndsMS }

// secretBytes is the length of HS256 secrets (RFC 7518, 3.2: 32 at least).
const secretBytes = 32

// NewKey makes a key for alg. private is the half that signs, shown once: base64url
// of an Ed25519 seed or of an HS256 secret. sealing closes what is stored.
func NewKey(id, alg string, sealing []byte) (key Key, private string, err error) {
	key = Key{ID: id, Alg: alg}
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails, by its documentation
	switch alg {
	case EdDSA: // an Ed25519 seed is as long as a secret
		key.Public = ed25519.NewKeyFromSeed(secret).Public().(ed25519.PublicKey)
	case HS256:
		if key.Sealed, err = Seal(sealing, secret, id); err != nil {
			return Key{}, "", err
		}
	default:
		return Key{}, "", fmt.Errorf("signing keys are %s or %s, not %q", EdDSA, HS256, alg)
	}
	return key, base64.RawURLEncoding.EncodeToString(secret), nil
}

// SigningKey returns the private half as golang-jwt signs with it.
func SigningKey(alg, private string) (any, error) {
	secret, err := base64.RawURLEncoding.Strict().DecodeString(private)
	if err != nil || len(secret) != secretBytes {
		return nil, errors.New("a private key is base64url of 32 bytes")
	}
	if alg == EdDSA {
		return ed25519.NewKeyFromSeed(secret), nil
	}
	return secret, nil
}

// verifier is what golang-jwt checks a signature with.
func (k Key) verifier(sealing []byte) (any, error) {
	switch {
	case k.Alg == EdDSA && len(k.Public) == ed25519.PublicKeySize:
		return ed25519.PublicKey(k.Public), nil
	case k.Alg == HS256:
		return Unseal(sealing, k.Sealed, k.ID)
	}
	return nil, fmt.Errorf("key %s is damaged", k.ID)
}

// Seal encrypts secret under key (AES-256-GCM), bound to what it belongs to.
func Seal(key, secret []byte, owner string) ([]byte, error) {
	gcm, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	return gcm.Seal(nil, nil, secret, []byte(owner)), nil
}

// Unseal returns what Seal was given.
func Unseal(key, sealed []byte, owner string) ([]byte, error) {
	gcm, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	secret, err := gcm.Open(nil, nil, sealed, []byte(owner))
	if err != nil {
		return nil, errors.New("a sealed secret cannot be opened: the deployment's secret is another one, or it was damaged")
	}
	return secret, nil
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}
