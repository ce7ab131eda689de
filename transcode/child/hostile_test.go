package child_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vitascope/vitascope/transcode/child"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

// long asks for thousands of damaged files: go test ./transcode/child -args -long.
var long = flag.Bool("long", false, "try 2,000 damaged files, not 300")

// lure is what hostile files point at: a media file in a folder and a listener.
// It knows whether anyone touched them.
type lure struct {
	dir    string
	port   int
	watch  int
	called atomic.Int32
}

func newLure(t *testing.T) *lure {
	t.Helper()
	l := &lure{dir: openDir(t)}
	content, err := os.ReadFile(mediatest.Generate(t, "a.ts", "-f", "lavfi", "-i", "color=size=64x64:duration=1", "-c:v", "mpeg2video"))
	require.NoError(t, err)
	for _, name := range []string{"canary.ts", "canary.m3u8", "canary0.png"} {
		require.NoError(t, os.WriteFile(filepath.Join(l.dir, name), content, 0o644))
	}
	l.watch, err = unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Close(l.watch)) })
	_, err = unix.InotifyAddWatch(l.watch, l.dir, unix.IN_OPEN|unix.IN_ACCESS|unix.IN_CREATE)
	require.NoError(t, err)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	l.port = listener.Addr().(*net.TCPAddr).Port
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			l.called.Add(1)
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { _ = listener.Close(); served.Wait() })
	return l
}

// requireUntouched requires that nobody opened, read, wrote or connected.
func (l *lure) requireUntouched(t *testing.T) {
	t.Helper()
	n, err := unix.Read(l.watch, make([]byte, 4096))
	require.ErrorIs(t, err, unix.EAGAIN, "the canary was touched (%d bytes of events)", n)
	require.Zero(t, l.called.Load(), "the listener was reached")
}

// playlists are inputs that name others, of every kind that FFmpeg reads.
func (l *lure) playlists() map[string]string {
	file, url := filepath.Join(l.dir, "canary.ts"), fmt.Sprintf("http://127.0.0.1:%d/canary.ts", l.port)
	hls := func(uri string) string {
		return "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" + uri + "\n#EXT-X-ENDLIST\n"
	}
	dash := func(uri string) string {
		return `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet><Representation id="1" bandwidth="1"><BaseURL>` +
			uri + `</BaseURL></Representation></AdaptationSet></Period></MPD>`
	}
	return map[string]string{
		"hls path": hls(file), "hls file URL": hls("file://" + file), "hls http": hls(url),
		"hls relative": hls("../" + filepath.Base(l.dir) + "/canary.ts"), "hls concat": hls("concat:" + file + "|" + file),
		"hls subfile": hls("subfile,,start,0,end,9,,:" + file), "hls crypto": hls("crypto+file://" + file),
		"hls nested":   "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n" + filepath.Join(l.dir, "canary.m3u8") + "\n",
		"hls key":      "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"" + url + "\"\n" + hls(file)[8:],
		"hls map":      "#EXTM3U\n#EXT-X-MAP:URI=\"" + file + "\"\n" + hls(url)[8:],
		"hls with NUL": hls(file) + "\x00", "hls after noise": "\x00\x00" + hls(file),
		"ffconcat": "ffconcat version 1.0\nfile '" + file + "'\nfile '" + url + "'\n",
		"dash":     dash(file), "dash http": dash(url),
		"sdp":      fmt.Sprintf("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video %d RTP/AVP 96\na=rtpmap:96 H264/90000\n", l.port),
		"svg":      `<svg xmlns="http://www.w3.org/2000/svg"><image href="file://` + file + `"/><image href="` + url + `"/></svg>`,
		"smil":     `<smil><body><video src="` + url + `"/></body></smil>`,
		"rtsp ref": "rtsptext\nrtsp://127.0.0.1:" + strconv.Itoa(l.port) + "/x\n",
		"asf ref":  "[Reference]\nRef1=" + url + "\n",
		"sequence": filepath.Join(l.dir, "canary%d.png"),
	}
}

func TestFilesThatNameOthersOpenNothing(t *testing.T) {
	t.Parallel()
	l := newLure(t)
	runner := newFrugalRunner(t, t.TempDir())
	for name, text := range l.playlists() {
		for _, op := range []child.Job{{Op: child.OpProbe}, tinyJob()} {
			requireVerdict(t, runner, op, []byte(text), name, child.UnsupportedContainer)
		}
	}
	// An MP4 whose data reference is another file (QuickTime alias, ISO url).
	mp4 := readClip(t, "mp4")
	for _, kind := range []string{"url ", "alis"} {
		b := bytes.Replace(mp4, []byte("url \x00\x00\x00\x01"), []byte(kind+"\x00\x00\x00\x00"), -1)
		require.NotEqual(t, mp4, b)
		requireVerdict(t, runner, tinyJob(), b, "a data reference of kind "+kind)
	}
	l.requireUntouched(t)
}

// tinyJob encodes a picture of 64 pixels.
func tinyJob() child.Job {
	return child.Job{Op: child.OpEncode, Duration: time.Second, Encode: &child.EncodeSpec{
		Rungs:     []child.Rung{{Name: "v64", Width: 64, Height: 64, CRF: 30, MaxBitrateBPS: 100_000}},
		FrameRate: child.Rational{Num: 10, Den: 1}, GOPFrames: 20, SegmentGOPs: 3, Poster: true,
		Audio: []child.AudioSpec{{Name: "a0", BitrateBPS: 64_000}},
	}}
}

