package player

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/vitascope/vitascope/internal/blob"
)

// PointerAge is how old a media's pointer may be when it is answered with.
const PointerAge = time.Second

// ErrUnknownMedia is what States returns for an id that no media has.
var ErrUnknownMedia = errors.New("unknown media")

// Config of the player role.
type Config struct {
	// PublicURL is where viewers reach this server, as "https://video.example.com".
	// Default empty: as the request says.
	PublicURL string
	// CacheBytes bounds the memory that holds small objects, in bytes, 1 MiB to
	// 64 GiB. Default 64 MiB.
	CacheBytes int64
	// CacheObjectBytes is the largest object kept in memory; larger ones are
	// streamed. 0 to CacheBytes, default 4 MiB.
	CacheObjectBytes int64
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{CacheBytes: 64 << 20, CacheObjectBytes: 4 << 20}
}

// Validate reports every problem at once.
func (c Config) Validate() error {
	var errs []error
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.Path != "" || u.RawQuery != "" {
			errs = append(errs, fmt.Errorf("public-url: %q must be http(s)://host[:port] without a path", c.PublicURL))
		}
	}
	if c.CacheBytes < 1<<20 || c.CacheBytes > 64<<30 {
		errs = append(errs, errors.New("player-cache-bytes: must be from 1 MiB to 64 GiB"))
	}
	if c.CacheObjectBytes < 0 || c.CacheObjectBytes > c.CacheBytes {
		errs = append(errs, errors.New("player-cache-object-bytes: must be from 0 to player-cache-bytes"))
	}
	return errors.Join(errs...)
}

// Store is the part of the object store the origin reads. Its methods return
// blob.ErrNotFound for a key without an object. *blob.Store is one.
type Store interface {
	Get(ctx context.Context, key string) (io.ReadCloser, blob.Info, error)
	GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error)
	ReadPointer(ctx context.Context, media string) (blob.Pointer, error)
}

// State is what may be told about a media that nothing has been published of.
type State struct {
	Name  string
	State string // uploading, probing, playable, ready or failed
}

// States knows media before their first publication.
type States interface {
	// MediaState returns ErrUnknownMedia for an unknown id.
	MediaState(ctx context.Context, id string) (State, error)
}
