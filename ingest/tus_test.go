package ingest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/ingest"
	"github.com/vitascope/vitascope/ingest/internal/ingesttest"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
)

func TestMain(m *testing.M) { os.Exit(ingesttest.Main(m)) }

// receiver is a running ingest server.
type receiver struct {
	*ingesttest.World
	service *ingest.Service
	url     string
}

func newReceiver(t *testing.T, w *ingesttest.World, edit func(*ingest.Config)) *receiver {
	t.Helper()
	cfg := ingest.DefaultConfig()
	cfg.TempDir = filepath.Join(w.Temp, "uploads")
	if edit != nil {
		edit(&cfg)
	}
	s, err := ingest.New(cfg, w.DB, w.Blobs, w.Jobs, w.Log)
	require.NoError(t, err)
	srv := w.Serve(t, func(e *echo.Echo, _ huma.API) { s.Register(e) })
	return &receiver{World: w, service: s, url: srv.URL}
}

// start is a receiver in a world of its own.
func start(t *testing.T, edit func(*ingest.Config)) *receiver {
	t.Helper()
	return newReceiver(t, ingesttest.New(t), edit)
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) offset(t *testing.T) int64 {
	t.Helper()
	n, err := strconv.ParseInt(r.header.Get("Upload-Offset"), 10, 64)
	require.NoError(t, err, "status %d: %s", r.status, r.body)
	return n
}

func (r reply) problem(t *testing.T) (kind string) {
	t.Helper()
	require.Equal(t, "application/problem+json", r.header.Get("Content-Type"))
	var p struct{ Type, Title, Detail string }
	require.NoError(t, json.Unmarshal(r.body, &p), "%s", r.body)
	require.NotEmpty(t, p.Title)
	require.NotEmpty(t, p.Detail)
	return p.Type
}

func (r *receiver) do(t *testing.T, token, method, path string, header map[string]string, body io.Reader) (reply, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, body)
	require.NoError(t, err)
	req.Header.Set("Tus-Resumable", "1.0.0")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	if a, ok := body.(announcing); ok {
		req.ContentLength = a.bytes
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return reply{status: res.StatusCode, header: res.Header, body: b}, err
}

// announcing is a body of which so many bytes are announced.
type announcing struct {
	io.ReadCloser
	bytes int64
}

func (r *receiver) must(t *testing.T, token, method, path string, header map[string]string, body io.Reader) reply {
	t.Helper()
	res, err := r.do(t, token, method, path, header, body)
	require.NoError(t, err)
	return res
}

func filename(name string) string {
	return "filename " + base64.StdEncoding.EncodeToString([]byte(name))
}

// create begins an upload of Ann's and returns its path, which ends in the
// media's id.
func (r *receiver) create(t *testing.T, size int64, name string) (path, id string) {
	t.Helper()
	res := r.must(t, r.Ann.Token, "POST", "/uploads/", map[string]string{
		"Upload-Length": strconv.FormatInt(size, 10), "Upload-Metadata": filename(name),
	}, nil)
	require.Equal(t, http.StatusCreated, res.status, "%s", res.body)
	id = res.header.Get(ingest.MediaIDHeader)
	require.Equal(t, "/uploads/"+id, res.header.Get("Location"))
	return "/uploads/" + id, id
}

func (r *receiver) patch(t *testing.T, path string, offset int64, chunk []byte) reply {
	t.Helper()
	return r.must(t, r.Ann.Token, "PATCH", path, patchHeader(offset), bytes.NewReader(chunk))
}

func patchHeader(offset int64) map[string]string {
	return map[string]string{"Upload-Offset": strconv.FormatInt(offset, 10), "Content-Type": "application/offset+octet-stream"}
}

// cut sends part of what a PATCH announces, waits until the server has read it or
// refused it as outrun, and drops the connection.
func (r *receiver) cut(t *testing.T, path string, offset int64, announced, sent []byte) {
	t.Helper()
	body, w := io.Pipe()
	header := patchHeader(offset)
	answered := make(chan reply, 1)
	go func() {
		res, _ := r.do(t, r.Ann.Token, "PATCH", path, header, announcing{body, int64(len(announced))})
		answered <- res
	}()
	_, err := w.Write(sent)
	w.CloseWithError(io.ErrUnexpectedEOF)
	if res := <-answered; err != nil {
		require.ErrorIs(t, err, io.ErrClosedPipe)
		require.True(t, outrun(res), "%d %s", res.status, res.body)
	}
}

