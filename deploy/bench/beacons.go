package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/vitascope/vitascope/deploy/engines"
	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/beacon"
)

const (
	beaconViews  = 64  // playbacks that send at once
	beaconConns  = 256 // connections they come by
	beaconRounds = 3
	denseEvents  = 50 // events of a batch of the whole path
)

// beacons measures receiving: beacon_requests, beacon_pipeline, freshness_p99.
func (b *bench) beacons() error {
	for _, tool := range []string{"nginx", "wrk"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is needed: apt-get install nginx-light wrk", tool)
		}
	}
	secret := rand.Text() + rand.Text()
	keys, err := auth.NewKeys([]byte(secret))
	if err != nil {
		return err
	}
	settings := []string{"VITASCOPE_SECRET=" + secret, "VITASCOPE_COLLECT_ADDRESS_RATE=1000000", "VITASCOPE_COLLECT_MEDIA_RATE=1000000"}
	rig := &beaconBench{bench: b, key: keys.ViewToken, settings: settings}
	for _, m := range []struct {
		name string
		run  func() error
	}{{"requests", rig.requests}, {"path", rig.path}} {
		if len(b.measures) > 0 && !slices.Contains(b.measures, m.name) {
			continue
		}
		if err := m.run(); err != nil {
			return err
		}
	}
	return nil
}

type beaconBench struct {
	*bench
	key      []byte
	settings []string
}

