package sharing

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/vitascope/vitascope/ingest"
	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/fault"
	"github.com/vitascope/vitascope/internal/playback"
)

// maxKeys bounds the signing keys of an account, ended ones included.
const maxKeys = 50

// Key is a signing key as the API shows it: never its secret.
type Key struct {
	ID        string     `json:"id" doc:"The kid of tokens that it signs."`
	Name      string     `json:"name" example:"Shop"`
	Algorithm string     `json:"algorithm" enum:"EdDSA,HS256"`
	EndsAt    *time.Time `json:"ends_at" doc:"When what it signed ends; null: never."`
	CreatedAt time.Time  `json:"created_at"`
}

// JWK is the half of a key that signs (RFC 7517, RFC 8037), as libraries for JWTs
// read it.
type JWK struct {
	Kty string `json:"kty" enum:"OKP,oct"`
	Kid string `json:"kid"`
	Alg string `json:"alg" enum:"EdDSA,HS256"`
	Crv string `json:"crv,omitempty" doc:"Ed25519, of OKP."`
	X   string `json:"x,omitempty" doc:"The public half, of OKP."`
	D   string `json:"d,omitempty" doc:"The secret, of OKP."`
	K   string `json:"k,omitempty" doc:"The secret, of oct."`
}

func keyView(k catalog.PlaybackKey) Key {
	v := Key{ID: k.ID, Name: k.Name, Algorithm: k.Alg, CreatedAt: k.CreatedAt.UTC()}
	if k.EndsMS != 0 {
		end := time.UnixMilli(k.EndsMS).UTC()
		v.EndsAt = &end
	}
	return v
}

type keysOutput struct {
	Body struct {
		Items []Key `json:"items" nullable:"false" doc:"Newest first."`
	}
}

// listKeys answers with the account's signing keys.
func (s *Service) listKeys(ctx context.Context, _ *struct{}) (*keysOutput, error) {
	rows, err := s.db.PlaybackKeys(ctx, s.db, auth.AccountID(ctx))
	if err != nil {
		return nil, err
	}
	out := &keysOutput{}
	out.Body.Items = make([]Key, 0, len(rows))
	for _, k := range rows {
		out.Body.Items = append(out.Body.Items, keyView(k))
	}
	return out, nil
}

// NewKey is a key that has just been made, with its secret.
type NewKey struct {
	Key
	Secret string `json:"secret" doc:"base64url of the Ed25519 seed, or of the HS256 secret. It is shown this once and not stored."`
	JWK    JWK    `json:"jwk" doc:"The same as a JSON Web Key."`
}

type newKeyOutput struct{ Body NewKey }

type createKeyInput struct {
	Body struct {
		Name      string `json:"name" minLength:"1" maxLength:"100" doc:"Which server signs with it."`
		Algorithm string `json:"algorithm,omitempty" enum:"EdDSA,HS256" default:"EdDSA" doc:"Of EdDSA keys the server keeps no secret."`
	}
}

// createKey makes a signing key. It counts at every origin within a second or two.
func (s *Service) createKey(ctx context.Context, in *createKeyInput) (*newKeyOutput, error) {
	var out *newKeyOutput
	err := s.changeKeys(ctx, func(ctx context.Context, tx catalog.Tx, account string) (err error) {
		out, err = s.addKey(ctx, tx, account, ingest.CleanName(in.Body.Name), in.Body.Algorithm)
		return err
	})
	return out, err
}