func readClip(t *testing.T, extension string) []byte {
	t.Helper()
	args := []string{"-f", "lavfi", "-i", "testsrc2=size=64x64:rate=10:duration=1", "-f", "lavfi", "-i", "sine=duration=1"}
	codecs := map[string][]string{
		"mp4":  {"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags", "+faststart"},
		"webm": {"-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"},
		"ts":   {"-c:v", "mpeg2video", "-c:a", "mp2"},
		"avi":  {"-c:v", "mpeg4", "-c:a", "libmp3lame"},
	}
	content, err := os.ReadFile(mediatest.Generate(t, "a."+extension, append(args, codecs[extension]...)...))
	require.NoError(t, err)
	return content
}

// frugalRunner is a runner that knows how much of a processor its children took: a
// file is to be final within 30 s, which on a machine of many tests says more in
// processor time than on the clock.
type frugalRunner struct {
	*child.Runner
	cost *cost
}

// patience bounds a child that waits for what never comes.
const patience = 5 * time.Minute

func newFrugalRunner(t *testing.T, temp string) frugalRunner {
	t.Helper()
	c := &cost{Handler: mediatest.Log(t).Handler()}
	r, err := child.NewRunner(child.Config{Binary: mediatest.Binary(t), Temp: temp, Insecure: mediatest.Insecure(t)}, slog.New(c))
	require.NoError(t, err)
	t.Cleanup(func() {
		require.Positive(t, c.most.Load(), "no child has told what it took")
		require.Less(t, time.Duration(c.most.Load())*time.Millisecond, 30*time.Second, "processor time of one file")
	})
	return frugalRunner{r, c}
}

// cost is a log that remembers the largest processor time of a child.
type cost struct {
	slog.Handler
	most atomic.Int64 // ms
}

// Handle looks at a record and passes it on.
func (c *cost) Handle(ctx context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "cpu_ms" {
			for old := c.most.Load(); a.Value.Int64() > old && !c.most.CompareAndSwap(old, a.Value.Int64()); old = c.most.Load() {
			}
		}
		return true
	})
	return c.Handler.Handle(ctx, r)
}

func requireVerdict(t *testing.T, r frugalRunner, job child.Job, content []byte, name string, want ...child.Code) {
	t.Helper()
	code, err := verdict(t, r, job, content)
	require.NoError(t, err, name)
	if len(want) > 0 {
		require.Contains(t, want, code, name)
	}
}

// verdict is a job's code, empty if it went well. Another end is an error.
func verdict(t *testing.T, r frugalRunner, job child.Job, content []byte) (child.Code, error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := r.Run(ctx, job, bytesInput(content), child.HandlerFunc(nothing))
	refusal, ok := errors.AsType[*child.MediaError](err)
	switch {
	case err == nil:
		return "", nil
	case !ok:
		return "", fmt.Errorf("no verdict on the media: %w", err)
	case refusal.Code.Sentence() == child.Code("").Sentence():
		return "", fmt.Errorf("unknown code %q", refusal.Code)
	}
	return refusal.Code, nil
}

// TestDamagedFilesGetAVerdict flips bytes and cuts ends, the same on each run.
func TestDamagedFilesGetAVerdict(t *testing.T) {
	t.Parallel()
	total, formats := 300, []string{"mp4", "webm", "ts", "avi"}
	if *long {
		total = 2000
	}
	temp := t.TempDir()
	runner := newFrugalRunner(t, temp)
	l := newLure(t)
	clips := map[string][]byte{}
	for _, f := range formats {
		clips[f] = readClip(t, f)
	}
	work := make(chan int)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for seed := range work {
				format := formats[seed%len(formats)]
				if _, err := verdict(t, runner, tinyJob(), damage(clips[format], uint64(seed))); err != nil {
					t.Errorf("%s with seed %d: %v", format, seed, err)
				}
			}
		})
	}
	for seed := range total {
		work <- seed
	}
	close(work)
	workers.Wait()
	l.requireUntouched(t)
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left, "job folders stay behind")
	require.Eventually(t, func() bool { return zombies(t) == 0 }, 3*time.Minute, 20*time.Millisecond, "children stay behind")
}

// damage flips up to 16 bytes, half of the time among the first of the file,
// and cuts every eighth.
func damage(clip []byte, seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 0))
	b := bytes.Clone(clip)
	within := len(b)
	if seed%2 == 0 {
		within = min(within, 2048)
	}
	for range 1 + random.IntN(16) {
		b[random.IntN(within)] ^= byte(1 + random.IntN(255))
	}
	if seed%8 == 7 {
		b = b[:random.IntN(len(b))]
	}
	return b
}

// zombies counts children of this process that ended and were not waited for.
func zombies(t *testing.T) int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	n := 0
	for _, name := range stats {
		content, _ := os.ReadFile(name) // it may be gone
		_, rest, _ := strings.Cut(string(content), ") ")
		if strings.HasPrefix(rest, "Z "+strconv.Itoa(os.Getpid())+" ") {
			n++
		}
	}
	return n
}
