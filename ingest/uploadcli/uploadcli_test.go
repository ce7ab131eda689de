package uploadcli_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/ingest"
	"github.com/vitascope/vitascope/ingest/internal/ingesttest"
	"github.com/vitascope/vitascope/ingest/library"
	"github.com/vitascope/vitascope/ingest/uploadcli"
	"github.com/vitascope/vitascope/internal/catalog"
)

func TestMain(m *testing.M) { os.Exit(ingesttest.Main(m)) }

// site is a server with uploads and the media API, and a place for files.
type site struct {
	*ingesttest.World
	addr string // host:port
	dir  string
}

func start(t *testing.T) *site {
	t.Helper()
	w := ingesttest.New(t)
	cfg := ingest.DefaultConfig()
	cfg.TempDir = filepath.Join(w.Temp, "uploads")
	in, err := ingest.New(cfg, w.DB, w.Blobs, w.Jobs, w.Log)
	require.NoError(t, err)
	lib := library.DefaultConfig()
	lib.PublicURL = "http://video.example.test"
	shelf, err := library.New(lib, w.DB, w.Blobs, w.Jobs, w.Log)
	require.NoError(t, err)
	srv := w.Serve(t, func(e *echo.Echo, api huma.API) { in.Register(e); shelf.Register(api) })
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	return &site{World: w, addr: srv.Listener.Addr().String(), dir: t.TempDir()}
}

