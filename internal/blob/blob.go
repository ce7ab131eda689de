// Package blob stores objects in one S3 bucket, through minio-go, whether the
// server behind the address is the embedded gateway, MinIO or any other S3.
//
// Object keys are a contract between releases and between features:
//
//	accounts/<account>/media/<media>/g<generation>/source                  the uploaded original
//	accounts/<account>/media/<media>/g<generation>/upload/                 while it arrives: upload.json, <from>-<to>
//	accounts/<account>/media/<media>/g<generation>/a<attempt>/<rendition>/ init.mp4, <n>.m4s
//	accounts/<account>/media/<media>/g<generation>/a<attempt>/             poster.jpg, storyboard.jpg, storyboard.vtt, preview.mp4
//	accounts/<account>/media/<media>/g<generation>/a<attempt>/source/      index.jit: see below
//	accounts/<account>/media/<media>/g<generation>/a<attempt>/p<publication>/ multivariant.m3u8
//	accounts/<account>/media/<media>/g<generation>/a<attempt>/p<publication>/<rendition>/ index.m3u8, iframes.m3u8
//	the same folder, for each change of its captions                       a<attempt>-p<publication>.m3u8: the multivariant playlist
//	accounts/<account>/media/<media>/captions/                             <id>.vtt, <id>.original
//	accounts/<account>/media/<media>/captions/<id>/d<milliseconds>/        index.m3u8, <n>.vtt: the same for HLS
//	accounts/<account>/media/<media>/posters/<id>/                         poster.jpg, upload
//	pointers/<media>.json                                                  see Pointer
//	settings/<media>.json                                                  see Settings
//	accounts/<account>/playback-keys.json                                  see PlaybackKeys
//
// An index.jit (package jit) says how to serve the generation's source as HLS. The
// playlists of such a publication name <track>/index.m3u8, init.mp4 and <n>.m4s
// beside the index; no objects lie there: the player's origin makes them on demand
// from the index and byte ranges of the source. Some sources are shown while they
// arrive: then the ranges are those of <from>-<to>, see package arriving.
//
// A rendition's segments may lie in the folders of several attempts: each made a
// chunk of it, and the media playlist names them all. The media playlists of renditions
// that are shown while they grow are named g<generation>/newest/playlists/<rendition>/
// index.m3u8, which is that of the newest publication (NewestPlaylist); no objects lie
// there.
// Until release 0.1 a multivariant.m3u8 lay in g<generation>/p<publication>/ and a
// rendition's index.m3u8 beside its segments: these are still served.
//
// Keys are made by the server alone and never hold text from users. Everything
// but pointers, settings and keys is written once and never changed. A key is never another
// key's folder, so that posix-backed servers can hold them all.
//
// A Store is safe for concurrent use.
package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// ErrNotFound is returned for a key that holds no object.
var ErrNotFound = errors.New("object not found")

// ErrNoBucket is returned by Ping before EnsureBucket has made the bucket.
var ErrNoBucket = errors.New("bucket does not exist")

// Config says which S3 server holds the objects.
type Config struct {
	Endpoint  string // host:port, without a scheme
	Region    string // default us-east-1
	Bucket    string // default vitascope; created when missing
	AccessKey string
	SecretKey string
	Secure    bool // TLS to the server
}

// Validate reports every problem at once.
func (c Config) Validate() error {
	var errs []error
	if c.Endpoint == "" {
		errs = append(errs, errors.New("s3-endpoint: must be host:port"))
	}
	if c.Bucket == "" {
		errs = append(errs, errors.New("s3-bucket: must not be empty"))
	}
	if c.AccessKey == "" || c.SecretKey == "" {
		errs = append(errs, errors.New("s3-access-key, s3-secret-key: must not be empty"))
	}
	return errors.Join(errs...)
}

// Info describes an object.
type Info struct {
	Key          string
	Size         int64 // bytes
	ETag         string
	ContentType  string
	LastModified time.Time
}

// Store is a bucket.
type Store struct {
	client *minio.Client
	bucket string
	region string
	log    *slog.Logger
}

// Open returns a Store without talking to the server; see EnsureBucket.
func Open(cfg Config, log *slog.Logger) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	transport, err := minio.DefaultTransport(cfg.Secure)
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	transport.MaxIdleConnsPerHost = 64
	client, err := minio.New(cfg.Endpoint, &minio.Options{
		Creds:     credentials.NewStaticV4(cfg.AccessKey, cfg.SecretKey, ""),
		Secure:    cfg.Secure,
		Region:    cfg.Region,
		Transport: transport,
	})
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	return &Store{client: client, bucket: cfg.Bucket, region: cfg.Region, log: log}, nil
}

