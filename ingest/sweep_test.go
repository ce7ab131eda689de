package ingest_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/ingest"
	"github.com/vitascope/vitascope/ingest/internal/ingesttest"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
)

// sweep runs the service until done holds.
func (r *receiver) sweep(t *testing.T, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.service.Run(ctx) }()
	require.Eventually(t, done, 3*time.Minute, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-ended)
}

// unfinish takes a finished media back to the moment before its end was recorded.
func (r *receiver) unfinish(t *testing.T, id string) {
	t.Helper()
	_, err := r.DB.ExecContext(t.Context(), "UPDATE media SET state = 'uploading', uploaded_at = NULL WHERE id = ?", id)
	require.NoError(t, err)
	_, err = r.DB.ExecContext(t.Context(), "DELETE FROM river_job")
	require.NoError(t, err)
}

// killedBeforeRecord is an upload whose object is complete in S3 and whose media
// still waits for bytes, as a kill between the two leaves it.
func (r *receiver) killedBeforeRecord(t *testing.T, data []byte) (path, id string) {
	t.Helper()
	path, id = r.create(t, int64(len(data)), "clip.mp4")
	m := r.media(t, id)
	doc, info, err := r.Blobs.Get(t.Context(), blob.UploadPrefix(m.AccountID, id, 1)+"upload.json")
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, r.patch(t, path, 0, data).status)
	require.NoError(t, r.Blobs.Put(t.Context(), blob.UploadPrefix(m.AccountID, id, 1)+"upload.json", doc, info.Size, "application/json"))
	require.NoError(t, doc.Close())
	r.unfinish(t, id)
	return path, id
}

func TestALostEndIsMadeUpFor(t *testing.T) {
	t.Parallel()
	data := noise(7, 100<<10)
	for name, heal := range map[string]func(t *testing.T, r *receiver, path, id string){
		"by HEAD": func(t *testing.T, r *receiver, path, _ string) {
			require.Equal(t, int64(len(data)), r.head(t, path).offset(t))
		},
		"by PATCH": func(t *testing.T, r *receiver, path, _ string) {
			require.Equal(t, http.StatusNoContent, r.patch(t, path, int64(len(data)), nil).status)
		},
		"by the sweep": func(t *testing.T, r *receiver, _, id string) {
			r.sweep(t, func() bool {
				return r.media(t, id).State == catalog.StateProbing && len(r.keys(t, blob.UploadPrefix(r.Ann.Account, id, 1))) == 0
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, nil)
			path, id := r.killedBeforeRecord(t, data)
			heal(t, r, path, id)
			r.arrived(t, id, data)
			require.Equal(t, []string{"probe"}, r.JobKinds(t))
		})
	}
}

func TestAnUploadFinishedMeanwhileIsTold(t *testing.T) {
	t.Parallel()
	w, data := ingesttest.New(t), noise(14, 100<<10)
	first := newReceiver(t, w, nil)
	path, id := first.killedBeforeRecord(t, data)
	asks, finished := make(chan struct{}), make(chan struct{})
	var once sync.Once
	second := newReceiver(t, w.Behind(t, func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/upload.json") {
			once.Do(func() { close(asks) })
			<-finished
		}
	}), nil)

	told := make(chan reply)
	go func() { told <- second.head(t, path) }()
	<-asks // it has read that the media is uploading
	require.Equal(t, int64(len(data)), first.head(t, path).offset(t))
	require.Empty(t, first.keys(t, blob.UploadPrefix(first.Ann.Account, id, 1)))
	close(finished)
	require.Equal(t, int64(len(data)), (<-told).offset(t))
	require.Equal(t, []string{"probe"}, first.JobKinds(t))
}

func TestAnUploadThatIsPutTogetherIsWaitedFor(t *testing.T) {
	t.Parallel()
	w, data := ingesttest.New(t), noise(15, 100<<10)
	r := newReceiver(t, w, nil)
	path, id := r.create(t, int64(len(data)), "clip.mp4")
	m := r.media(t, id)
	// Neither parts nor object: some S3 servers show an upload so while they join it.
	require.NoError(t, r.Blobs.AbortParts(t.Context(), m.SourceKey))
	asks := make(chan struct{})
	var once sync.Once
	behind := newReceiver(t, w.Behind(t, func(req *http.Request) {
		if strings.HasSuffix(req.URL.Path, m.SourceKey) && req.Method == http.MethodHead {
			once.Do(func() { close(asks) })
		}
	}), nil)
	told := make(chan reply)
	go func() { told <- behind.head(t, path) }()
	<-asks
	require.NoError(t, r.Blobs.PutBytes(t.Context(), m.SourceKey, data, "video/mp4"))
	require.Equal(t, int64(len(data)), (<-told).offset(t))
	r.arrived(t, id, data)
	require.Equal(t, []string{"probe"}, r.JobKinds(t))
}

