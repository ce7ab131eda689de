package transcode_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/hls-m3u8/m3u8"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/player"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

var x264 = []string{"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50"}

// viewers serves the world's publications as viewers get them: this package and
// the player meet in objects, and here is where both ends are held together.
func (w *world) viewers(t *testing.T, m catalog.Media) string {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	key := bytes.Repeat([]byte("k"), 32)
	h, err := player.New(player.DefaultConfig(), w.store, nil, player.Keys{ViewToken: key, Grant: key, Sealing: key}, nil, log)
	require.NoError(t, err)
	e := httpx.New(nil, log)
	h.Register(e)
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return server.URL + "/hls/" + m.ID + "/multivariant.m3u8"
}

// frames decodes all of a stream, which must not give a warning, and counts it.
func frames(t *testing.T, input, stream string) int {
	t.Helper()
	var words bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "ffprobe", "-v", "warning", "-select_streams", stream, "-count_frames",
		"-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", input)
	cmd.Stderr = &words
	out, err := cmd.Output()
	require.NoError(t, err, words.String())
	require.Empty(t, words.String(), input)
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n") // once more for the program
	n, err := strconv.Atoi(first)
	require.NoError(t, err)
	return n
}

// multivariant is publication n as stored.
func (w *world) multivariant(t *testing.T, m catalog.Media, n int) (*m3u8.MasterPlaylist, string) {
	t.Helper()
	var key string
	for info, err := range w.store.List(t.Context(), blob.MediaPrefix(m.AccountID, m.ID)) {
		require.NoError(t, err)
		if strings.HasSuffix(info.Key, fmt.Sprintf("/p%d/multivariant.m3u8", n)) {
			key = info.Key
		}
	}
	r, _, err := w.store.Get(t.Context(), key)
	require.NoError(t, err)
	defer r.Close()
	raw, err := io.ReadAll(r)
	require.NoError(t, err)
	list, _, err := m3u8.DecodeFrom(bytes.NewReader(raw), true)
	require.NoError(t, err)
	return list.(*m3u8.MasterPlaylist), string(raw)
}

func TestASourceThatBrowsersPlayIsPlayableBeforeAnyEncode(t *testing.T) {
	t.Parallel()
	two := args(picture("854x480", "25", "9"), sound("9"), sound("9"), []string{"-maxrate", "1200k", "-bufsize", "1200k", "-map", "0:v", "-map", "1:a", "-map", "2:a",
		"-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu"}, x264, []string{"-bf", "2", "-c:a", "aac"})
	for _, c := range []struct {
		name, file string
		args       []string
		audio      int
		rungs      int
		kept       bool
	}{
		{"two languages, B-frames, index last", "a.mp4", two, 2, 2, true},
		{"index first", "b.mp4", args(picture("320x180", "30000/1001", "4"), sound("4"), x264, []string{"-c:a", "aac", "-movflags", "+faststart"}), 1, 1, false},
		{"MOV without sound", "c.mov", args(picture("320x180", "25", "4"), x264), 0, 1, false},
		{"fragmented", "d.mp4", args(picture("320x180", "25", "5"), sound("5"), x264, []string{"-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"}), 1, 1, false},
		{"keyframes 12 s apart", "e.mp4", args(picture("320x180", "25", "26"), sound("26"), x264, []string{"-bf", "2", "-g", "300", "-keyint_min", "300", "-sc_threshold", "0", "-c:a", "aac"}), 1, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := prepareWorld(t)
			w.startQueues(t, map[string]int{jobs.QueueProbe: 2})
			file := mediatest.Generate(t, c.file, append([]string{}, c.args...)...)
			m := w.upload(t, file)
			m = w.await(t, m.ID, catalog.StatePlayable, 5*time.Minute)
			require.Equal(t, 1, m.Publication)
			require.False(t, m.PlayableAt.IsZero())
			require.Equal(t, c.audio > 0, m.HasAudio)
			list, raw := w.multivariant(t, m, 1)
			require.Len(t, list.Variants, 1)
			require.Regexp(t, `^g1/a\d+/source/0/index\.m3u8$`, list.Variants[0].URI)
			require.Equal(t, c.audio, strings.Count(raw, "TYPE=AUDIO"), raw)
			if c.audio == 2 {
				require.Contains(t, raw, `LANGUAGE="en"`)
				require.Contains(t, raw, `LANGUAGE="de"`)
			}
			rows, err := w.db.Renditions(t.Context(), w.db, m.ID, 1)
			require.NoError(t, err)
			require.Len(t, rows, 1)
			require.Equal(t, "source", rows[0].Name)

			url := w.viewers(t, m)
			require.Equal(t, frames(t, file, "v:0"), frames(t, url, "v:0"))
			for track := range c.audio {
				stream := fmt.Sprintf("a:%d", track)
				require.InDelta(t, frames(t, file, stream), frames(t, url, stream), 1, "one frame of priming more")
			}

			// The ladder follows and takes the source's place, for new viewers.
			require.Eventually(t, func() bool {
				n, err := w.db.NewSelect().Table("river_job").Where("kind = 'encode'").Count(t.Context())
				return err == nil && n > 1
			}, 3*time.Minute, 20*time.Millisecond)
			w.stop()
			w.start(t)
			ready := w.await(t, m.ID, catalog.StateReady, 5*time.Minute)
			require.Equal(t, 2, ready.Publication, "one more makes the whole ladder")
			require.NotEmpty(t, ready.PosterKey)
			p := readHLS(t, w.hls(t, ready))
			require.Len(t, p.video, c.rungs)
			rows, err = w.db.Renditions(t.Context(), w.db, m.ID, 1)
			require.NoError(t, err)
			kept := slices.ContainsFunc(rows, func(r catalog.Rendition) bool { return r.Name == "source" })
			require.Equal(t, c.kept, kept, "the source as a rung")
			old := strings.TrimSuffix(url, "multivariant.m3u8") + list.Variants[0].URI
			require.Equal(t, frames(t, file, "v:0"), frames(t, old, "v:0"), "who began with the source can go on")
		})
	}
}

