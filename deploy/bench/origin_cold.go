package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/vitascope/vitascope/internal/blob"
)

// originCold asks for one segment that nobody has asked for yet, 1,000 times at
// once.
func (b *bench) originCold(o *originRig) error {
	free, err := pinThreads(1) // off the server's processor, as wrk is
	if err != nil {
		return err
	}
	defer free()
	key := func(i int) string { return fmt.Sprintf("/g1/a1/v1080/%d.m4s", i) }
	var single, joined []float64
	most := int64(0)
	for round := range originRounds {
		start := time.Now()
		r, _, err := o.store.Get(b.ctx, blob.MediaPrefix(originAccount, originMedia)+key(round)[1:])
		if err != nil {
			return err
		}
		if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
			return err
		}
		single = append(single, time.Since(start).Seconds()*1000)
		_, _ = io.Copy(io.Discard, r)
		_ = r.Close()
		o.reads.Store(0)
		firsts, err := b.viewers(o.oursURL+"/g1/a1/v360/index.m3u8", o.oursURL+key(originRounds+round))
		if err != nil {
			return err
		}
		most = max(most, o.reads.Load())
		joined = append(joined, firsts...)
	}
	slices.Sort(single)
	slices.Sort(joined)
	if err := b.report(Measure{Name: "origin_coalescing", Ours: float64(most), Peer: 1, Unit: "S3 GETs", Goal: 1,
		Note: fmt.Sprintf("most of %d rounds of %d concurrent cold requests for one segment", originRounds, originViewers)}, false); err != nil {
		return err
	}
	return b.report(Measure{Name: "origin_first_byte", Ours: joined[len(joined)/2], Peer: single[len(single)/2], Unit: "ms", Goal: 1.1,
		Note: fmt.Sprintf("median to the first byte of %d concurrent cold requests; peer one GET from the same S3, which takes %v to its first byte and %v more to its last", originViewers, coldDelay, coldRest)}, false)
}

// viewersArg makes a process of this program the viewers of one round.
const viewersArg = "__viewers"

// viewers is firstBytes in a process of its own: in this one the object store's turn
// would come after that of a thousand viewers.
func (b *bench) viewers(warm, cold string) (firsts []float64, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(b.ctx, self, viewersArg, warm, cold)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("viewers: %w", err)
	}
	return firsts, json.Unmarshal(out, &firsts)
}

// runViewers is what such a process does.
func runViewers(args []string) error {
	if len(args) != 2 {
		return errors.New("viewers: want what warms the server, and what is asked for")
	}
	firsts, err := firstBytes(args[0], args[1])
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(firsts)
}

// firstBytes returns when each of the viewers, connected already, had the first
// byte of the body, in milliseconds from the start of all.
func firstBytes(warm, cold string) ([]float64, error) {
	u, err := url.Parse(cold)
	if err != nil {
		return nil, err
	}
	conns := make([]net.Conn, originViewers)
	for i := range conns {
		if conns[i], err = net.Dial("tcp", u.Host); err != nil {
			return nil, err
		}
		defer conns[i].Close()
	}
	if err := answers(warm); err != nil {
		return nil, err
	}
	request := []byte("GET " + u.Path + " HTTP/1.1\r\nHost: " + u.Host + "\r\n\r\n")
	firsts, errs := make([]float64, originViewers), make([]error, originViewers)
	start := time.Now()
	var all, begun sync.WaitGroup
	begun.Add(len(conns))
	for i, c := range conns {
		all.Go(func() { firsts[i], errs[i] = firstByte(c, request, start, &begun) })
	}
	all.Wait()
	return firsts, errors.Join(errs...)
}

// firstByte asks on a connection and returns when the body began. It takes the rest
// once begun is done: viewers have processors of their own, and what these spend on
// the rest would be missing where another waits for a first byte.
func firstByte(c net.Conn, request []byte, start time.Time, begun *sync.WaitGroup) (float64, error) {
	wait := sync.OnceFunc(func() { begun.Done(); begun.Wait() })
	defer wait()
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	buf, got := make([]byte, 64<<10), 0
	for {
		n, err := c.Read(buf[got:])
		if err != nil {
			return 0, err
		}
		got += n
		head := bytes.Index(buf[:got], []byte("\r\n\r\n"))
		if head < 0 || got <= head+4 {
			continue
		}
		took := time.Since(start).Seconds() * 1000
		if !bytes.HasPrefix(buf, []byte("HTTP/1.1 200")) {
			return 0, fmt.Errorf("cold segment: %.60s", buf)
		}
		wait()
		_, err = io.CopyN(io.Discard, c, int64(1<<20-(got-head-4)))
		return took, err
	}
}

// answers waits until the address answers 200, at most a minute.
func answers(address string) error {
	var last error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		res, err := http.Get(address)
		if err != nil {
			last = err
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return nil
		}
		last = fmt.Errorf("%s: %s", address, res.Status)
	}
	return last
}
