package player

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"time"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/jit"
)

// PointerAge is how old a media's pointer, settings and keys may be when it is
// answered with.
const PointerAge = time.Second

// ErrUnknownMedia is what States returns for an id that no media has.
var ErrUnknownMedia = errors.New("unknown media")

// Config of the player role.
type Config struct {
	// Indexes is shared with the transcoder of the same process, if there is one.
	Indexes *jit.Recent
	// PublicURL is where viewers reach this server, as "https://video.example.com".
	// Default empty: as the request says.
	PublicURL string
	// CacheBytes bounds the memory that holds hot objects, in bytes, 1 MiB to
	// 64 GiB. Default 128 MiB.
	CacheBytes int64
	// CacheObjectBytes is the largest segment kept in memory; larger ones are kept
	// on disk alone. 0 to CacheBytes, default 4 MiB.
	CacheObjectBytes int64
	// DiskCache keeps what was read from the object store in CacheDir, within
	// DiskCacheBytes, 16 MiB or more. Default off in a Config, on in a process,
	// with 2 GiB.
	DiskCache      bool
	DiskCacheBytes int64
	CacheDir       string
	// Now is the clock that tokens are held against. Default time.Now.
	Now func() time.Time
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{CacheBytes: 128 << 20, CacheObjectBytes: 4 << 20, DiskCacheBytes: 2 << 30}
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
	if c.DiskCache && (c.DiskCacheBytes < 16<<20 || c.CacheDir == "") {
		errs = append(errs, errors.New("player-disk-cache-bytes: must be at least 16 MiB, in a folder"))
	}
	return errors.Join(errs...)
}

// Store is the part of the object store the origin reads. Its methods return
// blob.ErrNotFound for a key without an object. *blob.Store is one.
type Store interface {
	Get(ctx context.Context, key string) (io.ReadCloser, blob.Info, error)
	GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error)
	List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error]
	Stat(ctx context.Context, key string) (blob.Info, error)
	ReadPointer(ctx context.Context, media string) (blob.Pointer, error)
	ReadSettings(ctx context.Context, media string) (blob.Settings, error)
	ReadPlaybackKeys(ctx context.Context, account string) (blob.PlaybackKeys, error)
}

// Keys are those of the deployment that the role needs.
type Keys struct {
	ViewToken []byte // signs view tokens, 16 bytes or more
	Grant     []byte // signs path tokens, 16 bytes or more
	Sealing   []byte // opens stored secrets, 32 bytes
}

// State is what may be told about a media that nothing has been published of.
type State struct {
	Account string
	Name    string
	State   string // uploading, probing, playable, ready or failed
}

// States knows media before their first publication.
type States interface {
	// MediaState returns ErrUnknownMedia for an unknown id.
	MediaState(ctx context.Context, id string) (State, error)
}