// EnsureBucket creates the bucket when it is missing. It may run on several
// processes at once.
func (s *Store) EnsureBucket(ctx context.Context) error {
	ok, err := s.client.BucketExists(ctx, s.bucket)
	if err != nil {
		return fmt.Errorf("look for bucket %s: %w", s.bucket, err)
	}
	if ok {
		return nil
	}
	err = s.client.MakeBucket(ctx, s.bucket, minio.MakeBucketOptions{Region: s.region})
	switch minio.ToErrorResponse(err).Code {
	case "BucketAlreadyOwnedByYou", "BucketAlreadyExists":
		return nil
	}
	if err != nil {
		return fmt.Errorf("create bucket %s: %w", s.bucket, err)
	}
	s.log.InfoContext(ctx, "bucket created", "bucket", s.bucket)
	return nil
}

// Put stores size bytes of r under key, or all of r when size is -1.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, size int64, contentType string) error {
	opts := minio.PutObjectOptions{ContentType: contentType}
	if size < 0 {
		opts.PartSize = 16 << 20 // bounds the buffer of a stream of unknown size
	}
	if _, err := s.client.PutObject(ctx, s.bucket, key, r, size, opts); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	return nil
}

// PutBytes stores b under key.
func (s *Store) PutBytes(ctx context.Context, key string, b []byte, contentType string) error {
	return s.Put(ctx, key, bytes.NewReader(b), int64(len(b)), contentType)
}

// Get returns the object's content, which the caller closes, or ErrNotFound.
func (s *Store) Get(ctx context.Context, key string) (io.ReadCloser, Info, error) {
	core := minio.Core{Client: s.client}
	r, info, _, err := core.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, Info{}, translate("get", key, err)
	}
	return r, toInfo(key, info), nil
}

// GetRange returns n bytes from offset off, fewer at the end of the object; the
// caller closes. It returns ErrNotFound when there is no object.
func (s *Store) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if off < 0 || n <= 0 {
		return nil, fmt.Errorf("get %s: range %d+%d is empty", key, off, n)
	}
	var opts minio.GetObjectOptions
	if err := opts.SetRange(off, off+n-1); err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	core := minio.Core{Client: s.client}
	r, _, _, err := core.GetObject(ctx, s.bucket, key, opts)
	if err != nil {
		return nil, translate("get", key, err)
	}
	return r, nil
}

// Stat describes the object, or returns ErrNotFound.
func (s *Store) Stat(ctx context.Context, key string) (Info, error) {
	info, err := s.client.StatObject(ctx, s.bucket, key, minio.StatObjectOptions{})
	if err != nil {
		return Info{}, translate("stat", key, err)
	}
	return toInfo(key, info), nil
}

// Remove deletes the object. A key that holds none is not an error.
func (s *Store) Remove(ctx context.Context, key string) error {
	err := s.client.RemoveObject(ctx, s.bucket, key, minio.RemoveObjectOptions{})
	if err := translate("remove", key, err); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}

// RemovePrefix deletes every object whose key begins with prefix, which must end
// in a slash.
func (s *Store) RemovePrefix(ctx context.Context, prefix string) error {
	if prefix == "" || prefix[len(prefix)-1] != '/' {
		return fmt.Errorf("remove prefix %q: it must end in a slash", prefix)
	}
	for info, err := range s.List(ctx, prefix) {
		if err != nil {
			return err
		}
		if err := s.Remove(ctx, info.Key); err != nil {
			return err
		}
	}
	return nil
}

// List yields every object whose key begins with prefix, in key order.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		ctx, cancel := context.WithCancel(ctx) // stops the lister when the caller breaks off
		defer cancel()
		for o := range s.client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
			if o.Err != nil {
				yield(Info{}, fmt.Errorf("list %s: %w", prefix, o.Err))
				return
			}
			if !yield(toInfo(o.Key, o), nil) {
				return
			}
		}
	}
}

// Ping reports whether the bucket can be reached: ErrNoBucket when the store
// answers and has none of that name.
func (s *Store) Ping(ctx context.Context) error {
	ok, err := s.client.BucketExists(ctx, s.bucket)
	if err == nil && !ok {
		err = fmt.Errorf("%w: %s", ErrNoBucket, s.bucket)
	}
	return err
}

func toInfo(key string, o minio.ObjectInfo) Info {
	return Info{Key: key, Size: o.Size, ETag: o.ETag, ContentType: o.ContentType, LastModified: o.LastModified}
}

func translate(op, key string, err error) error {
	if err == nil {
		return nil
	}
	if res := minio.ToErrorResponse(err); res.Code == "NoSuchKey" || res.StatusCode == http.StatusNotFound && res.Code != "NoSuchBucket" {
		return fmt.Errorf("%s %s: %w", op, key, ErrNotFound)
	}
	return fmt.Errorf("%s %s: %w", op, key, err)
}
