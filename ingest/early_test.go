package ingest_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/ingest"
	"github.com/vitascope/vitascope/internal/arriving"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
)

// clip is an MP4 of several parts of 5 MiB, half a MiB a second, its tables first or last.
func clip(t *testing.T, seconds int, first bool) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a.mp4")
	args := []string{"-v", "error", "-nostdin", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=s=320x180:r=25:d=%d", seconds),
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-pix_fmt", "yuv420p",
		"-b:v", "4M", "-minrate", "4M", "-maxrate", "4M", "-bufsize", "4M", "-x264-params", "nal-hrd=cbr:force-cfr=1"}
	if first {
		args = append(args, "-movflags", "+faststart")
	}
	out, err := exec.CommandContext(t.Context(), "ffmpeg", append(args, file)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Greater(t, len(content), seconds*27<<20/60)
	require.Less(t, len(content), seconds*32<<20/60)
	return content
}

// readable is how far the source of a media of Ann's can be read.
func (r *receiver) readable(t *testing.T, id string) int64 {
	t.Helper()
	u, err := arriving.Find(t.Context(), r.Blobs, r.Ann.Account, id, 1)
	require.NoError(t, err)
	return u.Size()
}

func TestSourcesThatCanBeShownEarlyStayReadable(t *testing.T) {
	t.Parallel()
	const part = 5 << 20
	small := func(c *ingest.Config) { c.PartBytes = part }
	for _, c := range []struct {
		name    string
		content []byte
		// what can be read when so much has come, and the jobs
		readable    func(cut int) int64
		jobs, ended []string
	}{
		{"tables first", clip(t, 60, true), func(cut int) int64 { return int64(cut) }, []string{"early"}, []string{"early", "early", "probe"}},
		{"tables last", clip(t, 60, false), func(cut int) int64 { return min(int64(cut), 4*part) }, nil, []string{"early", "probe"}},
		{"tables last, long", clip(t, 90, false), func(cut int) int64 { return min(int64(cut), 4*part) }, nil, []string{"early", "probe"}},
		{"noise", noise(9, 30<<20), nil, nil, []string{"probe"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, small)
			path, id := r.create(t, int64(len(c.content)), "clip.mp4")
			for _, cut := range []struct{ from, to int }{{0, 1 << 10}, {1 << 10, 3 << 20}, {3 << 20, 26 << 20}} {
				require.Equal(t, http.StatusNoContent, r.patch(t, path, int64(cut.from), c.content[cut.from:cut.to]).status)
				require.EqualValues(t, cut.to, r.head(t, path).offset(t))
				if c.readable != nil {
					require.Equal(t, c.readable(cut.to), r.readable(t, id))
				}
			}
			if c.readable == nil {
				require.Less(t, r.readable(t, id), int64(part), "nothing is kept twice to no end")
			}
			require.ElementsMatch(t, c.jobs, r.JobKinds(t))
			require.Equal(t, http.StatusNoContent, r.patch(t, path, 26<<20, c.content[26<<20:]).status)
			require.ElementsMatch(t, c.ended, r.JobKinds(t))
			r.arrived(t, id, c.content)
		})
	}
}

func TestAPieceWhosePartWasNeverStoredHoldsNothingUp(t *testing.T) {
	t.Parallel()
	const part, size = 5 << 20, 17 << 20
	r := start(t, func(c *ingest.Config) { c.PartBytes = part })
	data := noise(7, size)
	path, id := r.create(t, size, "clip.mp4")
	require.Equal(t, http.StatusNoContent, r.patch(t, path, 0, data[:7<<20]).status)
	// What a kill leaves: the end of a part that comes next, and tables of the last.
	for _, p := range []arriving.Piece{{From: 7 << 20, To: 2 * part}, {From: 6 << 20, To: 8 << 20}, {From: 3 * part, To: size}} {
		require.NoError(t, r.Blobs.Put(t.Context(), p.Key(blob.UploadPrefix(r.Ann.Account, id, 1)), bytes.NewReader(data[p.From:p.To]), p.To-p.From, "application/octet-stream"))
	}
	require.EqualValues(t, 8<<20, r.head(t, path).offset(t), "the part is not there")
	require.Equal(t, http.StatusNoContent, r.patch(t, path, 8<<20, data[8<<20:16<<20]).status)
	require.EqualValues(t, 16<<20, r.head(t, path).offset(t), "nor is the last")
	require.Equal(t, http.StatusNoContent, r.patch(t, path, 16<<20, data[16<<20:]).status)
	r.arrived(t, id, data)
}

func TestWhatWasShownOfAnAbandonedUploadIsTakenBack(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	path, id := r.create(t, 10<<20, "clip.mp4")
	require.Equal(t, http.StatusNoContent, r.patch(t, path, 0, noise(8, 1<<20)).status)
	require.NoError(t, r.Blobs.WritePointer(t.Context(), blob.Pointer{Account: r.Ann.Account, Media: id, Generation: 1, Publication: 1, State: "playable", Arriving: true}))
	old := time.Now().Add(-8 * 24 * time.Hour).UTC()
	_, err := r.DB.NewUpdate().Model((*catalog.Media)(nil)).Set("updated_at = ?", old).Set("changed_ms = ?", old.UnixMilli()).
		Where("id = ?", id).Exec(t.Context())
	require.NoError(t, err)
	r.sweep(t, func() bool { return len(r.keys(t, blob.MediaPrefix(r.Ann.Account, id))) == 0 })
	require.Equal(t, catalog.StateFailed, r.media(t, id).State)
	_, err = r.Blobs.ReadPointer(t.Context(), id)
	require.ErrorIs(t, err, blob.ErrNotFound)
}
