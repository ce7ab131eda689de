package transcode_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

// twoRungs is a clip that has to be encoded to play and whose ladder takes two
// passes: no browser plays Matroska.
func twoRungs(t *testing.T, seconds string) string {
	t.Helper()
	return mediatest.Generate(t, "two.mkv", args(picture("854x480", "25", seconds), sound(seconds),
		[]string{"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"})...)
}

func TestMediaIsPlayableBeforeItIsReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.upload(t, twoRungs(t, "4"))
	ready := w.await(t, m.ID, catalog.StateReady, 5*time.Minute)
	require.True(t, ready.PlayableAt.Before(ready.ReadyAt))
	require.Equal(t, catalog.ExtentWhole, ready.Extent)
	require.Equal(t, []int{854, 480}, []int{ready.Width, ready.Height})
	require.InDelta(t, 25, ready.FrameRate, 0.01)

	first, _ := w.multivariant(t, m, 1)
	require.Len(t, first.Variants, 1, "the first publication is the lowest rung")
	require.Equal(t, "640x360", first.Variants[0].Resolution)
	last, _ := w.multivariant(t, m, ready.Publication)
	require.Len(t, last.Variants, 4, "two rungs, and the I-frame playlist of each")

	pointer, err := w.store.ReadPointer(t.Context(), m.ID)
	require.NoError(t, err)
	require.Equal(t, blob.Pointer{
		Version: 1, Account: m.AccountID, Media: m.ID, Generation: 1, Publication: ready.Publication, State: "ready", Name: "A clip",
		DurationMS: ready.DurationMS, Width: 854, Height: 480, HasVideo: true, HasAudio: true,
		Multivariant: blob.Relative(m.AccountID, m.ID, ready.MultivariantKey), Poster: blob.Relative(m.AccountID, m.ID, ready.PosterKey),
		Storyboard: blob.Relative(m.AccountID, m.ID, ready.StoryboardKey),
	}, pointer)
	rows, err := w.db.Renditions(t.Context(), w.db, m.ID, 1)
	require.NoError(t, err)
	require.Len(t, rows, 3)
}

func TestImagesAreWhatTheySay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.upload(t, twoRungs(t, "7"))
	m = w.await(t, m.ID, catalog.StateReady, 5*time.Minute)
	dir := w.hls(t, m)
	vtt, err := os.ReadFile(filepath.Join(dir, blob.Relative(m.AccountID, m.ID, m.StoryboardKey)))
	require.NoError(t, err)
	cues := strings.Split(strings.TrimSpace(string(vtt)), "\n\n")[1:]
	require.Len(t, cues, 4, "one each 2 s")
	require.Equal(t, "00:00:00.000 --> 00:00:02.000\nstoryboard.jpg#xywh=0,0,160,90", cues[0])
	require.Regexp(t, `^00:00:06\.000 --> 00:00:07\.\d{3}\nstoryboard\.jpg#xywh=480,0,160,90$`, cues[3])
	sheet := mediatest.Size(t, filepath.Join(dir, filepath.Dir(blob.Relative(m.AccountID, m.ID, m.StoryboardKey)), "storyboard.jpg"))
	require.Equal(t, [2]int{640, 90}, sheet)
	require.Equal(t, [2]int{854, 480}, mediatest.Size(t, filepath.Join(dir, blob.Relative(m.AccountID, m.ID, m.PosterKey))))
}

func TestBadMediaFailsAndLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	playlist := filepath.Join(t.TempDir(), "a.mp4")
	require.NoError(t, os.WriteFile(playlist, []byte("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"), 0o600))
	whole, err := os.ReadFile(mediatest.Generate(t, "a.mkv", args(picture("320x180", "25", "9"), []string{"-c:v", "mpeg4"})...))
	require.NoError(t, err)
	cut := filepath.Join(t.TempDir(), "b.mkv")
	require.NoError(t, os.WriteFile(cut, whole[:len(whole)/3], 0o600))

	good := w.upload(t, twoRungs(t, "2"))
	for _, c := range []struct{ file, code string }{{playlist, "unsupported_container"}, {cut, "truncated_file"}} {
		m := w.upload(t, c.file)
		require.Eventually(t, func() bool {
			m, err = w.db.MediaByID(t.Context(), m.ID)
			return err == nil && m.State == catalog.StateFailed
		}, 3*time.Minute, 50*time.Millisecond)
		require.Equal(t, c.code, m.FailureCode)
		require.False(t, m.FailureRetryable)
		require.NotEmpty(t, m.FailureReason)
		require.Eventually(t, func() bool { // what has been shown of it is taken back
			_, err := w.store.ReadPointer(t.Context(), m.ID)
			return errors.Is(err, blob.ErrNotFound)
		}, 3*time.Minute, 20*time.Millisecond)
	}
	w.await(t, good.ID, catalog.StateReady, 5*time.Minute)
	left, err := os.ReadDir(w.temp)
	require.NoError(t, err)
	require.Empty(t, left, "job folders stay behind")
}

func TestWorkGoesOnAfterAStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.upload(t, twoRungs(t, "40"))
	require.Eventually(t, func() bool { // something has been written, and it is not done
		for info, err := range w.store.List(t.Context(), blob.MediaPrefix(m.AccountID, m.ID)) {
			require.NoError(t, err)
			if strings.HasSuffix(info.Key, "/0.m4s") {
				return true
			}
		}
		return false
	}, 3*time.Minute, 20*time.Millisecond)
	w.stop()
	interrupted, err := w.db.MediaByID(t.Context(), m.ID)
	require.NoError(t, err)
	require.NotEqual(t, catalog.StateReady, interrupted.State, "stopped too late to show anything")
	require.NotEqual(t, catalog.StateFailed, interrupted.State)
	w.start(t)
	done := w.await(t, m.ID, catalog.StateReady, 5*time.Minute)
	p := readHLS(t, w.hls(t, done))
	require.Len(t, p.video, 2)
	require.InDelta(t, 40, p.video[0].seconds(), 0.05)
}

func TestJobsMayRunTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := twoRungs(t, "2")
	m := w.upload(t, file)
	require.NoError(t, w.jobs.Insert(t.Context(), jobs.ProbeArgs{MediaID: m.ID, Generation: 1}, nil))
	first := w.await(t, m.ID, catalog.StateReady, 5*time.Minute)
	before := w.objects(t, m)

	// A media that failed after its first publication goes on from there.
	_, err := w.db.NewUpdate().Model((*catalog.Media)(nil)).Set("state = ?", catalog.StateProbing).Where("id = ?", m.ID).Exec(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.jobs.Insert(t.Context(), jobs.ProbeArgs{MediaID: m.ID, Generation: 1}, nil))
	m = w.await(t, m.ID, catalog.StateReady, 5*time.Minute)
	require.Equal(t, first.Publication, m.Publication)
	require.Equal(t, before, w.objects(t, m))

	// A job about a generation that is gone does nothing.
	require.NoError(t, w.jobs.Insert(t.Context(), jobs.ProbeArgs{MediaID: m.ID, Generation: 7}, nil))
	require.NoError(t, w.jobs.Insert(t.Context(), jobs.ProbeArgs{MediaID: "nosuchthing", Generation: 1}, nil))
	require.Eventually(t, func() bool {
		n, err := w.db.NewSelect().Table("river_job").Where("state <> 'completed'").Count(t.Context())
		return err == nil && n == 0
	}, 3*time.Minute, 50*time.Millisecond)
}

// objects are the keys of a media and the content of its pointer.
func (w *world) objects(t *testing.T, m catalog.Media) []string {
	t.Helper()
	var keys []string
	for info, err := range w.store.List(t.Context(), blob.MediaPrefix(m.AccountID, m.ID)) {
		require.NoError(t, err)
		keys = append(keys, info.Key)
	}
	pointer, err := w.store.ReadPointer(t.Context(), m.ID)
	require.NoError(t, err)
	return append(keys, pointer.Multivariant, pointer.State)
}

func TestAMissingSourceIsTriedAgainAndThenFailsRetryably(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := catalog.Media{ID: catalog.NewID(), AccountID: w.account, Name: "x", State: catalog.StateProbing, Generation: 1}
	m.SourceKey = blob.SourceKey(m.AccountID, m.ID, 1)
	require.NoError(t, w.db.CreateMedia(t.Context(), w.db, &m))
	require.NoError(t, w.jobs.Insert(t.Context(), jobs.ProbeArgs{MediaID: m.ID, Generation: 1}, onlyTry))
	require.Eventually(t, func() bool {
		var err error
		m, err = w.db.MediaByID(t.Context(), m.ID)
		return err == nil && m.State == catalog.StateFailed
	}, 3*time.Minute, 50*time.Millisecond)
	require.True(t, m.FailureRetryable)
	require.Equal(t, "internal_error", m.FailureCode)
}

func TestStreamsThatChangeAndHDRBecomeOneConstantLadder(t *testing.T) {
	t.Parallel()
	var joined bytes.Buffer
	for _, size := range []string{"320x180", "640x360", "160x120"} {
		part := mediatest.Generate(t, "a.ts", args(picture(size, "25", "2"), sound("2"),
			[]string{"-c:v", "libx264", "-preset", "ultrafast", "-c:a", "mp2", "-ar", map[string]string{"320x180": "44100"}[size] + map[string]string{"640x360": "48000", "160x120": "32000"}[size]})...)
		content, err := os.ReadFile(part)
		require.NoError(t, err)
		joined.Write(content)
	}
	changing := filepath.Join(t.TempDir(), "a.ts")
	require.NoError(t, os.WriteFile(changing, joined.Bytes(), 0o600))
	hdr := mediatest.Generate(t, "a.mkv", args(picture("320x180", "25", "2"), []string{"-c:v", "libx265", "-preset", "ultrafast",
		"-pix_fmt", "yuv420p10le", "-x265-params", "log-level=error:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"})...)
	w := newWorld(t)
	for _, file := range []string{changing, hdr} {
		m := w.upload(t, file)
		m = w.await(t, m.ID, catalog.StateReady, 5*time.Minute)
		p := readHLS(t, w.hls(t, m))
		require.Equal(t, "320x180", p.variants[0].Resolution)
	}
}