// file writes n bytes that do not repeat.
func (s *site) file(t *testing.T, name string, n int) (path string, data []byte) {
	t.Helper()
	data = make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(data)
	path = filepath.Join(s.dir, name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path, data
}

type run struct {
	out, status *buffer
	client      *uploadcli.Client
}

func (s *site) client(t *testing.T, edit func(*uploadcli.Options)) run {
	t.Helper()
	r := run{out: &buffer{}, status: &buffer{}}
	o := uploadcli.Options{
		Server: s.addr, Token: s.Ann.Token, StateDir: filepath.Join(s.dir, "state"), ChunkBytes: 5 << 20,
		Patience: 20 * time.Second, Pause: time.Millisecond, Settle: time.Millisecond, Out: r.out, Status: r.status,
	}
	if edit != nil {
		edit(&o)
	}
	var err error
	r.client, err = uploadcli.New(o)
	require.NoError(t, err)
	return r
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// only returns Ann's one media and checks its bytes.
func (s *site) only(t *testing.T, data []byte) catalog.Media {
	t.Helper()
	list, _, err := s.DB.ListMedia(t.Context(), s.Ann.Account, "", 10, "")
	require.NoError(t, err)
	require.Len(t, list, 1)
	r, _, err := s.Blobs.Get(t.Context(), list[0].SourceKey)
	require.NoError(t, err)
	defer r.Close()
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, sha256.Sum256(data), sha256.Sum256(got))
	return list[0]
}

func TestUploadTellsWhereTheMediaIs(t *testing.T) {
	t.Parallel()
	s := start(t)
	path, data := s.file(t, "Menü.mp4", 12<<20)
	r := s.client(t, func(o *uploadcli.Options) { o.SHA256 = true })
	require.NoError(t, r.client.Upload(t.Context(), []string{path}))
	m := s.only(t, data)
	require.Equal(t, "Menü.mp4", m.Name)
	sum := sha256.Sum256(data)
	for _, want := range []string{
		hex.EncodeToString(sum[:]), m.ID, "http://video.example.test/watch/" + m.ID,
		`<vitascope-player media-id="` + m.ID + `"></vitascope-player>`, "http://video.example.test/#/media/" + m.ID,
	} {
		require.Contains(t, r.out.String(), want)
	}
	require.Contains(t, r.status.String(), "Uploading Menü.mp4 (12 MiB)")
	require.Contains(t, r.status.String(), "75 %")
	notes, err := os.ReadDir(filepath.Join(s.dir, "state"))
	require.NoError(t, err)
	require.Empty(t, notes)
}

func TestABarIsDrawnOnATerminal(t *testing.T) {
	t.Parallel()
	s := start(t)
	path, data := s.file(t, "clip.mp4", 6<<20)
	r := s.client(t, func(o *uploadcli.Options) { o.TTY = true })
	require.NoError(t, r.client.Upload(t.Context(), []string{path}))
	s.only(t, data)
	require.Contains(t, r.status.String(), "100%")
}

// cutter forwards connections to addr and cuts each of the first cuts after the
// given number of bytes from the client.
func cutter(t *testing.T, addr string, after int64, cuts int32) (proxy string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var left atomic.Int32
	left.Store(cuts)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer in.Close()
				out, err := net.Dial("tcp", addr)
				if err != nil {
					return
				}
				defer out.Close()
				wg.Go(func() { _, _ = io.Copy(in, out); in.Close() })
				if left.Add(-1) >= 0 {
					_, _ = io.CopyN(out, in, after)
				} else {
					_, _ = io.Copy(out, in)
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

func TestCutConnectionsAreHealedInOneRun(t *testing.T) {
	t.Parallel()
	s := start(t)
	path, data := s.file(t, "clip.mp4", 23<<20)
	r := s.client(t, func(o *uploadcli.Options) { o.Server = cutter(t, s.addr, 7<<20, 4) })
	require.NoError(t, r.client.Upload(t.Context(), []string{path}))
	s.only(t, data)
}

func TestAnInterruptedRunIsResumedByTheNext(t *testing.T) {
	t.Parallel()
	s := start(t)
	path, data := s.file(t, "clip.mp4", 23<<20)
	ctx, interrupt := context.WithCancel(t.Context())
	first := s.client(t, nil)
	done := make(chan error, 1)
	go func() { done <- first.client.Upload(ctx, []string{path}) }()
	require.Eventually(t, func() bool { return strings.Contains(first.status.String(), "50 %") }, 3*time.Minute, time.Millisecond)
	interrupt()
	require.ErrorContains(t, <-done, "run the same command again")

	second := s.client(t, nil)
	require.NoError(t, second.client.Upload(t.Context(), []string{path}))
	require.Contains(t, second.status.String(), "Resuming clip.mp4 at")
	s.only(t, data)
}

func TestAVanishedUploadStartsAnew(t *testing.T) {
	t.Parallel()
	s := start(t)
	path, data := s.file(t, "clip.mp4", 12<<20)
	ctx, interrupt := context.WithCancel(t.Context())
	first := s.client(t, nil)
	done := make(chan error, 1)
	go func() { done <- first.client.Upload(ctx, []string{path}) }()
	require.Eventually(t, func() bool { return strings.Contains(first.status.String(), "25 %") }, 3*time.Minute, time.Millisecond)
	interrupt()
	<-done
	list, _, err := s.DB.ListMedia(t.Context(), s.Ann.Account, "", 10, "")
	require.NoError(t, err)
	require.NoError(t, s.DB.DeleteMedia(t.Context(), s.DB, s.Ann.Account, list[0].ID))

	require.NoError(t, s.client(t, nil).client.Upload(t.Context(), []string{path}))
	s.only(t, data)
}

func TestTheEmbedCodeHasTheVideosShape(t *testing.T) {
	t.Parallel()
	s := start(t)
	path, _ := s.file(t, "tall.mp4", 1000)
	r := s.client(t, func(o *uploadcli.Options) { o.Settle = 3 * time.Minute })
	done := make(chan error, 1)
	go func() { done <- r.client.Upload(t.Context(), []string{path}) }()
	var m catalog.Media
	require.Eventually(t, func() bool {
		list, _, err := s.DB.ListMedia(t.Context(), s.Ann.Account, "", 10, "")
		if err != nil || len(list) != 1 || list[0].State != catalog.StateProbing {
			return false
		}
		m = list[0]
		return true
	}, 3*time.Minute, time.Millisecond)
	require.NoError(t, s.DB.Transition(t.Context(), s.DB, m.ID, 1, []catalog.MediaState{catalog.StateProbing}, catalog.StatePlayable,
		catalog.Set{Column: "width", Value: 1080}, catalog.Set{Column: "height", Value: 1920}))
	require.NoError(t, <-done)
	require.Contains(t, r.out.String(), `aspect="1080/1920"`)
	require.NotContains(t, r.out.String(), "16/9")
}

func TestWaitingFollowsTheMediaToItsEnd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		wait string
		end  func(ctx context.Context, s *site, id string) error
		err  string
	}{
		"playable is enough": {uploadcli.WaitPlayable, func(ctx context.Context, s *site, id string) error {
			return s.DB.Transition(ctx, s.DB, id, 1, []catalog.MediaState{catalog.StateProbing}, catalog.StatePlayable)
		}, ""},
		"ready ends both": {uploadcli.WaitPlayable, func(ctx context.Context, s *site, id string) error {
			return s.DB.Transition(ctx, s.DB, id, 1, []catalog.MediaState{catalog.StateProbing}, catalog.StateReady)
		}, ""},
		"failed says why": {uploadcli.WaitReady, func(ctx context.Context, s *site, id string) error {
			return s.DB.FailMedia(ctx, id, 1, "not_media", "This is a text file.", false)
		}, "This is a text file."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			path, data := s.file(t, "clip.mp4", 1000)
			r := s.client(t, func(o *uploadcli.Options) { o.Wait = tc.wait })
			done := make(chan error, 1)
			go func() { done <- r.client.Upload(t.Context(), []string{path}) }()
			require.Eventually(t, func() bool { return strings.Contains(r.out.String(), "state      probing") }, 3*time.Minute, time.Millisecond)
			require.NoError(t, tc.end(t.Context(), s, s.only(t, data).ID))
			err := <-done
			if tc.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, uploadcli.ErrMediaFailed)
			require.ErrorContains(t, err, tc.err)
		})
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	s := start(t)
	clip, _ := s.file(t, "clip.mp4", 10)
	empty, _ := s.file(t, "empty.mp4", 0)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	away := l.Addr().String()
	require.NoError(t, l.Close())
	for name, tc := range map[string]struct {
		edit func(*uploadcli.Options)
		file string
		want string
	}{
		"empty file":   {nil, empty, "is empty (0 bytes)"},
		"folder":       {nil, s.dir, "is a folder"},
		"no such file": {nil, filepath.Join(s.dir, "none.mp4"), "no such file"},
		"server away":  {func(o *uploadcli.Options) { o.Server = away }, clip, "no Vitascope server answers at http://" + away + " (connection refused); is it running?"},
		"wrong token":  {func(o *uploadcli.Options) { o.Token = "vs_WRONG" }, clip, "does not accept this API token"},
	} {
		r := s.client(t, tc.edit)
		require.ErrorContains(t, r.client.Upload(t.Context(), []string{tc.file}), tc.want, name)
		require.Empty(t, r.out.String(), name)
	}
	// One bad file does not stop the next.
	r := s.client(t, nil)
	require.ErrorContains(t, r.client.Upload(t.Context(), []string{empty, clip}), "is empty")
	require.Contains(t, r.out.String(), "watch")

	for _, o := range []uploadcli.Options{{Server: "ftp://x", Token: "t"}, {Server: "http://x"}, {Server: "http://x", Token: "t", Wait: "forever"}} {
		_, err := uploadcli.New(o)
		require.Error(t, err)
	}
}

func TestTheTokenIsFoundInOrder(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	for range 2 {
		got, err := uploadcli.FindToken("flag", "env", data)
		require.NoError(t, err)
		require.Equal(t, "flag", got)
	}
	got, err := uploadcli.FindToken("", "env", data)
	require.NoError(t, err)
	require.Equal(t, "env", got)
	got, err = uploadcli.FindToken("", "", data)
	require.NoError(t, err)
	require.Empty(t, got)
	require.NoError(t, os.WriteFile(uploadcli.TokenFile(data), []byte("vs_file\n"), 0o600))
	got, err = uploadcli.FindToken("", "", data)
	require.NoError(t, err)
	require.Equal(t, "vs_file", got)
}
