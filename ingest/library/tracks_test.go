package library_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/ingest/library"
	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
)

const srt = "1\n00:00:01,000 --> 00:00:02,000\nHello <script>alert(1)</script>\n"

type captionsPage struct{ Items []library.Captions }

func (s *shelf) object(t *testing.T, key string) string {
	t.Helper()
	r, _, err := s.Blobs.Get(t.Context(), key)
	require.NoError(t, err)
	defer r.Close()
	raw, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(raw)
}

func TestCaptionsAreUploadedPerLanguage(t *testing.T) {
	t.Parallel()
	s := start(t)
	m := s.put(t, s.Ann.Account, "x", catalog.StateReady, nil)
	path := "/v1/media/" + m.ID + "/captions"
	var first, second library.Captions
	require.Equal(t, http.StatusOK, s.call(t, s.Ann.Token, "PUT", path+"/ger", srt, &first))
	require.Equal(t, []any{"de", "Deutsch", "captions", "upload", 1}, []any{first.Language, first.Label, first.Kind, first.Origin, first.Cues})
	require.Contains(t, first.URL, public+"/hls/"+m.ID+"/captions/")
	require.Equal(t, http.StatusOK, s.call(t, s.Ann.Token, "PUT", path+"/pt-BR?label=Brasil&kind=subtitles&default=true", srt, &second))
	require.Equal(t, http.StatusOK, s.call(t, s.Ann.Token, "PUT", path+"/de?default=true", "WEBVTT\n\n00:01.000 --> 00:02.000\nHallo\n", &second))
	require.NotEqual(t, first.URL, second.URL, "a new text is a new object")

	var list captionsPage
	require.Equal(t, http.StatusOK, s.call(t, s.Ann.Token, "GET", path, "", &list))
	require.Len(t, list.Items, 2)
	require.Equal(t, []any{"de", true, "pt-BR", "Brasil", "subtitles", false}, []any{
		list.Items[0].Language, list.Items[0].Default, list.Items[1].Language, list.Items[1].Label, list.Items[1].Kind, list.Items[1].Default})

	rows, err := s.DB.Captions(t.Context(), s.DB, m.ID)
	require.NoError(t, err)
	require.Equal(t, "WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.000\nHallo\n", s.object(t, blob.CaptionKey(m.AccountID, m.ID, rows[0].FileID)))
	require.NotContains(t, s.object(t, blob.CaptionKey(m.AccountID, m.ID, rows[1].FileID)), "script")
	require.Equal(t, srt, s.object(t, blob.CaptionOriginalKey(m.AccountID, m.ID, rows[1].FileID)))

	require.Equal(t, http.StatusNoContent, s.call(t, s.Ann.Token, "DELETE", path+"/de", "", nil))
	require.Equal(t, http.StatusNotFound, s.call(t, s.Ann.Token, "DELETE", path+"/de", "", nil))
	require.Equal(t, http.StatusNotFound, s.call(t, s.Ann.Token, "GET", path+"/de", "", nil))
	require.Equal(t, []string{"present", "present", "present", "present"}, s.JobKinds(t))
}

func TestUnusableCaptionsAreRefusedWithAReason(t *testing.T) {
	t.Parallel()
	s := start(t)
	m := s.put(t, s.Ann.Account, "x", catalog.StateReady, nil)
	path := "/v1/media/" + m.ID + "/captions/"
	for _, c := range []struct {
		language, text, problem string
		status                  int
	}{
		{"klingonese", srt, "/problems/unknown-language", 422},
		{"de", "Dear Ann", "/problems/captions-empty", 422},
		{"de", "caf\xe9 -->", "/problems/captions-encoding", 422},
		{"de", strings.Repeat("x\n", 3<<20), "", 413},
	} {
		var got struct{ Type string }
		require.Equal(t, c.status, s.call(t, s.Ann.Token, "PUT", path+c.language, c.text, &got), c.problem)
		if c.problem != "" {
			require.Equal(t, c.problem, got.Type)
		}
	}
	require.Empty(t, s.JobKinds(t))
}

func TestChaptersAreEdited(t *testing.T) {
	t.Parallel()
	s := start(t)
	m := s.put(t, s.Ann.Account, "x", catalog.StateReady, func(m *catalog.Media) { m.DurationMS = 60_000 })
	path := "/v1/media/" + m.ID + "/chapters"
	var got struct{ Items []library.Chapter }
	require.Equal(t, http.StatusOK, s.call(t, s.Ann.Token, "PUT", path, `{"items":[{"start_seconds":30.5,"title":"B \u0000<i>"},{"start_seconds":0,"title":"A"}]}`, &got))
	want := []library.Chapter{{StartSeconds: 0, Title: "A"}, {StartSeconds: 30.5, Title: "B i"}}
	require.Equal(t, want, got.Items)
	require.Equal(t, http.StatusOK, s.call(t, s.Ann.Token, "GET", path, "", &got))
	require.Equal(t, want, got.Items)
	for _, bad := range []string{
		`{"items":[{"start_seconds":60,"title":"late"}]}`, `{"items":[{"start_seconds":1,"title":"a"},{"start_seconds":1,"title":"b"}]}`,
		`{"items":[{"start_seconds":-1,"title":"a"}]}`, `{"items":[{"start_seconds":1,"title":"\u0001"}]}`, `{}`,
	} {
		require.Equal(t, http.StatusUnprocessableEntity, s.call(t, s.Ann.Token, "PUT", path, bad, nil), bad)
	}
	m, err := s.DB.Media(t.Context(), s.Ann.Account, m.ID)
	require.NoError(t, err)
	require.True(t, m.ChaptersEdited)
	require.Equal(t, http.StatusOK, s.call(t, s.Ann.Token, "PUT", path, `{"items":[]}`, &got))
	require.Empty(t, got.Items)
	require.Equal(t, []string{"present", "present"}, s.JobKinds(t))
}

func TestPostersAreMadeElsewhere(t *testing.T) {
	t.Parallel()
	s := start(t)
	m := s.put(t, s.Ann.Account, "x", catalog.StateReady, func(m *catalog.Media) {
		m.DurationMS, m.HasVideo, m.PlayableAt = 60_000, true, time.Now().UTC()
	})
	path := "/v1/media/" + m.ID + "/poster"
	require.Equal(t, http.StatusAccepted, s.call(t, s.Ann.Token, "PUT", path, `{"time_seconds":12.5}`, nil))
	require.Equal(t, http.StatusUnprocessableEntity, s.call(t, s.Ann.Token, "PUT", path, `{"time_seconds":60}`, nil))
	require.Equal(t, http.StatusAccepted, s.call(t, s.Ann.Token, "PUT", path+"/picture", "\x89PNG\r\n\x1a\n and more", nil))
	require.Equal(t, http.StatusUnprocessableEntity, s.call(t, s.Ann.Token, "PUT", path+"/picture", "<svg/>", nil))
	require.Equal(t, []string{"poster", "poster"}, s.JobKinds(t))
	soon := s.put(t, s.Ann.Account, "y", catalog.StateProbing, nil)
	require.Equal(t, http.StatusConflict, s.call(t, s.Ann.Token, "PUT", "/v1/media/"+soon.ID+"/poster", `{"time_seconds":1}`, nil))
}
