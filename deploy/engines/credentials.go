package engines

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// minSecretBytes is the least entropy that engine passwords are derived from.
const minSecretBytes = 32

// credentials open the engines. They derive from one secret, so they are the
// same after a restart and never stored.
type credentials struct {
	s3Access, s3Secret, clickHousePassword string
}

func deriveCredentials(secret []byte) (credentials, error) {
	if len(secret) < minSecretBytes {
		return credentials{}, fmt.Errorf("secret has %d bytes, at least %d are needed", len(secret), minSecretBytes)
	}
	derive := func(purpose string, n int) (string, error) {
		b, err := hkdf.Key(sha256.New, secret, nil, "vitascope engines v1 "+purpose, n)
		return hex.EncodeToString(b), err
	}
	access, err1 := derive("s3 access key", 10)
	s3Secret, err2 := derive("s3 secret key", 24)
	password, err3 := derive("clickhouse password", 24)
	return credentials{s3Access: access, s3Secret: s3Secret, clickHousePassword: password},
		errors.Join(err1, err2, err3)
}
