package engines_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/deploy/engines"
)

const bucket = "vitascope"

// s3Client connects as the product does.
func s3Client(t *testing.T, e engines.Endpoints, secret string) *minio.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := minio.New(e.S3Addr, &minio.Options{
		Creds: credentials.NewStaticV4(e.S3AccessKey, secret, ""), Region: e.S3Region,
		BucketLookup: minio.BucketLookupPath, Transport: transport,
	})
	require.NoError(t, err)
	return c
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	return b
}

func put(t *testing.T, c *minio.Client, key string, data []byte, opts minio.PutObjectOptions) (minio.UploadInfo, error) {
	t.Helper()
	return c.PutObject(t.Context(), bucket, key, bytes.NewReader(data), int64(len(data)), opts)
}

func get(t *testing.T, c *minio.Client, key string, opts minio.GetObjectOptions) []byte {
	t.Helper()
	o, err := c.GetObject(t.Context(), bucket, key, opts)
	require.NoError(t, err)
	defer o.Close()
	b, err := io.ReadAll(o)
	require.NoError(t, err)
	return b
}

// TestS3 runs the gateway in a process of its own: it moves that process to
// another folder, and there can be only one.
func TestS3(t *testing.T) {
	t.Parallel()
	for name, sidecar := range map[string]bool{"metadata in attributes": false, "metadata in files": true} {
		t.Run(name, func(t *testing.T) { t.Parallel(); checkS3(t, sidecar) })
	}
}

