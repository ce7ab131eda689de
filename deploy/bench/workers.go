package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// twoWorkers compares the wall time of a ladder made by two workers with that of one,
// each a process with one encode at a time pinned to a core of its own, beside real
// Kafka, MinIO, Postgres and ClickHouse. It also tells a worker's peak memory.
func (b *bench) twoWorkers() error {
	seconds, rounds := 60, 2
	if b.short {
		seconds, rounds = 20, 1
	}
	clip, err := b.film(seconds, 12_000)
	if err != nil {
		return err
	}
	engines, stop, err := b.startCluster()
	if err != nil {
		return err
	}
	defer stop()
	front, err := b.startRoles(engines, "ingest,api,player,collect,sink")
	if err != nil {
		return err
	}
	var took [2][]float64
	peak := 0.0
	for range rounds {
		for n := range took {
			wall, memory, err := b.withWorkers(engines, front, clip, n+1)
			if err != nil {
				return err
			}
			took[n], peak = append(took[n], wall.Seconds()), max(peak, memory)
		}
	}
	if err := front.stop(); err != nil {
		return err
	}
	if err := b.report(Measure{Name: "worker_memory", Ours: peak, Peer: 900, Unit: "MiB", Goal: 1,
		Note: "peak resident of one worker and its media children, 1080p ladder; peer is the target"}, false); err != nil {
		return err
	}
	return b.report(Measure{Name: "two_workers", Ours: median(took[1]), Peer: median(took[0]), Unit: "s", Goal: 0.55,
		Note: fmt.Sprintf("last byte to ready, %d s 1080p30; two workers beside one, each pinned to a core", seconds)}, false)
}

// withWorkers makes a clip ready with n workers and returns how long that took, and
// the most memory that one of them held.
func (b *bench) withWorkers(engines []string, front *server, clip string, n int) (time.Duration, float64, error) {
	var workers []*server
	for i := range n {
		w, err := b.startRoles(engines, "transcode", "taskset", "-c", strconv.Itoa(i))
		if err != nil {
			return 0, 0, err
		}
		if err := b.settle(w); err != nil {
			return 0, 0, err
		}
		workers = append(workers, w)
	}
	id, last, err := front.upload(clip)
	if err != nil {
		return 0, 0, err
	}
	type end struct {
		at  time.Time
		err error
	}
	ended := make(chan end, 1)
	go func() {
		at, err := front.awaitEach(100*time.Millisecond, id, "ready")
		ended <- end{at, err}
	}()
	peak := 0.0
	for {
		select {
		case e := <-ended:
			if e.err != nil {
				return 0, 0, e.err
			}
			for _, w := range workers {
				if err := w.stop(); err != nil {
					return 0, 0, err
				}
			}
			return e.at.Sub(last), peak, nil
		case <-time.After(250 * time.Millisecond):
			for _, w := range workers {
				now, err := residentMiB(w.cmd.Process.Pid)
				if err != nil {
					return 0, 0, err
				}
				peak = max(peak, now)
			}
		}
	}
}

// startCluster starts the servers of deploy/cluster and returns the variables that
// lead to them.
func (b *bench) startCluster() (environment []string, stop func(), err error) {
	program, file := filepath.Join(b.dir, "cluster"), filepath.Join(b.dir, "cluster.env")
	if err := b.run("go", "build", "-o", program, "./deploy/cluster"); err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(b.ctx, program, "up", "--env-file", file)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	var words bytes.Buffer
	cmd.Stderr = &words
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // fails when it has ended
		<-ended
	}
	for {
		text, err := os.ReadFile(file)
		if err == nil {
			return append(os.Environ(), strings.Fields(string(text))...), stop, nil
		}
		select {
		case err := <-ended:
			return nil, nil, fmt.Errorf("cluster: %w\n%s", err, &words)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// startRoles starts some roles of vitascope beside real engines, under prefix if
// given, and returns once they answer.
func (b *bench) startRoles(engines []string, roles string, prefix ...string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp(b.dir, "roles-")
	if err != nil {
		return nil, err
	}
	argv := append(prefix, filepath.Join(b.root, "bin/vitascope"), "serve", "--roles", roles, "--transcode-workers", "1",
		"--data", data, "--listen", addr, "--log-level", "error")
	cmd := exec.CommandContext(b.ctx, argv[0], argv[1:]...)
	cmd.Env = engines
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
	s := &server{cmd: cmd, url: "http://" + addr}
	lines, login := bufio.NewScanner(out), ""
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Vitascope is at") {
	}
	for strings.Contains(roles, "api") && login == "" && lines.Scan() {
		_, login, _ = strings.Cut(lines.Text(), "/#/login/")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if login != "" {
		s.token, err = s.signIn(strings.TrimSpace(login))
	}
	return s, err
}

// signIn exchanges a login token for one of the API.
func (s *server) signIn(login string) (string, error) {
	body, err := json.Marshal(map[string]string{"login_token": login})
	if err != nil {
		return "", err
	}
	session, err := http.Post(s.url+"/v1/sessions", "application/json", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	defer session.Body.Close()
	request, err := http.NewRequest(http.MethodPost, s.url+"/v1/api-tokens", strings.NewReader(`{"name":"bench"}`))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	for _, c := range session.Cookies() {
		request.AddCookie(c)
	}
	res, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var made struct{ Token string }
	if err := json.NewDecoder(res.Body).Decode(&made); err != nil {
		return "", err
	}
	if made.Token == "" {
		return "", errors.New("signing in gave no token: " + res.Status)
	}
	return made.Token, nil
}