// outrun tells whether a request was refused since one sent earlier was begun with
// later: before it, so that it stands elsewhere than it thinks, or in the midst of
// it, taking the upload over. A client asks for the offset again.
func outrun(res reply) bool {
	return res.status == http.StatusConflict || strings.Contains(string(res.body), "/problems/upload-interrupted")
}

func (r *receiver) head(t *testing.T, path string) reply {
	t.Helper()
	return r.must(t, r.Ann.Token, "HEAD", path, nil, nil)
}

func (r *receiver) media(t *testing.T, id string) catalog.Media {
	t.Helper()
	m, err := r.DB.MediaByID(t.Context(), id)
	require.NoError(t, err)
	return m
}

// arrived checks that the source is data and nothing else is left of the upload.
func (r *receiver) arrived(t *testing.T, id string, data []byte) {
	t.Helper()
	m := r.media(t, id)
	require.Equal(t, catalog.StateProbing, m.State)
	require.Equal(t, int64(len(data)), m.UploadedBytes)
	require.WithinDuration(t, time.Now(), m.UploadedAt, time.Minute)
	body, _, err := r.Blobs.Get(t.Context(), m.SourceKey)
	require.NoError(t, err)
	defer body.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, body)
	require.NoError(t, err)
	want := sha256.Sum256(data)
	require.Equal(t, hex.EncodeToString(want[:]), hex.EncodeToString(sum.Sum(nil)))
	require.Equal(t, []string{m.SourceKey}, r.keys(t, blob.MediaPrefix(m.AccountID, m.ID)))
}

func (r *receiver) keys(t *testing.T, prefix string) []string {
	t.Helper()
	keys := []string{}
	for info, err := range r.Blobs.List(t.Context(), prefix) {
		require.NoError(t, err)
		keys = append(keys, info.Key)
	}
	return keys
}

// noise is n bytes that do not repeat, the same for a seed.
func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func TestChunksOfAnySizeArriveWhole(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ size, chunk int }{
		{1, 1}, {130, 1}, {3 << 20, 64 << 10}, {23<<20 + 7, 4_999_999}, {40 << 20, 5 << 20}, {33 << 20, 16 << 20}, {32 << 20, 16 << 20}, {50<<20 + 1, 64 << 20},
	} {
		t.Run(fmt.Sprintf("%d bytes by %d", tc.size, tc.chunk), func(t *testing.T) {
			t.Parallel()
			r, data := start(t, nil), noise(1, tc.size)
			path, id := r.create(t, int64(len(data)), "clip.mp4")
			var acked int64
			for acked < int64(len(data)) {
				res := r.patch(t, path, acked, data[acked:min(acked+int64(tc.chunk), int64(len(data)))])
				require.Equal(t, http.StatusNoContent, res.status, "%s", res.body)
				acked = res.offset(t)
				require.Equal(t, acked, r.head(t, path).offset(t), "HEAD must agree with the acknowledged offset")
			}
			r.arrived(t, id, data)
			require.Equal(t, []string{"probe"}, r.JobKinds(t))
		})
	}
}

func TestCutInTheMiddleResumes(t *testing.T) {
	t.Parallel()
	r, data := start(t, nil), noise(2, 45<<20)
	path, id := r.create(t, int64(len(data)), "clip.mp4")
	var offset int64
	for _, sent := range []int64{1, 7 << 20, 20 << 20, 100} {
		r.cut(t, path, offset, data[offset:], data[offset:offset+sent])
		res := r.head(t, path) // takes the lock over from the cut request
		require.Equal(t, http.StatusOK, res.status)
		now := res.offset(t)
		require.GreaterOrEqual(t, now, offset)
		require.LessOrEqual(t, now, offset+sent)
		offset = now
	}
	require.Positive(t, offset)
	res := r.patch(t, path, offset, data[offset:])
	for tries := 0; outrun(res); tries++ {
		require.Less(t, tries, 2, "one request can come late, and it was cut")
		offset = r.head(t, path).offset(t)
		res = r.patch(t, path, offset, data[offset:])
	}
	require.Equal(t, http.StatusNoContent, res.status)
	r.arrived(t, id, data)
}

func TestAnotherProcessResumes(t *testing.T) {
	t.Parallel()
	w := ingesttest.New(t)
	data := noise(3, 30<<20)
	first := newReceiver(t, w, nil)
	path, id := first.create(t, int64(len(data)), "clip.mp4")
	acked := first.patch(t, path, 0, data[:21<<20]).offset(t)

	second := newReceiver(t, w, func(c *ingest.Config) { c.PartBytes = 5 << 20 }) // settings changed meanwhile
	require.Equal(t, acked, second.head(t, path).offset(t))
	require.Equal(t, http.StatusNoContent, second.patch(t, path, acked, data[acked:]).status)
	second.arrived(t, id, data)
}