func checkS3(t *testing.T, sidecar bool) {
	t.Helper()
	cfg := testConfig(t, t.TempDir())
	cfg.S3, cfg.S3Sidecar = true, sidecar
	h := startHelper(t, cfg)
	c := s3Client(t, h.endpoints, h.endpoints.S3SecretKey)
	require.NoError(t, c.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{}))

	t.Run("objects", func(t *testing.T) {
		t.Run("keep content, type and metadata", func(t *testing.T) { t.Parallel(); checkObject(t, c) })
		t.Run("upload in parts, in order or of unknown size", func(t *testing.T) { t.Parallel(); checkMultipart(t, c) })
		t.Run("are listed by prefix", func(t *testing.T) { t.Parallel(); checkList(t, c) })
		t.Run("are copied", func(t *testing.T) { t.Parallel(); checkCopy(t, c) })
		t.Run("are written on conditions", func(t *testing.T) { t.Parallel(); checkConditions(t, c) })
		t.Run("need the right key", func(t *testing.T) {
			t.Parallel()
			_, err := s3Client(t, h.endpoints, "wrong-wrong").ListBuckets(t.Context())
			require.Equal(t, "SignatureDoesNotMatch", minio.ToErrorResponse(err).Code)
		})
	})

	t.Run("survive kill -9 with the same keys", func(t *testing.T) {
		data := randomBytes(300 << 10)
		cut := cutOff(t, c, cfg, sidecar)
		_, err := put(t, c, "kept", data, minio.PutObjectOptions{ContentType: "text/kept"})
		require.NoError(t, err)
		h.kill(t)
		cut.kill(t)
		cfg.S3Sidecar = false // where the metadata is does not change any more
		again := startHelper(t, cfg)
		require.Equal(t, h.endpoints.S3SecretKey, again.endpoints.S3SecretKey)
		c := s3Client(t, again.endpoints, again.endpoints.S3SecretKey)
		require.Equal(t, data, get(t, c, "kept", minio.GetObjectOptions{}))
		info, err := c.StatObject(t.Context(), bucket, "kept", minio.StatObjectOptions{})
		require.NoError(t, err)
		require.Equal(t, "text/kept", info.ContentType)
		cut.check(t, c)
		unused, err := net.Dial("tcp", again.endpoints.S3Addr)
		require.NoError(t, err)
		defer unused.Close()
		begin := time.Now()
		again.stop(t)
		require.Less(t, time.Since(begin), time.Minute, "an unused connection does not hold the stop up")
	})
	info, err := os.Stat(filepath.Join(cfg.DataDir, "s3", "objects", bucket, "kept"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func checkObject(t *testing.T, c *minio.Client) {
	t.Helper()
	data := randomBytes(3 << 20)
	_, err := put(t, c, "v/1/seg 1+ü.m4s", data, minio.PutObjectOptions{ContentType: "video/mp4", UserMetadata: map[string]string{"foo": "bar"}})
	require.NoError(t, err)
	require.Equal(t, data, get(t, c, "v/1/seg 1+ü.m4s", minio.GetObjectOptions{}))
	info, err := c.StatObject(t.Context(), bucket, "v/1/seg 1+ü.m4s", minio.StatObjectOptions{})
	require.NoError(t, err)
	require.Equal(t, []any{"video/mp4", int64(len(data)), "bar"}, []any{info.ContentType, info.Size, info.UserMetadata["Foo"]})
	var part minio.GetObjectOptions
	require.NoError(t, part.SetRange(100, 199))
	require.Equal(t, data[100:200], get(t, c, "v/1/seg 1+ü.m4s", part))
	require.NoError(t, c.RemoveObject(t.Context(), bucket, "v/1/seg 1+ü.m4s", minio.RemoveObjectOptions{}))
	_, err = c.StatObject(t.Context(), bucket, "v/1/seg 1+ü.m4s", minio.StatObjectOptions{})
	require.Equal(t, "NoSuchKey", minio.ToErrorResponse(err).Code)
}

func checkMultipart(t *testing.T, c *minio.Client) {
	t.Helper()
	data := randomBytes(12 << 20)
	_, err := c.PutObject(t.Context(), bucket, "stream", bytes.NewReader(data), -1, minio.PutObjectOptions{PartSize: 5 << 20})
	require.NoError(t, err)
	require.Equal(t, data, get(t, c, "stream", minio.GetObjectOptions{}))

	core := minio.Core{Client: c}
	id, err := core.NewMultipartUpload(t.Context(), bucket, "parts", minio.PutObjectOptions{ContentType: "video/mp4"})
	require.NoError(t, err)
	var parts []minio.CompletePart
	for i, piece := range [][]byte{data[:5<<20], data[5<<20:]} {
		p, err := core.PutObjectPart(t.Context(), bucket, "parts", id, i+1, bytes.NewReader(piece), int64(len(piece)), minio.PutObjectPartOptions{})
		require.NoError(t, err)
		parts = append(parts, minio.CompletePart{PartNumber: i + 1, ETag: p.ETag})
	}
	listed, err := core.ListObjectParts(t.Context(), bucket, "parts", id, 0, 10)
	require.NoError(t, err)
	require.Len(t, listed.ObjectParts, 2)
	_, err = core.CompleteMultipartUpload(t.Context(), bucket, "parts", id, parts, minio.PutObjectOptions{})
	require.NoError(t, err)
	require.Equal(t, data, get(t, c, "parts", minio.GetObjectOptions{}))

	id, err = core.NewMultipartUpload(t.Context(), bucket, "given-up", minio.PutObjectOptions{})
	require.NoError(t, err)
	require.NoError(t, core.AbortMultipartUpload(t.Context(), bucket, "given-up", id))
}

// cutUploads are two uploads of one key in the states in which a kill leaves them: of
// `late` the parts were being put together, of `done` they had been, and its folder was
// being removed.
type cutUploads struct {
	objects, meta string // where the parts of all uploads of the key are
	late, done    string
	parts         []minio.CompletePart
	data          []byte
	sidecar       bool
}

func cutOff(t *testing.T, c *minio.Client, cfg engines.Config, sidecar bool) *cutUploads {
	t.Helper()
	at := func(root string) string {
		return filepath.Join(cfg.DataDir, "s3", root, bucket, ".sgwtmp", "multipart", fmt.Sprintf("%x", sha256.Sum256([]byte("cut"))))
	}
	u := &cutUploads{objects: at("objects"), meta: at("meta"), data: randomBytes(7 << 20), sidecar: sidecar}
	core := minio.Core{Client: c}
	for _, id := range []*string{&u.done, &u.late} {
		var err error
		*id, err = core.NewMultipartUpload(t.Context(), bucket, "cut", minio.PutObjectOptions{ContentType: "video/mp4"})
		require.NoError(t, err)
		u.parts = nil
		for i, piece := range [][]byte{u.data[:5<<20], u.data[5<<20:]} {
			p, err := core.PutObjectPart(t.Context(), bucket, "cut", *id, i+1, bytes.NewReader(piece), int64(len(piece)), minio.PutObjectPartOptions{})
			require.NoError(t, err)
			u.parts = append(u.parts, minio.CompletePart{PartNumber: i + 1, ETag: p.ETag})
		}
	}
	_, err := core.CompleteMultipartUpload(t.Context(), bucket, "cut", u.done, u.parts, minio.PutObjectOptions{})
	require.NoError(t, err)
	return u
}

func (u *cutUploads) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, os.Rename(filepath.Join(u.objects, u.late), filepath.Join(u.objects, u.late+".0f-2.inprogress")))
	if u.sidecar {
		require.NoError(t, os.Rename(filepath.Join(u.meta, u.late), filepath.Join(u.meta, u.late+".0f-2.inprogress")))
		return // what had been put together cannot be told there
	}
	left := filepath.Join(u.objects, u.done+".0f-2.inprogress")
	require.NoError(t, os.Mkdir(left, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(left, "2"), u.data, 0o600))
}

