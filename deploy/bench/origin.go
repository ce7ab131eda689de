package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/vitascope/vitascope/deploy/engines"
	"github.com/vitascope/vitascope/internal/blob"
)

const (
	originMedia   = "benchmedia"
	originAccount = "benchowner"
	hotSegments   = 16
	originRounds  = 5
	originViewers = 1000
	// coldDelay is how long the object store takes for a first byte, and then for the
	// rest: a store in the same region.
	coldDelay, coldRest = 200 * time.Millisecond, 100 * time.Millisecond
)

// origin measures a process of the player role alone, as a cluster runs it, in
// front of an S3 server whose slowness is made: hot segments and playlists beside
// nginx with sendfile, per CPU-second of the server, and what 1,000 viewers of one
// cold segment cost.
func (b *bench) origin() error {
	o, err := b.startOrigin()
	if err != nil {
		return err
	}
	defer o.close()
	if slices.Contains(b.measures, "cold") {
		return b.originCold(o)
	}
	if err := b.originHot(o, "origin_segments", "1 MB segments, bytes per server CPU-second", o.segmentPaths(), 1.0); err != nil {
		return err
	}
	if err := b.originHot(o, "origin_playlists", "1.2 KB playlists, per server CPU-second", []string{"/g1/a1/v360/index.m3u8"}, 0.4); err != nil {
		return err
	}
	return b.originCold(o)
}

// originRig is the store with its gate, and both servers.
type originRig struct {
	engines *engines.Engines
	store   *blob.Store // behind the gate
	gate    *httptest.Server
	reads   atomic.Int64 // GETs of cold segments
	ours    *exec.Cmd
	nginx   *exec.Cmd
	oursURL string
	peerURL string
}

func (b *bench) startOrigin() (*originRig, error) {
	o := &originRig{}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	cfg := engines.DefaultConfig(filepath.Join(b.dir, "origin-s3"))
	cfg.Kafka, cfg.ClickHouse = false, false
	var err error
	if o.engines, err = engines.New(cfg, secret, slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	at, err := o.engines.Start(b.ctx)
	if err != nil {
		return nil, err
	}
	o.gate = httptest.NewServer(o.slow(at.S3Addr))
	s3 := blob.Config{Endpoint: strings.TrimPrefix(o.gate.URL, "http://"), Region: at.S3Region, Bucket: "vitascope",
		AccessKey: at.S3AccessKey, SecretKey: at.S3SecretKey}
	if o.store, err = blob.Open(s3, slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	if err := b.fillOrigin(o); err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	o.oursURL = "http://" + addr + "/hls/" + originMedia
	o.ours = exec.CommandContext(b.ctx, "taskset", "-c", "0", filepath.Join(b.root, "bin/vitascope"), "serve", "--roles", "player",
		"--data", filepath.Join(b.dir, "origin-data"), "--listen", addr, "--log-level", "error", "--secret", hex.EncodeToString(secret),
		"--s3-endpoint", s3.Endpoint, "--s3-access-key", s3.AccessKey, "--s3-secret-key", s3.SecretKey)
	o.ours.Stderr = os.Stderr
	if err := o.ours.Start(); err != nil {
		return nil, err
	}
	if err := answers("http://" + addr + "/healthz"); err != nil {
		return nil, err
	}
	return o, b.startNginxStatic(o)
}

// slow passes requests on and makes those for cold segments take their time.
func (o *originRig) slow(s3 string) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: s3})
			r.Out.Host = r.In.Host // it is signed
		},
		FlushInterval: -1,
		ModifyResponse: func(res *http.Response) error {
			if isCold(res.Request) {
				time.Sleep(coldDelay)
				res.Body = &dripping{ReadCloser: res.Body}
			}
			return nil
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isCold(r) {
			o.reads.Add(1)
		}
		proxy.ServeHTTP(w, r)
	})
}

func isCold(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/v1080/")
}

// dripping spreads a megabyte over coldRest.
type dripping struct{ io.ReadCloser }

func (d *dripping) Read(p []byte) (int, error) {
	time.Sleep(coldRest / 16)
	return d.ReadCloser.Read(p[:min(len(p), 64<<10)])
}

// fillOrigin stores a publication, and the same files in a folder for nginx.
func (b *bench) fillOrigin(o *originRig) error {
	if err := o.store.EnsureBucket(b.ctx); err != nil {
		return err
	}
	playlist := "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n#EXT-X-MAP:URI=\"init.mp4\"\n"
	for i := range 60 {
		playlist += fmt.Sprintf("#EXTINF:6.000,\n%d.m4s\n", i)
	}
	files := map[string][]byte{"g1/p1/multivariant.m3u8": []byte("#EXTM3U\n"), "g1/a1/v360/index.m3u8": []byte(playlist)}
	for i := range hotSegments {
		segment := make([]byte, 1<<20)
		_, _ = rand.Read(segment)
		files[fmt.Sprintf("g1/a1/v360/%d.m4s", i)] = segment
	}
	for i := range 2 * originRounds {
		files[fmt.Sprintf("g1/a1/v1080/%d.m4s", i)] = bytes.Repeat([]byte{byte(i)}, 1<<20)
	}
	for name, body := range files {
		if err := o.store.PutBytes(b.ctx, blob.MediaPrefix(originAccount, originMedia)+name, body, "video/mp4"); err != nil {
			return err
		}
		path := filepath.Join(b.dir, "static", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, body, 0o600); err != nil {
			return err
		}
	}
	return o.store.WritePointer(b.ctx, blob.Pointer{Account: originAccount, Media: originMedia, Generation: 1, Publication: 1,
		State: "ready", Name: "bench", DurationMS: 360_000, Multivariant: "g1/p1/multivariant.m3u8"})
}

