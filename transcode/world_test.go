package transcode_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/transcode"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

// world is a catalog, an object store and working queues of one test.
type world struct {
	db      *catalog.DB
	store   *blob.Store
	jobs    *jobs.Client
	account string
	codecs  []string // Config.ExtraCodecs
	temp    string
	dsn     string // of the catalog
	blobs   blob.Config
	stop    func()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := prepareWorld(t)
	w.start(t)
	return w
}

// prepareWorld makes a world whose queues do not run yet.
func prepareWorld(t *testing.T) *world {
	t.Helper()
	ctx, log := t.Context(), mediatest.Log(t)
	w := &world{temp: t.TempDir()}
	var err error
	w.blobs = blob.Config{
		Endpoint: endpoints.S3Addr, Region: endpoints.S3Region, Bucket: "t" + catalog.NewID(),
		AccessKey: endpoints.S3AccessKey, SecretKey: endpoints.S3SecretKey,
	}
	w.store, err = blob.Open(w.blobs, log)
	require.NoError(t, err)
	require.NoError(t, w.store.EnsureBucket(ctx))
	w.dsn = "sqlite://" + filepath.Join(t.TempDir(), "catalog.db")
	if dsn := os.Getenv("TEST_POSTGRES_DSN"); dsn != "" && strings.Contains(t.Name(), "Killed") {
		w.dsn = dsn
	}
	w.db, err = catalog.Open(ctx, w.dsn, log)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.db.Close()) })
	require.NoError(t, w.db.Migrate(ctx))
	require.NoError(t, jobs.Migrate(ctx, w.db, slog.New(slog.DiscardHandler)))
	account := catalog.Account{ID: catalog.NewID(), Name: "ann", CreatedAt: time.Now().UTC()}
	_, err = w.db.NewInsert().Model(&account).Exec(ctx)
	require.NoError(t, err)
	w.account = account.ID
	return w
}

// start runs a server's worth of queues until the test ends or stop is called.
func (w *world) start(t *testing.T) {
	t.Helper()
	w.startQueues(t, map[string]int{jobs.QueueProbe: 2, jobs.QueueFirst: 1, jobs.QueueSound: 1, jobs.QueueTranscode: 2})
}

// startQueues runs the given queues only.
func (w *world) startQueues(t *testing.T, queues map[string]int) {
	t.Helper()
	var err error
	w.jobs, err = jobs.New(w.db, jobs.Config{Queues: queues, StopGrace: time.Second}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	_, err = transcode.New(transcode.Config{MediaBinary: mediatest.Binary(t), TempDir: w.temp, InsecureMedia: mediatest.Insecure(t), ExtraCodecs: w.codecs}, w.db, w.store, w.jobs, mediatest.Log(t))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.jobs.Run(ctx) }()
	stopped := false
	w.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-ended)
		}
	}
	t.Cleanup(w.stop)
}

// upload stores a file as a media whose upload is complete, as ingest does.
func (w *world) upload(t *testing.T, file string) catalog.Media {
	t.Helper()
	ctx := t.Context()
	m := catalog.Media{
		ID: catalog.NewID(), AccountID: w.account, Name: "A clip", State: catalog.StateProbing, Generation: 1,
	}
	m.SourceKey = blob.SourceKey(m.AccountID, m.ID, 1)
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	require.NoError(t, w.store.Put(ctx, m.SourceKey, f, info.Size(), "application/octet-stream"))
	require.NoError(t, w.db.CreateMedia(ctx, w.db, &m))
	require.NoError(t, w.jobs.Insert(ctx, jobs.ProbeArgs{MediaID: m.ID, Generation: 1}, nil))
	return m
}

// await waits until the media is in a state.
func (w *world) await(t *testing.T, id string, state catalog.MediaState, within time.Duration) catalog.Media {
	t.Helper()
	var m catalog.Media
	require.Eventually(t, func() bool {
		var err error
		m, err = w.db.MediaByID(t.Context(), id)
		require.NoError(t, err)
		return m.State == state || m.State == catalog.StateFailed
	}, within, 50*time.Millisecond, "media never became %s", state)
	require.Equal(t, state, m.State, "%s: %s", m.FailureCode, m.FailureReason)
	return m
}

// hls copies the published objects of a media into a folder laid out as viewers
// see it, and returns that.
func (w *world) hls(t *testing.T, m catalog.Media) string {
	t.Helper()
	dir := t.TempDir()
	prefix := blob.MediaPrefix(m.AccountID, m.ID)
	for info, err := range w.store.List(t.Context(), prefix) {
		require.NoError(t, err)
		if info.Key != m.SourceKey {
			w.fetch(t, info.Key, filepath.Join(dir, strings.TrimPrefix(info.Key, prefix)))
		}
	}
	pointer, err := w.store.ReadPointer(t.Context(), m.ID)
	require.NoError(t, err)
	folder := filepath.Dir(filepath.Join(dir, pointer.Multivariant))
	require.NoError(t, os.CopyFS(filepath.Join(dir, "g1", "newest", "playlists"), os.DirFS(folder))) // as the player's origin resolves it
	file := filepath.Join(dir, "multivariant.m3u8")
	require.NoError(t, os.Rename(filepath.Join(dir, pointer.Multivariant), file))
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	if folder := regexp.MustCompile(`g1/a\d+/source/0/`).FindString(string(raw)); folder != "" {
		w.fetchSource(t, m, dir, folder)
	}
	return dir
}

// fetchSource gets the files of a source that is a rung from the player's origin,
// which makes them on demand.
func (w *world) fetchSource(t *testing.T, m catalog.Media, dir, folder string) {
	t.Helper()
	root := strings.TrimSuffix(w.viewers(t, m), "multivariant.m3u8")
	get := func(name string) []byte {
		res, err := http.Get(root + folder + name)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode, name)
		require.NoError(t, os.MkdirAll(filepath.Join(dir, folder), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, folder, name), body, 0o600))
		return body
	}
	get("init.mp4")
	for line := range strings.Lines(string(get("index.m3u8"))) {
		if !strings.HasPrefix(line, "#") {
			get(strings.TrimSpace(line))
		}
	}
}

func (w *world) fetch(t *testing.T, key, file string) {
	t.Helper()
	r, _, err := w.store.Get(t.Context(), key)
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	f, err := os.Create(file)
	require.NoError(t, err)
	defer f.Close()
	_, err = io.Copy(f, r)
	require.NoError(t, err)
}

// onlyTry gives a job one attempt.
var onlyTry = &river.InsertOpts{MaxAttempts: 1}