func (u *cutUploads) check(t *testing.T, c *minio.Client) {
	t.Helper()
	core := minio.Core{Client: c}
	listed, err := core.ListObjectParts(t.Context(), bucket, "cut", u.late, 0, 10)
	require.NoError(t, err)
	require.Len(t, listed.ObjectParts, 2)
	_, err = core.ListObjectParts(t.Context(), bucket, "cut", u.done, 0, 10)
	require.Equal(t, "NoSuchUpload", minio.ToErrorResponse(err).Code)
	_, err = core.CompleteMultipartUpload(t.Context(), bucket, "cut", u.late, u.parts, minio.PutObjectOptions{})
	require.NoError(t, err)
	require.Equal(t, u.data, get(t, c, "cut", minio.GetObjectOptions{}))
	left, err := filepath.Glob(filepath.Join(filepath.Dir(u.objects), "*", "*.inprogress"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func checkList(t *testing.T, c *minio.Client) {
	t.Helper()
	for i := range 30 {
		_, err := put(t, c, fmt.Sprintf("list/%d/%02d", i%3, i), []byte("x"), minio.PutObjectOptions{})
		require.NoError(t, err)
	}
	count := func(opts minio.ListObjectsOptions) (n int) {
		for o := range c.ListObjects(t.Context(), bucket, opts) {
			require.NoError(t, o.Err)
			n++
		}
		return n
	}
	require.Equal(t, 30, count(minio.ListObjectsOptions{Prefix: "list/", Recursive: true, MaxKeys: 7}))
	require.Equal(t, 3, count(minio.ListObjectsOptions{Prefix: "list/"}))
}

func checkCopy(t *testing.T, c *minio.Client) {
	t.Helper()
	data := randomBytes(6 << 20)
	_, err := put(t, c, "original", data, minio.PutObjectOptions{ContentType: "video/mp4"})
	require.NoError(t, err)
	_, err = c.CopyObject(t.Context(), minio.CopyDestOptions{Bucket: bucket, Object: "copy"}, minio.CopySrcOptions{Bucket: bucket, Object: "original"})
	require.NoError(t, err)
	require.Equal(t, data, get(t, c, "copy", minio.GetObjectOptions{}))
	_, err = c.ComposeObject(t.Context(), minio.CopyDestOptions{Bucket: bucket, Object: "joined"},
		minio.CopySrcOptions{Bucket: bucket, Object: "original"}, minio.CopySrcOptions{Bucket: bucket, Object: "copy"})
	require.NoError(t, err)
	require.Equal(t, append(bytes.Clone(data), data...), get(t, c, "joined", minio.GetObjectOptions{}))
}

func checkConditions(t *testing.T, c *minio.Client) {
	t.Helper()
	var absent, other, current minio.PutObjectOptions
	absent.SetMatchETagExcept("*")
	info, err := put(t, c, "pointer", []byte("1"), absent)
	require.NoError(t, err)
	_, err = put(t, c, "pointer", []byte("2"), absent)
	require.Equal(t, "PreconditionFailed", minio.ToErrorResponse(err).Code)
	other.SetMatchETag(strings.Repeat("0", 32))
	_, err = put(t, c, "pointer", []byte("2"), other)
	require.Equal(t, "PreconditionFailed", minio.ToErrorResponse(err).Code)
	current.SetMatchETag(info.ETag)
	_, err = put(t, c, "pointer", []byte("3"), current)
	require.NoError(t, err)
	require.Equal(t, "3", string(get(t, c, "pointer", minio.GetObjectOptions{})))
}