func (b *bench) startNginxStatic(o *originRig) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	conf := filepath.Join(b.dir, "nginx-static.conf")
	text := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/static.pid; error_log %[1]s/static.log;
events { worker_connections 2048; }
http { access_log off; sendfile on; tcp_nopush on; open_file_cache max=1000; open_file_cache_valid 60s; keepalive_requests 100000000;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  types { application/vnd.apple.mpegurl m3u8; video/mp4 m4s; }
  server { listen %[2]s; root %[1]s/static; location / { add_header Access-Control-Allow-Origin *; add_header Cache-Control "public, max-age=31536000, immutable"; } } }`, b.dir, addr)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return err
	}
	o.peerURL = "http://" + addr
	o.nginx = exec.CommandContext(b.ctx, "taskset", "-c", "0", "nginx", "-c", conf)
	if err := o.nginx.Start(); err != nil {
		return err
	}
	return answers(o.peerURL + "/g1/a1/v360/index.m3u8")
}

func (o *originRig) segmentPaths() []string {
	paths := make([]string, hotSegments)
	for i := range paths {
		paths[i] = fmt.Sprintf("/g1/a1/v360/%d.m4s", i)
	}
	return paths
}

func (o *originRig) close() {
	for _, c := range []*exec.Cmd{o.ours, o.nginx} {
		if c != nil && c.Process != nil {
			_ = c.Process.Signal(syscall.SIGTERM)
			_ = c.Wait() // ended by the signal
		}
	}
	o.gate.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_ = o.engines.Stop(ctx)
}

// originHot loads both servers in turns and compares what a CPU-second of each
// serves.
func (b *bench) originHot(o *originRig, name, what string, paths []string, goal float64) error {
	script, err := b.cyclingScript(name, paths)
	if err != nil {
		return err
	}
	var ours, peer []float64
	for range originRounds {
		for _, side := range []struct {
			cmd  *exec.Cmd
			base string
			into *[]float64
		}{{o.ours, o.oursURL, &ours}, {o.nginx, o.peerURL, &peer}} {
			perSecond, err := b.perCPUSecond(side.cmd.Process.Pid, script, side.base)
			if err != nil {
				return err
			}
			*side.into = append(*side.into, perSecond)
		}
	}
	slices.Sort(ours)
	slices.Sort(peer)
	return b.report(Measure{Name: name, Ours: ours[originRounds/2], Peer: peer[originRounds/2], Unit: "requests/CPU-s", Goal: goal,
		Note: what + fmt.Sprintf(", median of %d turns, player role alone; peer nginx %s static, sendfile, open_file_cache", originRounds, "1.22")}, true)
}

// cyclingScript makes a wrk script that asks for the paths in turn.
func (b *bench) cyclingScript(name string, paths []string) (string, error) {
	lua := "local base, n = '', 0\nlocal paths = {'" + strings.Join(paths, "','") + "'}\n" + `function init(args) base = args[1] or '' end
function request()
  n = n % #paths + 1
  return wrk.format("GET", base .. paths[n])
end`
	path := filepath.Join(b.dir, name+".lua")
	return path, os.WriteFile(path, []byte(lua), 0o600)
}

// perCPUSecond is how many requests the process serves in a second of its CPU time.
func (b *bench) perCPUSecond(pid int, script, base string) (float64, error) {
	u, err := url.Parse(base)
	if err != nil {
		return 0, err
	}
	before, err := cpuSeconds(pid)
	if err != nil {
		return 0, err
	}
	out, err := exec.CommandContext(b.ctx, "taskset", "-c", "1", "wrk", "-t1", "-c32", "-d4s", "-s", script, base, "--", strings.TrimSuffix(u.Path, "/")).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	if bad := badAnswers.Find(out); bad != nil {
		return 0, fmt.Errorf("wrk: %s", bad)
	}
	after, err := cpuSeconds(pid)
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(out[max(0, bytes.Index(out, []byte(" requests in "))-20):]))
	served := 0.0
	for i, f := range fields {
		if f == "requests" && i > 0 {
			served, err = strconv.ParseFloat(fields[i-1], 64)
			break
		}
	}
	if err != nil || served == 0 || after <= before {
		return 0, fmt.Errorf("wrk said nothing of its requests:\n%s", out)
	}
	return served / (after - before), nil
}

// cpuSeconds is the CPU time a process has used: fields 14 and 15 of its stat, in
// hundredths of a second.
func cpuSeconds(pid int) (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	user, err := strconv.ParseFloat(fields[11], 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100, err
}