// tokens are the view tokens of so many playbacks.
func (b *beaconBench) tokens(account string, n int) ([]string, error) {
	tokens := make([]string, n)
	for i := range tokens {
		view, err := uuid.NewV7()
		if err != nil {
			return nil, err
		}
		now := time.Now()
		tokens[i], err = beacon.SignViewToken(b.key, beacon.Claims{
			Account: account, Media: fmt.Sprintf("media%05d", i%8), View: view.String(), Duration: 10 * time.Minute,
			IssuedAt: now, ExpiresAt: now.Add(beacon.TokenLife),
		})
		if err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

// requests compares a collector, which answers one beacon of two intervals a
// request with everything on (token, checks, visitor, country, limits, receipt, the
// log's word that it is on disk), with nginx that answers 204 to the same requests
// without reading them: requests per second of processor time of either process,
// in turns.
func (b *beaconBench) requests() (err error) {
	cfg := engines.DefaultConfig(filepath.Join(b.dir, "beacons-log"))
	cfg.S3, cfg.ClickHouse = false, false
	e, err := engines.New(cfg, []byte(rand.Text()+rand.Text()), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Stop(context.Background())) }()
	at, err := e.Start(b.ctx)
	if err != nil {
		return err
	}
	s, err := b.startRoles(slices.Concat(os.Environ(), b.settings, []string{"VITASCOPE_KAFKA_BROKERS=" + at.KafkaBrokers[0]}), "collect")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	nginx, err := b.startNginx204()
	if err != nil {
		return err
	}
	defer nginx.stop()
	var ours, peers, ratios []float64
	rounds, lasts := b.beaconTimes()
	for round := range rounds + 1 {
		script, err := b.script("account001", 2)
		if err != nil {
			return err
		}
		our, err := b.perCPU(script, s.url+"/beacons/v1", lasts, s.cmd.Process.Pid)
		if err != nil {
			return err
		}
		peer, err := b.perCPU(script, nginx.url, lasts, nginx.cmd.Process.Pid)
		if err != nil {
			return err
		}
		if round > 0 { // the first warms up
			ours, peers, ratios = append(ours, our), append(peers, peer), append(ratios, our/peer)
		}
	}
	i := slices.Index(ratios, slices.Sorted(slices.Values(ratios))[len(ratios)/2])
	return b.report(Measure{Name: "beacon_requests", Ours: ours[i], Peer: peers[i], Unit: "requests per CPU-second", Goal: 0.4,
		Note: fmt.Sprintf("one beacon of two intervals a request, all on, answered after the log's fsync; CPU of the collector, the log is another process; peer nginx return 204; median of %d rounds, %d connections", rounds, beaconConns)}, true)
}

// beaconTimes are how many rounds there are and how long each side's turn lasts.
func (b *bench) beaconTimes() (rounds int, lasts string) {
	if b.short {
		return 1, "3s"
	}
	return beaconRounds, "8s"
}

// perCPU loads the address and returns requests per second of the process's time.
func (b *beaconBench) perCPU(script, url, lasts string, pid int) (float64, error) {
	before, err := cpuSeconds(pid)
	if err != nil {
		return 0, err
	}
	requests, err := b.wrk(script, url, lasts)
	if err != nil {
		return 0, err
	}
	after, err := cpuSeconds(pid)
	return requests / (after - before), err
}

// script makes a wrk script that posts numbered batches of new views, each with so
// many intervals, half of them repeated.
func (b *beaconBench) script(account string, intervals int) (string, error) {
	tokens, err := b.tokens(account, beaconViews)
	if err != nil {
		return "", err
	}
	quoted := make([]string, len(tokens))
	for i, t := range tokens {
		quoted[i] = strconv.Quote(t)
	}
	now := time.Now().UnixMilli()
	events := make([]string, intervals)
	for i := range events {
		events[i] = fmt.Sprintf(`{"k":"watch","at_ms":%d,"from_ms":%d,"to_ms":%d,"rate":1,"repeat":%t}`, now, i/2*5000, i/2*5000+5000, i%2 == 1)
	}
	lua := fmt.Sprintf(`local tokens = {%s}
local n = 0
local tail = ',"sent_at_ms":%d,"events":[%s]}'
wrk.method = "POST"
wrk.headers["Content-Type"] = "text/plain;charset=UTF-8"
wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
function request()
  n = n + 1
  return wrk.format(nil, nil, nil, '{"v":1,"token":"' .. tokens[n %% #tokens + 1] .. '","seq":' .. math.floor(n / #tokens) .. tail)
end`, strings.Join(quoted, ","), now, strings.Join(events, ","))
	path := filepath.Join(b.dir, "beacons.lua")
	return path, os.WriteFile(path, []byte(lua), 0o600)
}

var (
	requestsDone = regexp.MustCompile(`(\d+) requests in`)
	badAnswers   = regexp.MustCompile(`Non-2xx or 3xx responses: \d+|Socket errors: .*`)
)

// wrk loads the address for a while and returns how many requests were answered.
func (b *beaconBench) wrk(script, url, lasts string) (float64, error) {
	out, err := exec.CommandContext(b.ctx, "wrk", "-t1", "-c"+strconv.Itoa(beaconConns), "-d"+lasts, "--timeout", "10s", "-s", script, url).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	if bad := badAnswers.Find(out); bad != nil {
		return 0, fmt.Errorf("wrk: %s", bad)
	}
	m := requestsDone.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("wrk said nothing of its requests:\n%s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// path measures the whole way of beacons in batches, from the socket into
// ClickHouse, by the time of all processes of a standalone server, and how late
// what is sent can be seen at half of that rate.
func (b *beaconBench) path() (err error) {
	s, err := b.startServer(append([]string{"env"}, b.settings...)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	var me struct {
		Account struct{ ID string } `json:"account"`
	}
	if err := s.get("/v1/session", &me); err != nil {
		return err
	}
	var rates, walls []float64
	rounds, lasts := b.beaconTimes()
	for range rounds {
		rate, wall, err := b.whole(s, me.Account.ID, lasts)
		if err != nil {
			return err
		}
		rates, walls = append(rates, rate), append(walls, wall)
	}
	if err := b.report(Measure{Name: "beacon_pipeline", Ours: median(rates), Peer: 50_000, Unit: "events per CPU-second", Goal: 1,
		Note: fmt.Sprintf("batches of %d intervals, from HTTP to all tables of ClickHouse, time of every process of a standalone server; peer: the goal; at most %.0f events a second here", denseEvents, median(walls))}, true); err != nil {
		return err
	}
	late, err := b.freshness(s, me.Account.ID, median(walls)/2)
	if err != nil {
		return err
	}
	return b.report(Measure{Name: "freshness_p99", Ours: percentile(late, 0.99), Peer: 5, Unit: "s", Goal: 1,
		Note: fmt.Sprintf("from a beacon's answer to its being counted by the API, at %.0f events a second, half of the most; %d beacons; peer: the goal", median(walls)/2, len(late))}, false)
}

// whole sends dense batches until some time has passed and waits until all are
// stored. It returns events per second of processor time, and of the clock.
func (b *beaconBench) whole(s *server, account, lasts string) (perCPU, perSecond float64, err error) {
	received := func() (float64, error) {
		var ledger struct {
			Total struct{ Received float64 } `json:"total"`
		}
		err := s.get("/v1/stats/ledger", &ledger)
		return ledger.Total.Received, err
	}
	had, err := received()
	if err != nil {
		return 0, 0, err
	}
	script, err := b.script(account, denseEvents)
	if err != nil {
		return 0, 0, err
	}
	began, before, err := time.Now(), 0.0, error(nil)
	if before, err = familySeconds(s.cmd.Process.Pid); err != nil {
		return 0, 0, err
	}
	sent, err := b.wrk(script, s.url+"/beacons/v1", lasts)
	if err != nil {
		return 0, 0, err
	}
	for deadline := time.Now().Add(5 * time.Minute); ; {
		have, err := received()
		if err != nil {
			return 0, 0, err
		}
		if have-had >= sent {
			sent = have - had // wrk counts none it did not wait for
			break
		}
		if time.Now().After(deadline) {
			return 0, 0, fmt.Errorf("%.0f of %.0f batches are stored after 5 minutes", have-had, sent)
		}
		time.Sleep(200 * time.Millisecond)
	}
	after, err := familySeconds(s.cmd.Process.Pid)
	events := sent * denseEvents
	return events / (after - before), events / time.Since(began).Seconds(), err
}

// freshness sends at a rate under another account, and meanwhile one beacon after
// the other under the caller's, each when the one before is counted.
func (b *beaconBench) freshness(s *server, account string, eventsPerSecond float64) ([]float64, error) {
	ctx, stop := context.WithTimeout(b.ctx, 40*time.Second)
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	load, err := b.tokens("account0load", beaconViews)
	if err != nil {
		return nil, err
	}
	const senders = 8
	for sender := range senders {
		wg.Go(func() {
			tick := time.NewTicker(time.Duration(float64(time.Second) * senders * denseEvents / eventsPerSecond))
			defer tick.Stop()
			for n := sender; ctx.Err() == nil; n += senders {
				_ = b.post(ctx, s, load[n%len(load)], n/len(load), denseEvents) // the most of them: it is load
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
		})
	}
	loads := func() (uint64, error) {
		var overview struct{ Loads uint64 }
		err := s.get("/v1/stats/overview", &overview)
		return overview.Loads, err
	}
	had, err := loads()
	if err != nil {
		return nil, err
	}
	var late []float64
	for ctx.Err() == nil {
		token, err := b.tokens(account, 1)
		if err != nil {
			return nil, err
		}
		if err := b.post(b.ctx, s, token[0], 0, 2); err != nil {
			return nil, err
		}
		sent := time.Now()
		for had++; ; time.Sleep(20 * time.Millisecond) {
			have, err := loads()
			if err != nil {
				return nil, err
			}
			if have >= had {
				break
			}
			if time.Since(sent) > time.Minute {
				return nil, errors.New("a beacon was not counted within a minute")
			}
		}
		late = append(late, time.Since(sent).Seconds())
	}
	return late, nil
}

// post sends one batch.
func (b *beaconBench) post(ctx context.Context, s *server, token string, seq, intervals int) error {
	type fields = map[string]any
	now := time.Now().UnixMilli()
	events := make([]fields, intervals)
	for i := range events {
		events[i] = fields{"k": "watch", "at_ms": now, "from_ms": i / 2 * 5000, "to_ms": i/2*5000 + 5000, "rate": 1, "repeat": i%2 == 1}
	}
	body, err := json.Marshal(fields{"v": 1, "token": token, "seq": seq, "sent_at_ms": now, "events": events})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/beacons/v1", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("a beacon was answered %s", res.Status)
	}
	return nil
}
