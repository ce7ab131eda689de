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

// effort is what workers needed for a ladder.
type effort struct {
	wall time.Duration // from the last byte on
	cpu  float64       // seconds of all workers and their children
	peak float64       // MiB, of the largest; of one worker alone
}

// twoWorkers compares the wall time of a ladder made by two workers with that of one,
// each a process with one encode at a time pinned to a core of its own, beside real
// Kafka, MinIO, Postgres and ClickHouse. It also tells a worker's peak memory. What
// workers that wait for nothing and make nothing twice would need follows from the
// processor time, which is told too: as much for two as for one.
func (b *bench) twoWorkers() error {
	seconds := 60
	if b.short {
		seconds = 20
	}
	clip, err := b.film(seconds, 8000)
	if err != nil {
		return err
	}
	engines, stop, err := b.startCluster()
	if err != nil {
		return err
	}
	defer stop()
	defer b.stopServers() // before what they use
	front, err := b.startRoles(engines, "ingest,api,player,collect,sink")
	if err != nil {
		return err
	}
	var wall, cpu [2][]float64
	peak := 0.0
	for range b.rounds(3, 1) {
		for n := range wall {
			e, err := b.withWorkers(engines, front, clip, n+1)
			if err != nil {
				return err
			}
			wall[n], cpu[n], peak = append(wall[n], e.wall.Seconds()), append(cpu[n], e.cpu), max(peak, e.peak)
		}
	}
	if err := front.stop(); err != nil {
		return err
	}
	clipped := fmt.Sprintf("%d s 1080p30 H.264", seconds)
	if err := b.report(Measure{Name: "worker_memory", Ours: peak, Peer: 900, Unit: "MiB", Goal: 1,
		Note: "peak resident of one worker and its media children, ladder of " + clipped + "; peer is the target"}, false); err != nil {
		return err
	}
	if err := b.report(Measure{Name: "two_workers_cpu", Ours: median(cpu[1]), Peer: median(cpu[0]), Unit: "CPU-seconds",
		Note: "the same work by two workers beside one, with their children: above 1 is what sharing costs"}, false); err != nil {
		return err
	}
	return b.report(Measure{Name: "two_workers", Ours: median(wall[1]), Peer: median(wall[0]), Unit: "s", Goal: 0.55,
		Note: "last byte sent to ready, " + clipped + "; two workers beside one, each pinned to a core, which the engines and the other roles use too"}, false)
}

// withWorkers makes a clip ready with n workers.
func (b *bench) withWorkers(engines []string, front *server, clip string, n int) (effort, error) {
	var workers []*server
	for i := range n {
		w, err := b.startRoles(engines, "transcode", "taskset", "-c", strconv.Itoa(i))
		if err != nil {
			return effort{}, err
		}
		if err := b.settle(w); err != nil {
			return effort{}, err
		}
		workers = append(workers, w)
	}
	before, err := cpuOf(workers)
	if err != nil {
		return effort{}, err
	}
	id, last, err := front.upload(clip)
	if err != nil {
		return effort{}, err
	}
	type end struct {
		at  time.Time
		err error
	}
	ended := make(chan end, 1)
	go func() {
		// Answering takes processor time, which two workers would miss and one would not.
		at, err := front.awaitEach(time.Second, id, "ready")
		ended <- end{at, err}
	}()
	// So does looking, 4 % of a processor.
	var look <-chan time.Time
	if n == 1 {
		every := time.NewTicker(250 * time.Millisecond)
		defer every.Stop()
		look = every.C
	}
	peak := 0.0
	for {
		select {
		case e := <-ended:
			if e.err != nil {
				return effort{}, e.err
			}
			after, err := cpuOf(workers)
			for _, w := range workers {
				err = errors.Join(err, w.stop())
			}
			return effort{wall: e.at.Sub(last), cpu: after - before, peak: peak}, err
		case <-look:
			for _, w := range workers {
				now, err := residentMiB(w.cmd.Process.Pid)
				if err != nil {
					return effort{}, err
				}
				peak = max(peak, now)
			}
		}
	}
}

// cpuOf adds up what workers have used.
func cpuOf(workers []*server) (float64, error) {
	sum := 0.0
	for _, w := range workers {
		used, err := treeSeconds(w.cmd.Process.Pid)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
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
	s := &server{cmd: cmd, data: data, url: "http://" + addr}
	b.servers = append(b.servers, s)
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