func TestTwoProcessesTakeTurns(t *testing.T) {
	t.Parallel()
	w := ingesttest.New(t)
	shared := func(c *ingest.Config) { c.SharedLocks = true }
	a, b := newReceiver(t, w, shared), newReceiver(t, w, shared)
	data := noise(4, 6<<20)
	path, id := a.create(t, int64(len(data)), "clip.mp4")

	// A sends and then hangs with its connection open: B's request takes over.
	body, pipe := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "PATCH", a.url+path, body)
	require.NoError(t, err)
	for k, v := range patchHeader(0) {
		req.Header.Set(k, v)
	}
	req.Header.Set("Tus-Resumable", "1.0.0")
	req.Header.Set("Authorization", "Bearer "+w.Ann.Token)
	req.ContentLength = int64(len(data))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
		}
	}()
	_, err = pipe.Write(data[:1<<20])
	require.NoError(t, err)
	offset := b.head(t, path).offset(t)
	require.LessOrEqual(t, offset, int64(1<<20))
	require.Equal(t, http.StatusNoContent, b.patch(t, path, offset, data[offset:]).status)
	pipe.CloseWithError(io.ErrUnexpectedEOF)
	<-done
	b.arrived(t, id, data)
}

func TestWrongOffsetIsRefused(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	path, _ := r.create(t, 10, "clip.mp4")
	require.Equal(t, http.StatusNoContent, r.patch(t, path, 0, []byte("12345")).status)
	for _, offset := range []int64{0, 4, 6, 10} {
		res := r.patch(t, path, offset, []byte("x"))
		require.Equal(t, http.StatusConflict, res.status)
		require.Equal(t, "/problems/upload-offset", res.problem(t))
	}
	require.Equal(t, int64(5), r.head(t, path).offset(t))
	res := r.patch(t, path, 5, []byte("678901"))
	require.Equal(t, http.StatusRequestEntityTooLarge, res.status, "no byte outside Upload-Length")
	require.Equal(t, int64(5), r.head(t, path).offset(t))
}

func TestOnlyTheOwnerReachesAnUpload(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	path, id := r.create(t, 10, "clip.mp4")
	for _, method := range []string{"HEAD", "PATCH", "DELETE"} {
		for token, want := range map[string]int{"": http.StatusUnauthorized, "vs_WRONG": http.StatusUnauthorized, r.Eve.Token: http.StatusNotFound} {
			foreign := r.must(t, token, method, path, patchHeader(0), strings.NewReader("abc"))
			require.Equal(t, want, foreign.status, method)
			unknown := r.must(t, token, method, "/uploads/0000000000", patchHeader(0), strings.NewReader("abc"))
			require.Equal(t, want, unknown.status, method)
		}
	}
	require.Equal(t, http.StatusUnauthorized, r.must(t, "", "POST", "/uploads/", map[string]string{"Upload-Length": "1"}, nil).status)
	require.Equal(t, http.StatusMethodNotAllowed, r.must(t, r.Ann.Token, "GET", path, nil, nil).status)
	require.Equal(t, catalog.StateUploading, r.media(t, id).State)
	require.Equal(t, int64(0), r.head(t, path).offset(t))
}

func TestHostileIdsAreUnknown(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for _, id := range []string{"../../pointers/x", "%2e%2e%2fsecret", `..%5C..`, "a%00b", strings.Repeat("a", 4096), "upload.json", "a+b"} {
		require.Equal(t, http.StatusNotFound, r.must(t, r.Ann.Token, "HEAD", "/uploads/"+id, nil, nil).status, id)
	}
}

func TestHostileFileNamesAreTextOnly(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for raw, want := range map[string]string{
		"../../etc/passwd":        "../../etc/passwd",
		"a\x00b\r\nSet-Cookie: x": "ab Set-Cookie: x",
		"Menü 🎬.mp4":              "Menü 🎬.mp4",
		"cod\u202e4pm.exe":        "cod4pm.exe",
		"":                        "Untitled",
		strings.Repeat("é", 4096): strings.Repeat("é", 255),
		"\xff\xfe.mp4":            ".mp4",
	} {
		path, id := r.create(t, 4, raw)
		m := r.media(t, id)
		require.Equal(t, want, m.Name)
		require.Equal(t, blob.SourceKey(r.Ann.Account, id, 1), m.SourceKey)
		require.Equal(t, http.StatusNoContent, r.patch(t, path, 0, []byte("data")).status)
		r.arrived(t, id, []byte("data"))
	}
}

func TestLimitsAreToldBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *ingest.Config) { c.MaxBytes = 1000 })
	res := r.must(t, r.Ann.Token, "POST", "/uploads/", map[string]string{"Upload-Length": "1001"}, nil)
	require.Equal(t, http.StatusRequestEntityTooLarge, res.status)
	require.Equal(t, "/problems/upload-too-large", res.problem(t))
	res = r.must(t, r.Ann.Token, "POST", "/uploads/", map[string]string{"Upload-Defer-Length": "1"}, nil)
	require.Equal(t, http.StatusNotImplemented, res.status)
	n, err := r.DB.CountMedia(t.Context(), r.Ann.Account)
	require.NoError(t, err)
	require.Zero(t, n)

	res = r.must(t, "", "OPTIONS", "/uploads/", map[string]string{"Origin": "https://elsewhere.test"}, nil)
	require.Equal(t, http.StatusOK, res.status)
	require.Equal(t, "1000", res.header.Get("Tus-Max-Size"))
	require.Equal(t, "creation,creation-with-upload,termination", res.header.Get("Tus-Extension"))
}

func TestPagesOfOtherOriginsReadTheAnswersOfUploads(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	res := r.must(t, r.Ann.Token, "POST", "/uploads/", map[string]string{"Upload-Length": "3", "Origin": "https://elsewhere.test"}, nil)
	require.Equal(t, http.StatusCreated, res.status)
	exposed := strings.Split(res.header.Get("Access-Control-Expose-Headers"), ", ")
	for _, name := range []string{ingest.MediaIDHeader, "Location", "Upload-Offset", "Retry-After", "RateLimit", "RateLimit-Policy"} {
		require.Contains(t, exposed, name)
	}
	require.Empty(t, res.header.Get("Access-Control-Allow-Credentials"))
}

func TestAnEmptyFileFailsWithASentence(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	path, id := r.create(t, 0, "empty.mp4")
	m := r.media(t, id)
	require.Equal(t, catalog.StateFailed, m.State)
	require.Equal(t, ingest.FailureEmptyFile, m.FailureCode)
	require.Contains(t, m.FailureReason, "empty")
	require.False(t, m.FailureRetryable)
	require.Equal(t, int64(0), r.head(t, path).offset(t))
	require.Empty(t, r.JobKinds(t))
}

func TestCreationMayCarryTheFirstBytes(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	res := r.must(t, r.Ann.Token, "POST", "/uploads/", map[string]string{
		"Upload-Length": "5", "Content-Type": "application/offset+octet-stream",
	}, strings.NewReader("hello"))
	require.Equal(t, http.StatusCreated, res.status)
	r.arrived(t, res.header.Get(ingest.MediaIDHeader), []byte("hello"))
}

func TestFinishingTwiceEnqueuesOneJob(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	path, id := r.create(t, 5, "clip.mp4")
	require.Equal(t, http.StatusNoContent, r.patch(t, path, 0, []byte("hello")).status)
	for range 3 {
		res := r.patch(t, path, 5, nil)
		require.Equal(t, http.StatusNoContent, res.status)
		require.Equal(t, int64(5), res.offset(t))
		require.Equal(t, int64(5), r.head(t, path).offset(t))
	}
	r.arrived(t, id, []byte("hello"))
	require.Equal(t, []string{"probe"}, r.JobKinds(t))
}

func TestAnAbortedUploadLeavesNothing(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	path, id := r.create(t, 100, "clip.mp4")
	require.Equal(t, http.StatusNoContent, r.patch(t, path, 0, []byte("hello")).status)
	require.Equal(t, http.StatusNoContent, r.must(t, r.Ann.Token, "DELETE", path, nil, nil).status)
	_, err := r.DB.MediaByID(t.Context(), id)
	require.ErrorIs(t, err, catalog.ErrNotFound)
	require.Equal(t, []string{"sweep_media"}, r.JobKinds(t))
	require.Equal(t, http.StatusNotFound, r.head(t, path).status)

	path, id = r.create(t, 5, "clip.mp4")
	require.Equal(t, http.StatusNoContent, r.patch(t, path, 0, []byte("hello")).status)
	res := r.must(t, r.Ann.Token, "DELETE", path, nil, nil)
	require.Equal(t, http.StatusConflict, res.status)
	require.Equal(t, "/problems/upload-finished", res.problem(t))
	r.arrived(t, id, []byte("hello"))
}