func TestAbandonedUploadsAreRemoved(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	path, id := r.create(t, 20<<20, "clip.mp4")
	require.Equal(t, http.StatusNoContent, r.patch(t, path, 0, noise(8, 17<<20)).status)
	fresh, freshID := r.create(t, 10, "fresh.mp4")
	old := time.Now().Add(-8 * 24 * time.Hour).UTC()
	_, err := r.DB.NewUpdate().Model((*catalog.Media)(nil)).Set("updated_at = ?", old).Set("changed_ms = ?", old.UnixMilli()).
		Where("id = ?", id).Exec(t.Context())
	require.NoError(t, err)

	prefix := blob.MediaPrefix(r.Ann.Account, id)
	r.sweep(t, func() bool { return len(r.keys(t, prefix)) == 0 && r.incomplete(t, prefix) == 0 })
	m := r.media(t, id)
	require.Equal(t, catalog.StateFailed, m.State)
	require.Equal(t, ingest.FailureUploadAbandoned, m.FailureCode)
	require.Contains(t, m.FailureReason, "7 days")
	require.Equal(t, http.StatusNotFound, r.head(t, path).status)
	require.Equal(t, http.StatusOK, r.head(t, fresh).status)
	require.Equal(t, catalog.StateUploading, r.media(t, freshID).State)
	require.Equal(t, 1, r.incomplete(t, blob.MediaPrefix(r.Ann.Account, freshID)))
}

func (r *receiver) incomplete(t *testing.T, prefix string) int {
	t.Helper()
	list, err := r.Blobs.StartedParts(t.Context(), prefix)
	require.NoError(t, err)
	return len(list)
}

func TestAcknowledgedBytesSurviveALostDelete(t *testing.T) {
	t.Parallel()
	// A kill between storing a part and removing the pieces it covers leaves both.
	r, data := start(t, nil), noise(9, 20<<20)
	path, id := r.create(t, int64(len(data)), "clip.mp4")
	require.Equal(t, http.StatusNoContent, r.patch(t, path, 0, data[:6<<20]).status)
	prefix := blob.UploadPrefix(r.Ann.Account, id, 1)
	pieces := r.keys(t, prefix)
	require.Len(t, pieces, 2, "upload.json and one piece")
	saved := make([][]byte, len(pieces))
	for i, key := range pieces {
		body, _, err := r.Blobs.Get(t.Context(), key)
		require.NoError(t, err)
		saved[i], err = io.ReadAll(body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
	}
	require.Equal(t, int64(18<<20), r.patch(t, path, 6<<20, data[6<<20:18<<20]).offset(t))
	for i, key := range pieces {
		require.NoError(t, r.Blobs.PutBytes(t.Context(), key, saved[i], ""))
	}
	require.Equal(t, int64(18<<20), r.head(t, path).offset(t))
	require.Equal(t, http.StatusNoContent, r.patch(t, path, 18<<20, data[18<<20:]).status)
	r.arrived(t, id, data)
}

func TestABrokenDiskIsToldAndHeals(t *testing.T) {
	t.Parallel()
	w := ingesttest.New(t)
	broken := newReceiver(t, w, func(c *ingest.Config) { c.TempDir = filepath.Join(w.Temp, "gone") })
	path, id := broken.create(t, 4, "clip.mp4")
	require.NoError(t, os.Remove(filepath.Join(w.Temp, "gone")))
	res := broken.patch(t, path, 0, []byte("data"))
	require.Equal(t, http.StatusInternalServerError, res.status)
	require.NotContains(t, string(res.body), w.Temp, "paths of the server stay in its log")
	healed := newReceiver(t, w, nil)
	require.Equal(t, http.StatusNoContent, healed.patch(t, path, 0, []byte("data")).status)
	healed.arrived(t, id, []byte("data"))
}
