package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// beacons measures how many beacons of two intervals a second one core accepts,
// all engines included: validated, enriched, synced to the event log and moved to
// ClickHouse, all pinned to one core while the load runs on the other. The peer is
// nginx answering 204 to the same requests without reading them.
func (b *bench) beacons() error {
	s, err := b.startServer("taskset", "-c", "0")
	if err != nil {
		return err
	}
	clip, err := b.clip(30)
	if err != nil {
		return err
	}
	id, _, err := s.upload(clip)
	if err != nil {
		return err
	}
	if _, err := s.await(id, "ready"); err != nil {
		return err
	}
	script, err := b.beaconScript(s, id)
	if err != nil {
		return err
	}
	ours, err := b.wrk(script, s.url+"/beacons/v1")
	if err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	peer, err := b.nginx204(script)
	if err != nil {
		return err
	}
	return b.report(Measure{Name: "beacons_one_core", Ours: ours, Peer: peer, Unit: "requests/s",
		Note: "beacons of two intervals, acked after fsync, whole product on one core; peer nginx return 204 on one core"}, true)
}

// beaconScript makes a wrk script that posts numbered batches of one view a thread.
func (b *bench) beaconScript(s *server, id string) (string, error) {
	res, err := http.Get(s.url + "/embed/medias/" + id + "/config.json")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var config struct {
		ViewToken string `json:"view_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&config); err != nil {
		return "", err
	}
	lua := fmt.Sprintf(`local seq = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "text/plain"
wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
function request()
  seq = seq + 1
  return wrk.format(nil, nil, nil, string.format('{"v":1,"token":%q,"seq":%%d,"sent_at_ms":%d,"events":[{"k":"watch","at_ms":%[2]d,"from_ms":0,"to_ms":5000,"rate":1,"repeat":false},{"k":"watch","at_ms":%[2]d,"from_ms":0,"to_ms":5000,"rate":1,"repeat":true}]}', seq))
end`, config.ViewToken, time.Now().UnixMilli())
	path := filepath.Join(b.dir, "beacons.lua")
	return path, os.WriteFile(path, []byte(lua), 0o600)
}

var requestsPerSecond = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
var badAnswers = regexp.MustCompile(`Non-2xx or 3xx responses: \d+`)

// wrk loads the address for 10 s from the other core, after 2 s of warming up.
func (b *bench) wrk(script, url string) (float64, error) {
	var last []byte
	for _, duration := range []string{"2s", "10s"} {
		out, err := exec.CommandContext(b.ctx, "taskset", "-c", "1", "wrk", "-t1", "-c64", "-d"+duration, "-s", script, url).CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("wrk: %w\n%s", err, out)
		}
		last = out
	}
	if bad := badAnswers.Find(last); bad != nil {
		return 0, fmt.Errorf("wrk: %s", bad)
	}
	m := requestsPerSecond.FindSubmatch(last)
	if m == nil {
		return 0, fmt.Errorf("wrk said nothing of its rate:\n%s", last)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

func (b *bench) nginx204(script string) (float64, error) {
	addr, err := freeAddr()
	if err != nil {
		return 0, err
	}
	conf := filepath.Join(b.dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/nginx.pid; error_log %[1]s/nginx.log;
events { worker_connections 1024; }
http { access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  server { listen %[2]s; keepalive_requests 1000000; location / { return 204; } } }`, b.dir, addr)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(b.ctx, "taskset", "-c", "0", "nginx", "-c", conf)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	time.Sleep(500 * time.Millisecond)
	rate, err := b.wrk(script, "http://"+addr+"/")
	if serr := cmd.Process.Signal(syscall.SIGTERM); serr != nil {
		return 0, serr
	}
	_ = cmd.Wait() // ended by the signal
	return rate, err
}