// addKey makes a key and stores what of it checks signatures.
func (s *Service) addKey(ctx context.Context, tx catalog.Tx, account, name, alg string) (*newKeyOutput, error) {
	rows, err := s.db.PlaybackKeys(ctx, tx, account)
	if err != nil {
		return nil, err
	}
	if len(rows) >= maxKeys {
		return nil, fault.New(fault.TooLarge, "too-many-playback-keys", "An account can have %d keys at most. Revoke some that are not needed.", maxKeys)
	}
	key, secret, err := playback.NewKey(catalog.NewID(), alg, s.cfg.SealingKey)
	if err != nil {
		return nil, err
	}
	row := catalog.PlaybackKey{ID: key.ID, AccountID: account, Name: name, Alg: alg, Public: key.Public, Sealed: key.Sealed}
	if err := s.db.CreatePlaybackKey(ctx, tx, &row); err != nil {
		return nil, err
	}
	out := &newKeyOutput{Body: NewKey{Key: keyView(row), Secret: secret, JWK: JWK{Kty: "oct", Kid: key.ID, Alg: alg, K: secret}}}
	if alg == playback.EdDSA {
		out.Body.JWK = JWK{Kty: "OKP", Kid: key.ID, Alg: alg, Crv: "Ed25519", D: secret,
			X: base64.RawURLEncoding.EncodeToString(ed25519.PublicKey(key.Public))}
	}
	return out, nil
}

type keyInput struct {
	Key string `path:"key" maxLength:"64" doc:"The key's id."`
}

type rotateKeyInput struct {
	Key  string `path:"key" maxLength:"64" doc:"The key's id."`
	Body struct {
		KeepSeconds int `json:"keep_seconds" minimum:"0" maximum:"2592000" default:"86400" doc:"How long the old key goes on to count."`
	}
}

// rotateKey makes a key like an old one, which ends once servers have had time to
// take the new one up.
func (s *Service) rotateKey(ctx context.Context, in *rotateKeyInput) (*newKeyOutput, error) {
	var out *newKeyOutput
	err := s.changeKeys(ctx, func(ctx context.Context, tx catalog.Tx, account string) error {
		old, err := s.key(ctx, tx, account, in.Key)
		if err != nil {
			return err
		}
		end := time.Now().Add(time.Duration(in.Body.KeepSeconds) * time.Second)
		if !old.Counts(end) { // it ends sooner already
			return fault.New(fault.Conflict, "playback-key-ends", "This key has been rotated already.")
		}
		if out, err = s.addKey(ctx, tx, account, old.Name, old.Alg); err != nil {
			return err
		}
		return s.db.EndPlaybackKey(ctx, tx, account, old.ID, end)
	})
	return out, err
}

// deleteKey revokes a key: what it signed ends within a second or two.
func (s *Service) deleteKey(ctx context.Context, in *keyInput) (*struct{}, error) {
	return nil, s.changeKeys(ctx, func(ctx context.Context, tx catalog.Tx, account string) error {
		k, err := s.key(ctx, tx, account, in.Key)
		if err != nil {
			return err
		}
		return s.db.DeletePlaybackKey(ctx, tx, account, k.ID)
	})
}

func (s *Service) key(ctx context.Context, tx catalog.Tx, account, id string) (catalog.PlaybackKey, error) {
	if !catalog.IsID(id) {
		return catalog.PlaybackKey{}, fmt.Errorf("playback key: %w", catalog.ErrNotFound)
	}
	return s.db.PlaybackKey(ctx, tx, account, id)
}

// changeKeys changes the caller's keys while the account's row is locked, and publishes
// them.
func (s *Service) changeKeys(ctx context.Context, edit func(ctx context.Context, tx catalog.Tx, account string) error) error {
	args := publishArgs(auth.AccountID(ctx), "")
	err := s.db.InTx(ctx, func(ctx context.Context, tx catalog.Tx) error {
		if err := s.db.LockAccount(ctx, tx, args.AccountID); err != nil {
			return err
		}
		if err := edit(ctx, tx, args.AccountID); err != nil {
			return err
		}
		return s.jobs.InsertTx(ctx, tx, args, &river.InsertOpts{ScheduledAt: time.Now().Add(catchUpAfter)})
	})
	if err != nil {
		return err
	}
	return s.atOnce(ctx, args)
}
