package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a running vitascope.
type server struct {
	cmd     *exec.Cmd
	data    string
	url     string
	token   string
	stopped bool
}

// startServer runs vitascope with a fresh data folder, under prefix (such as
// taskset) if given, and returns once it answers.
func (b *bench) startServer(prefix ...string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp(b.dir, "data-")
	if err != nil {
		return nil, err
	}
	argv := append(prefix, filepath.Join(b.root, "bin/vitascope"), "serve", "--data", data, "--listen", addr, "--log-level", "error")
	cmd := exec.CommandContext(b.ctx, argv[0], argv[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, data: data, url: "http://" + addr}
	b.servers = append(b.servers, s)
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Vitascope is at") {
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	token, err := os.ReadFile(filepath.Join(data, "cli-token"))
	if err != nil {
		return nil, fmt.Errorf("vitascope did not start: %w", err)
	}
	s.token = string(token)
	return s, nil
}

// stop ends the server and removes its data, which in films is much. Once is enough.
func (s *server) stop() error {
	if s.stopped {
		return nil
	}
	s.stopped = true
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return errors.Join(s.cmd.Wait(), os.RemoveAll(s.data))
}

// stopServers ends those that a measure which failed left behind.
func (b *bench) stopServers() {
	for _, s := range b.servers {
		_ = s.stop() // what failed before is told
	}
	b.servers = nil
}

// media is what bench reads of the API's media.
type media struct {
	State   string
	ReadyAt time.Time `json:"ready_at"` // zero before
	Failure *struct{ Code, Reason string }
}

func (s *server) get(path string, out any) error {
	req, err := http.NewRequest(http.MethodGet, s.url+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(out)
}

// upload sends a file by tus in one request, waits for the answer, and returns its
// media's id and the time at which its last byte was sent.
func (s *server) upload(path string) (string, time.Time, error) {
	u, err := s.send(path)
	if err != nil {
		return "", time.Time{}, err
	}
	if err := <-u.answered; err != nil {
		return "", time.Time{}, err
	}
	return u.id, <-u.sent, nil
}

// sending is an upload that goes on.
type sending struct {
	id       string
	sent     chan time.Time // when the last byte was given to the connection
	answered chan error
}

// send starts to upload a file.
func (s *server) send(path string) (sending, error) {
	f, err := os.Open(path)
	if err != nil {
		return sending{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return sending{}, errors.Join(err, f.Close())
	}
	create, err := s.tus(http.MethodPost, s.url+"/uploads/", nil, 0, map[string]string{
		"Upload-Length":   strconv.FormatInt(info.Size(), 10),
		"Upload-Metadata": "filename " + base64.StdEncoding.EncodeToString([]byte(filepath.Base(path))),
	}, http.StatusCreated)
	if err != nil {
		return sending{}, errors.Join(err, f.Close())
	}
	u := sending{id: create.Get("Vitascope-Media-Id"), sent: make(chan time.Time, 1), answered: make(chan error, 1)}
	go func() {
		_, err := s.tus(http.MethodPatch, s.url+create.Get("Location"), &watched{from: f, left: info.Size(), sent: u.sent}, info.Size(), map[string]string{
			"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream",
		}, http.StatusNoContent)
		u.answered <- errors.Join(err, f.Close())
	}()
	return u, nil
}

// watched tells when its last byte has been read.
type watched struct {
	from io.Reader
	left int64
	sent chan<- time.Time
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.from.Read(p)
	if w.left -= int64(n); n > 0 && w.left == 0 {
		w.sent <- time.Now()
	}
	return n, err
}

func (s *server) tus(method, url string, body io.Reader, size int64, headers map[string]string, want int) (http.Header, error) {
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return nil, err
	}
	req.ContentLength = size
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Tus-Resumable", "1.0.0")
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != want {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		return nil, fmt.Errorf("%s %s: %s: %s", method, url, res.Status, text)
	}
	return res.Header, nil
}

// await asks for the media's state each 10 ms until it is one of states.
func (s *server) await(id string, states ...string) (time.Time, error) {
	return s.awaitEach(10*time.Millisecond, id, states...)
}

// awaitEach asks less often, where the server's own work is measured. When a media
// became ready the catalog tells, however late it is seen.
func (s *server) awaitEach(pause time.Duration, id string, states ...string) (time.Time, error) {
	for deadline := time.Now().Add(time.Hour); time.Now().Before(deadline); time.Sleep(pause) {
		var m media
		if err := s.get("/v1/media/"+id, &m); err != nil {
			return time.Time{}, err
		}
		if m.Failure != nil {
			return time.Time{}, fmt.Errorf("media failed: %s", m.Failure.Reason)
		}
		switch {
		case !slices.Contains(states, m.State):
		case m.State == "ready":
			return m.ReadyAt, nil
		default:
			return time.Now(), nil
		}
	}
	return time.Time{}, fmt.Errorf("media %s took more than an hour", id)
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
