package auth

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
)

// MinSecretBytes is the least a deployment's secret may hold.
const MinSecretBytes = 32

// Keys are the keys derived from a deployment's one secret, a different one for
// each purpose, so that leaking one says nothing of the others. All processes of
// a deployment share the secret and so the keys.
type Keys struct {
	// ViewToken signs and checks the tokens that beacons carry.
	ViewToken []byte
	// Grant signs and checks the path tokens of protected media.
	Grant []byte
	// Sealing closes the secrets that are stored.
	Sealing []byte

	visitor []byte
}

// NewKeys derives the keys from secret, of at least MinSecretBytes.
func NewKeys(secret []byte) (Keys, error) {
	if len(secret) < MinSecretBytes {
		return Keys{}, fmt.Errorf("secret: must be at least %d bytes, has %d", MinSecretBytes, len(secret))
	}
	var errs []error
	derive := func(purpose string) []byte {
		key, err := hkdf.Key(sha256.New, secret, nil, "vitascope "+purpose+" v1", 32)
		errs = append(errs, err)
		return key
	}
	k := Keys{ViewToken: derive("view token"), Grant: derive("playback grant"), Sealing: derive("sealing"), visitor: derive("visitor salt")}
	return k, errors.Join(errs...)
}

// VisitorSalt returns the salt under which visitors of a day, "2006-01-02" in
// UTC, are hashed. Days cannot be linked to each other without the secret.
func (k Keys) VisitorSalt(day string) []byte {
	salt, err := hkdf.Key(sha256.New, k.visitor, nil, day, 32)
	if err != nil {
		panic(fmt.Sprintf("derive visitor salt: %v", err)) // only for lengths that 32 is not
	}
	return salt
}
