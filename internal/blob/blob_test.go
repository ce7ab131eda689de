package blob_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/deploy/engines"
	"github.com/vitascope/vitascope/internal/blob"
)

// server is the S3 server of the suite: the embedded one, or the real one that
// TEST_S3_ENDPOINT names (make test-cluster does): one behaviour, two servers.
var server = blob.Config{
	Endpoint: os.Getenv("TEST_S3_ENDPOINT"), Region: "us-east-1",
	AccessKey: os.Getenv("TEST_S3_ACCESS_KEY"), SecretKey: os.Getenv("TEST_S3_SECRET_KEY"),
}

func TestMain(m *testing.M) {
	engines.MaybeRunChild()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	if server.Endpoint != "" {
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "blob-test-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	cfg := engines.DefaultConfig(dir)
	cfg.Kafka, cfg.ClickHouse = false, false
	e, err := engines.New(cfg, bytes.Repeat([]byte("s"), 32), slog.New(slog.DiscardHandler))
	if err != nil {
		return 1, err
	}
	at, err := e.Start(context.Background())
	if err != nil {
		return 1, err
	}
	server.Endpoint, server.AccessKey, server.SecretKey = at.S3Addr, at.S3AccessKey, at.S3SecretKey
	code := m.Run()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return code, e.Stop(ctx)
}

// openStore leads to a bucket of the test's own.
func openStore(t *testing.T, bucket string) *blob.Store {
	t.Helper()
	cfg := server
	cfg.Bucket = bucket
	s, err := blob.Open(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return s
}

func readAll(t *testing.T, r io.ReadCloser) string {
	t.Helper()
	defer r.Close()
	raw, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(raw)
}

func TestProcessesMakeTheBucketTogether(t *testing.T) {
	t.Parallel()
	s := openStore(t, "made-together")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := s.EnsureBucket(t.Context()); err != nil {
				t.Errorf("ensure bucket: %v", err)
			}
		})
	}
	wg.Wait()
	require.NoError(t, s.Ping(t.Context()))
}

func TestObjectsComeBackAsTheyWent(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), openStore(t, "objects")
	require.NoError(t, s.EnsureBucket(ctx))
	key := blob.OutputPrefix("acct", "media", 1, "1") + "v360/0.m4s"
	_, err := s.Stat(ctx, key)
	require.ErrorIs(t, err, blob.ErrNotFound)
	_, _, err = s.Get(ctx, key)
	require.ErrorIs(t, err, blob.ErrNotFound)
	_, err = s.GetRange(ctx, key, 0, 1)
	require.ErrorIs(t, err, blob.ErrNotFound)
	require.NoError(t, s.Remove(ctx, key), "removing nothing is fine")

	require.NoError(t, s.PutBytes(ctx, key, []byte("0123456789"), "video/mp4"))
	r, info, err := s.Get(ctx, key)
	require.NoError(t, err)
	require.Equal(t, "0123456789", readAll(t, r))
	require.Equal(t, "video/mp4", info.ContentType)
	require.EqualValues(t, 10, info.Size)
	r, err = s.GetRange(ctx, key, 7, 100)
	require.NoError(t, err)
	require.Equal(t, "789", readAll(t, r))

	unknown := key + ".stream"
	require.NoError(t, s.Put(ctx, unknown, strings.NewReader(strings.Repeat("y", 17<<20)), -1, "application/octet-stream"))
	info, err = s.Stat(ctx, unknown)
	require.NoError(t, err)
	require.EqualValues(t, 17<<20, info.Size)

	pointer := blob.Pointer{Version: 1, Account: "acct", Media: "media", Generation: 1, Publication: 2, State: "ready"}
	require.NoError(t, s.WritePointer(ctx, pointer))
	got, err := s.ReadPointer(ctx, "media")
	require.NoError(t, err)
	require.Equal(t, pointer, got)

	var keys []string
	for o, err := range s.List(ctx, blob.MediaPrefix("acct", "media")) {
		require.NoError(t, err)
		keys = append(keys, o.Key)
	}
	require.Equal(t, []string{key, unknown}, keys)
	require.NoError(t, s.RemovePrefix(ctx, blob.MediaPrefix("acct", "media")))
	_, err = s.Stat(ctx, key)
	require.ErrorIs(t, err, blob.ErrNotFound)
}

func TestObjectsArePutTogetherFromParts(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), openStore(t, "parts")
	require.NoError(t, s.EnsureBucket(ctx))
	prefix := blob.MediaPrefix("acct", "parts")
	key := prefix + "source"
	id, err := s.StartParts(ctx, key, "video/mp4")
	require.NoError(t, err)
	first := bytes.Repeat([]byte("a"), 5<<20)
	require.NoError(t, s.PutPart(ctx, key, id, 1, bytes.NewReader(first), int64(len(first))))
	require.NoError(t, s.PutPart(ctx, key, id, 2, strings.NewReader("old"), 3))
	require.NoError(t, s.PutPart(ctx, key, id, 2, strings.NewReader("end"), 3), "a part may be sent again")
	parts, err := s.Parts(ctx, key, id)
	require.NoError(t, err)
	require.Len(t, parts, 2)
	require.NoError(t, s.CompleteParts(ctx, key, id, parts))
	if err := s.CompleteParts(ctx, key, id, parts); err != nil { // servers differ in whether twice is fine
		require.ErrorIs(t, err, blob.ErrNotFound)
	}
	info, err := s.Stat(ctx, key)
	require.NoError(t, err)
	require.EqualValues(t, len(first)+3, info.Size)
	r, err := s.GetRange(ctx, key, int64(len(first))-1, 10)
	require.NoError(t, err)
	require.Equal(t, "aend", readAll(t, r))

	id, err = s.StartParts(ctx, key, "video/mp4")
	require.NoError(t, err)
	require.NoError(t, s.AbortParts(ctx, key))
	_, err = s.Parts(ctx, key, id)
	require.ErrorIs(t, err, blob.ErrNotFound)
	require.NoError(t, s.AbortParts(ctx, key))
}
