// Command bench measures the product beside its peers, both sides in one run, and
// prints one JSON line per measure, which it also appends to bench.jsonl.
//
// It starts bin/vitascope (see make build) on loopback with a data folder of its
// own, and ffmpeg, nginx and wrk as peers and load; all of them end with it. The
// figures are only as quiet as the machine is.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vitascope/vitascope/deploy/engines"
)

// Measure is one line of output. Ratio is ours to the peer's; Goal is its bound.
type Measure struct {
	Name  string  `json:"measure"`
	Ours  float64 `json:"ours"`
	Peer  float64 `json:"peer"`
	Unit  string  `json:"unit"`
	Ratio float64 `json:"ratio"`
	Goal  float64 `json:"goal,omitempty"`
	OK    *bool   `json:"ok,omitempty"` // absent when there is no goal yet
	Note  string  `json:"note"`
}

// bench is one run: where things are and where results go.
type bench struct {
	ctx     context.Context
	root    string // the checkout
	dir     string // scratch, removed at the end
	long    bool   // the 10 minute clip too
	short   bool   // fewer rounds, shorter clips
	turns   int    // rounds of each measure of the group transcode; 0: as many as it takes
	clips   string // where the clips of the group transcode are; dir or one that stays
	data    string // folder of the audience of the group heatmap, kept; a scratch one when empty
	results *os.File
	// measures are those of the groups transcode, beacons and origin that are wanted; none for all.
	measures []string
	servers  []*server // all that were started
	// since is when the measure of that group began, and began what had been used then.
	since time.Time
	began processors
}

func main() {
	engines.MaybeRunChild() // the embedded ClickHouse is this program again
	if len(os.Args) > 1 && os.Args[1] == viewersArg {
		if err := runViewers(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	only := flag.String("only", "", "groups to run, separated by commas: weights, pipeline, beacons, memory, heatmap, origin, transcode (default: all)")
	long := flag.Bool("long", false, "measure the 10 minute clip and 100 M intervals too (about 30 minutes on 2 cores)")
	short := flag.Bool("short", false, "fewer and shorter rounds of the groups beacons and transcode: for a look, not for figures")
	measures := flag.String("measures", "", "measures of the group transcode, requests or path of the group beacons, cold of the group origin, or erase of the group heatmap, separated by commas (default: all)")
	clips := flag.String("clips", "", "folder in which the clips of the group transcode are kept for later runs (default: they are made anew)")
	data := flag.String("data", "", "folder in which the group heatmap keeps its audience, to go on with in the next run (default: a scratch folder)")
	rounds := flag.Int("rounds", 0, "how often both sides take turns in the group transcode (default: 2 to 5, by measure)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	b := &bench{ctx: ctx, long: *long, short: *short, turns: *rounds, clips: *clips, data: *data}
	if *measures != "" {
		b.measures = strings.Split(*measures, ",")
	}
	if err := b.runGroups(*only); err != nil {
		fmt.Fprintln(os.Stderr, "bench: "+err.Error())
		os.Exit(1)
	}
}

// runGroups runs the groups that are wanted, all when only is empty, in a scratch
// folder of their own.
func (b *bench) runGroups(only string) (err error) {
	if b.root, err = os.Getwd(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "vitascope-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.clips = cmp.Or(b.clips, b.dir); b.clips != b.dir {
		if err := os.MkdirAll(b.clips, 0o755); err != nil {
			return err
		}
	}
	if b.results, err = os.OpenFile(filepath.Join(b.root, "bench.jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
		return err
	}
	defer b.results.Close()
	groups := []struct {
		name string
		run  func() error
	}{{"weights", b.weights}, {"memory", b.memory}, {"beacons", b.beacons}, {"pipeline", b.pipeline}, {"heatmap", b.heatmap}, {"origin", b.origin}, {"transcode", b.transcodeGroup}}
	for _, g := range groups {
		if only != "" && !slices.Contains(strings.Split(only, ","), g.name) {
			continue
		}
		err := g.run()
		b.stopServers()
		if err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
	}
	return nil
}

// report prints and keeps a measure. goal 0 means none; a ratio at most goal is ok,
// or at least goal when atLeast is set.
func (b *bench) report(m Measure, atLeast bool) error {
	if m.Peer != 0 {
		m.Ratio = m.Ours / m.Peer
	}
	if m.Goal != 0 {
		ok := m.Ratio <= m.Goal
		if atLeast {
			ok = m.Ratio >= m.Goal
		}
		m.OK = &ok
	}
	if !b.since.IsZero() {
		others, err := elsewhere(b.began, b.since)
		if err != nil {
			return err
		}
		m.Note += "; " + others
	}
	for _, f := range []*float64{&m.Ours, &m.Peer, &m.Ratio} {
		*f = round(*f)
	}
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	_, err = fmt.Fprintln(b.results, string(line))
	return err
}

// round keeps four digits behind the point: more would be noise.
func round(f float64) float64 { return float64(int64(f*10000+0.5)) / 10000 }