func TestSoundAloneIsPlayableBeforeAnyEncode(t *testing.T) {
	t.Parallel()
	w := prepareWorld(t)
	w.startQueues(t, map[string]int{jobs.QueueProbe: 1})
	file := mediatest.Generate(t, "a.m4a", args(sound("7"), []string{"-c:a", "aac"})...)
	m := w.upload(t, file)
	m = w.await(t, m.ID, catalog.StatePlayable, 5*time.Minute)
	require.False(t, m.HasVideo)
	require.InDelta(t, frames(t, file, "a:0"), frames(t, w.viewers(t, m), "a:0"), 1, "one frame of priming more")
}

func TestASourceThatBrowsersDoNotPlayIsEncodedFirst(t *testing.T) {
	t.Parallel()
	w := prepareWorld(t)
	w.startQueues(t, map[string]int{jobs.QueueProbe: 2})
	turned := filepath.Join(t.TempDir(), "turned.mp4")
	flat := mediatest.Generate(t, "flat.mp4", args(picture("320x180", "25", "2"), x264)...)
	mediatest.FFmpeg(t, "-i", flat, "-c", "copy", "-metadata:s:v", "rotate=90", turned)
	for _, file := range []string{
		turned,
		mediatest.Generate(t, "a.mp4", args(picture("320x180", "25", "2"), []string{"-c:v", "mpeg4"})...),
		mediatest.Generate(t, "b.mkv", args(picture("320x180", "25", "2"), x264)...),
	} {
		m := w.upload(t, file)
		require.Eventually(t, func() bool { // the job about it waits for a worker
			n, err := w.db.NewSelect().Table("river_job").Where("kind = 'encode'").
				Where("json_extract(args, '$.media_id') = ?", m.ID).Count(t.Context())
			return err == nil && n > 0
		}, 3*time.Minute, 20*time.Millisecond)
		m, err := w.db.MediaByID(t.Context(), m.ID)
		require.NoError(t, err)
		require.Equal(t, catalog.StateProbing, m.State)
		require.Zero(t, m.Publication)
		_, err = w.store.ReadPointer(t.Context(), m.ID)
		require.ErrorIs(t, err, blob.ErrNotFound)
	}
}

func TestASourceThatDoesNotDecodeIsWithdrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	whole, err := os.ReadFile(mediatest.Generate(t, "a.mp4", args(picture("320x180", "25", "4"), x264)...))
	require.NoError(t, err)
	// The tables stay right, the pictures do not.
	from := bytes.Index(whole, []byte("mdat")) + 4
	to := bytes.Index(whole, []byte("moov")) - 4
	require.Greater(t, to, from)
	for i := from; i < to; i++ {
		whole[i] = byte(i * 131)
	}
	bad := filepath.Join(t.TempDir(), "bad.mp4")
	require.NoError(t, os.WriteFile(bad, whole, 0o600))
	m := w.upload(t, bad)
	require.Eventually(t, func() bool {
		m, err = w.db.MediaByID(t.Context(), m.ID)
		require.NoError(t, err)
		if m.State != catalog.StateFailed {
			return false
		}
		_, err := w.store.ReadPointer(t.Context(), m.ID)
		return err != nil
	}, 3*time.Minute, 20*time.Millisecond)
	require.False(t, m.FailureRetryable, m.FailureCode)
	require.Equal(t, 1, m.Publication, "it was served until it was found to be bad")
	_, err = w.store.ReadPointer(t.Context(), m.ID)
	require.ErrorIs(t, err, blob.ErrNotFound)
}

