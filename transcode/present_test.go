package transcode_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

// pointed waits until a media's pointer is as wanted.
func (w *world) pointed(t *testing.T, id string, wanted func(blob.Pointer) bool) blob.Pointer {
	t.Helper()
	var p blob.Pointer
	defer func() {
		if !t.Failed() {
			return
		}
		var errs []string
		require.NoError(t, w.db.NewSelect().Table("river_job").ColumnExpr("kind || ' ' || state || ' ' || coalesce(json(errors), '')").Scan(t.Context(), &errs))
		t.Log(errs)
	}()
	require.Eventually(t, func() bool {
		var err error
		p, err = w.store.ReadPointer(t.Context(), id)
		return err == nil && wanted(p)
	}, 3*time.Minute, 50*time.Millisecond)
	return p
}

func TestWhatGoesWithAMediaIsChangedWhileItPlays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	red := "color=red:size=640x360:rate=25:duration=10,drawbox=t=fill:color=blue:enable='gte(t,5)'"
	m := w.upload(t, mediatest.Generate(t, "a.mkv", "-f", "lavfi", "-i", red, "-c:v", "mpeg4", "-q:v", "2", "-g", "250"))
	m = w.await(t, m.ID, catalog.StateReady, 5*time.Minute)

	before := w.pointed(t, m.ID, func(p blob.Pointer) bool { return p.Preview != "" })
	dir := w.hls(t, m)
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height:format=duration", "-of", "default=nw=1", filepath.Join(dir, before.Preview)).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "codec_name=h264\nwidth=320\nheight=180\nduration=4", "silent, small and short")
	require.Equal(t, 1, strings.Count(string(out), "codec_name"))
	for at, want := range map[string]int{"2.8": 0, "3.2": 2} { // it starts at 2 s, the color changes at 5 s
		pixel, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", filepath.Join(dir, before.Preview), "-ss", at, "-frames:v", "1", "-vf", "scale=1:1,format=rgb24", "-f", "rawvideo", "-").Output()
		require.NoError(t, err)
		require.Len(t, pixel, 3)
		require.Equal(t, slices.Max(pixel), pixel[want], "at %s s of the preview: %v", at, pixel)
	}

	captions := catalog.Caption{MediaID: m.ID, Language: "fr", FileID: catalog.NewID(), Label: "Français", Kind: "captions", IsDefault: true, Origin: catalog.CaptionUploaded}
	require.NoError(t, w.store.PutBytes(t.Context(), blob.CaptionKey(m.AccountID, m.ID, captions.FileID), []byte("WEBVTT\n\n00:01.000 --> 00:02.000\nBonjour\n"), "text/vtt"))
	require.NoError(t, w.db.PutCaption(t.Context(), w.db, &captions))
	require.NoError(t, w.jobs.Insert(t.Context(), jobs.PresentArgs{MediaID: m.ID, Generation: 1}, nil))
	after := w.pointed(t, m.ID, func(p blob.Pointer) bool { return len(p.Captions) == 1 })
	require.Equal(t, before.Publication+1, after.Publication, "what is published never changes")
	require.NotEqual(t, before.Multivariant, after.Multivariant)
	p := readHLS(t, w.hls(t, m))
	require.Equal(t, "txt", p.variants[0].Subtitles)
	_, err = w.store.Stat(t.Context(), blob.MediaPrefix(m.AccountID, m.ID)+before.Multivariant)
	require.NoError(t, err, "the publication before is still there")

	// A moment of the media becomes the poster, then a picture.
	require.NoError(t, w.jobs.Insert(t.Context(), jobs.PosterArgs{MediaID: m.ID, Generation: 1, PosterID: "moment0000", AtMS: 7000}, nil))
	chosen := w.pointed(t, m.ID, func(p blob.Pointer) bool { return p.Poster == "posters/moment0000/poster.jpg" })
	require.Equal(t, after.Publication, chosen.Publication, "the playlist is the same")
	poster := w.picture(t, blob.PosterKey(m.AccountID, m.ID, "moment0000"))
	require.Equal(t, image.Pt(640, 360), poster.Bounds().Size())
	r, _, b, _ := poster.At(320, 180).RGBA()
	require.Greater(t, b, 4*r, "not what is shown at 7 s")

	green := image.NewPaletted(image.Rect(0, 0, 3000, 1500), color.Palette{color.RGBA{G: 255, A: 255}})
	var upload bytes.Buffer
	require.NoError(t, png.Encode(&upload, green))
	require.NoError(t, w.store.PutBytes(t.Context(), blob.PosterUploadKey(m.AccountID, m.ID, "upload0000"), upload.Bytes(), "image/png"))
	require.NoError(t, w.jobs.Insert(t.Context(), jobs.PosterArgs{MediaID: m.ID, Generation: 1, PosterID: "upload0000", Uploaded: true}, nil))
	w.pointed(t, m.ID, func(p blob.Pointer) bool { return p.Poster == "posters/upload0000/poster.jpg" })
	poster = w.picture(t, blob.PosterKey(m.AccountID, m.ID, "upload0000"))
	require.Equal(t, image.Pt(1440, 720), poster.Bounds().Size())
	r, g, _, _ := poster.At(700, 300).RGBA()
	require.Greater(t, g, 4*r)
}

func (w *world) picture(t *testing.T, key string) image.Image {
	t.Helper()
	r, _, err := w.store.Get(t.Context(), key)
	require.NoError(t, err)
	defer r.Close()
	picture, err := jpeg.Decode(r)
	require.NoError(t, err)
	return picture
}