func TestAProbeThatEndedAfterTheSourceWasShownGoesOn(t *testing.T) {
	t.Parallel()
	w := prepareWorld(t)
	w.startQueues(t, map[string]int{jobs.QueueProbe: 1})
	m := w.upload(t, mediatest.Generate(t, "a.mp4", args(picture("320x180", "25", "2"), x264)...))
	encodes := func() int64 {
		n, err := w.db.NewSelect().Table("river_job").Where("kind = 'encode'").Count(t.Context())
		require.NoError(t, err)
		return n
	}
	require.Eventually(t, func() bool { return encodes() == 2 }, 3*time.Minute, 20*time.Millisecond)
	before := w.objects(t, m)
	// As a process that was killed at that moment leaves it.
	_, err := w.db.NewDelete().Table("river_job").Where("kind = 'encode'").Exec(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.jobs.Insert(t.Context(), jobs.ProbeArgs{MediaID: m.ID, Generation: 1}, nil))
	require.Eventually(t, func() bool { return encodes() == 2 }, 3*time.Minute, 20*time.Millisecond)
	require.Equal(t, before, w.objects(t, m), "the same publication")
	w.stop()
	w.start(t)
	m = w.await(t, m.ID, catalog.StateReady, 5*time.Minute)
	require.Equal(t, 2, m.Publication)
}

func TestWhatMustBeEncodedPlaysWhileItsLowestRungIsMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.upload(t, twoRungs(t, "30"))
	m = w.await(t, m.ID, catalog.StatePlayable, 5*time.Minute)
	require.Equal(t, catalog.ExtentGrowing, m.Extent)
	require.Less(t, m.Progress, 0.9)
	url := w.viewers(t, m)
	root := strings.TrimSuffix(url, "multivariant.m3u8")
	read := func(uri string) (string, *m3u8.MediaPlaylist) {
		res, err := http.Get(root + uri)
		require.NoError(t, err)
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode, uri)
		list, _, err := m3u8.DecodeFrom(bytes.NewReader(raw), true)
		require.NoError(t, err)
		return string(raw), list.(*m3u8.MediaPlaylist)
	}
	list, _ := w.multivariant(t, m, 1)
	require.Len(t, list.Variants, 1)
	v := list.Variants[0]
	require.Equal(t, "640x360", v.Resolution)
	require.Len(t, v.Alternatives, 1, "with sound from the start")
	raw, growing := read(v.URI)
	require.False(t, growing.Closed)
	require.Contains(t, raw, "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-START:TIME-OFFSET=0\n")
	var shown []string
	for _, s := range growing.GetAllSegments() {
		shown = append(shown, s.URI)
	}
	require.NotEmpty(t, shown)
	require.InDelta(t, 2, growing.GetAllSegments()[0].Duration, 0.001, "a short first segment")

	ready := w.await(t, m.ID, catalog.StateReady, 5*time.Minute)
	last, _ := w.multivariant(t, ready, ready.Publication)
	last.Variants = slices.DeleteFunc(last.Variants, func(v *m3u8.Variant) bool { return v.Iframe })
	require.Len(t, last.Variants, 2)
	require.Equal(t, v.URI, last.Variants[slices.IndexFunc(last.Variants, func(v *m3u8.Variant) bool { return v.Resolution == "640x360" })].URI, "under the same name")
	require.Eventually(t, func() bool { // the origin keeps a pointer for a second
		_, list := read(v.URI)
		return list.Closed
	}, time.Minute, 50*time.Millisecond)
	_, whole := read(v.URI)
	for i, uri := range shown {
		require.Equal(t, uri, whole.GetAllSegments()[i].URI, "what has been shown stays")
	}
	require.InDelta(t, 30*25, frames(t, root+v.URI, "v:0"), 1, "the source starts half a frame late")
}

func TestNothingElseIsMadeBeforeItPlays(t *testing.T) {
	t.Parallel()
	w := prepareWorld(t)
	w.startQueues(t, map[string]int{jobs.QueueProbe: 1})
	m := w.upload(t, mediatest.Generate(t, "a.mkv", args(picture("960x540", "25", "8"), sound("8"), x264, []string{"-c:a", "flac"})...))
	waiting := func() []string {
		var found []string
		require.NoError(t, w.db.NewSelect().Table("river_job").ColumnExpr("kind || ' ' || coalesce(json_extract(args, '$.part'), '')").
			Where("kind IN ('encode', 'preview')").OrderExpr("1").Scan(t.Context(), &found))
		return found
	}
	require.Eventually(t, func() bool { return len(waiting()) > 0 }, time.Minute, 20*time.Millisecond)
	require.Equal(t, []string{"encode extra", "encode first"}, waiting())
	w.stop()

	w.start(t)
	m = w.await(t, m.ID, catalog.StateReady, 5*time.Minute)
	require.NotEmpty(t, m.PosterKey)
	require.Equal(t, []string{"encode extra", "encode first", "encode images", "encode rungs", "preview "}, waiting())
}

func TestASoundTrackWithoutSoundHoldsNothingUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.upload(t, mediatest.Generate(t, "a.mkv", args(picture("320x180", "25", "5"), sound("5"), []string{"-c:v", "mpeg4", "-c:a", "aac", "-bsf:a", "noise=amount=0:drop='gte(n,0)'"})...))
	m = w.await(t, m.ID, catalog.StateReady, 5*time.Minute)
	require.False(t, m.HasAudio)
	require.NotEmpty(t, m.PosterKey)
	require.Len(t, readHLS(t, w.hls(t, m)).variants, 1)
}
