// Command ledger shows that nothing acknowledged is lost and nothing is counted
// twice, whatever happens to the processes of the analytics pipeline.
//
// It starts collectors, sinks, a broker and ClickHouse as processes, sends views
// (repeated, reordered, late, malformed, from bots and from people who opted out)
// and keeps a ledger, synced to disk, of what it sent and what was acknowledged.
// Meanwhile the processes are killed, frozen, stopped and cut off at random. At the
// end the ledger is compared with every raw event, and counted again by code that
// shares nothing with the product's: figures, heatmap cells, the count of what
// became of each beacon. One line tells the result and the seed; the exit code is 1
// when anything differs.
//
//	go run ./deploy/ledger                   # 20 rounds of faults
//	go run ./deploy/ledger -long             # 200
//	go run ./deploy/ledger -seed 7           # the same faults again
//	go run ./deploy/ledger -away clickhouse  # 10 minutes without it, then catching up
//	go run ./deploy/ledger -away broker      # 5 minutes on the spool
//	go run ./deploy/ledger -takeover         # a sink dies; how long until another works on
//	go run ./deploy/ledger -abuse            # random ids, forged tokens, replays, bombs
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/vitascope/vitascope/deploy/engines"
)

// options are the flags.
type options struct {
	program  string
	seed     uint64
	rounds   int
	long     bool
	rate     float64 // batches a second
	authors  int
	films    int
	away     string
	lasts    time.Duration
	events   float64 // events a second, with away
	takeover bool
	abuse    bool
	// strangers is how many views they make up, with -abuse; a tenth as many forged
	// tokens and replays come with it, a thousandth of each kind of large body.
	strangers int
	keep      bool
	verbose   bool
}

func main() {
	engines.MaybeRunChild()
	if len(os.Args) == 2 && (os.Args[1] == roleBroker || os.Args[1] == roleSink) {
		exit(runRole(os.Args[1]))
	}
	var o options
	flag.StringVar(&o.program, "vitascope", "bin/vitascope", "the vitascope program")
	flag.Uint64Var(&o.seed, "seed", 0, "repeats the choices of a run (default: a new one)")
	flag.IntVar(&o.rounds, "rounds", 20, "rounds of faults")
	flag.BoolVar(&o.long, "long", false, "200 rounds of faults that last up to 15 s")
	flag.Float64Var(&o.rate, "rate", 200, "batches a second")
	flag.IntVar(&o.authors, "authors", 24, "views under way at once")
	flag.IntVar(&o.films, "films", 12, "media")
	flag.StringVar(&o.away, "away", "", "clickhouse or broker: take it away for a while instead")
	flag.DurationVar(&o.lasts, "lasts", 0, "how long it is away (default: 10m for clickhouse, 5m for broker)")
	flag.Float64Var(&o.events, "events", 2000, "events a second, with -away")
	flag.BoolVar(&o.takeover, "takeover", false, "kill a sink and time how long its partitions rest")
	flag.BoolVar(&o.abuse, "abuse", false, "send what strangers with bad intentions can beside the load; watch memory and parts")
	flag.IntVar(&o.strangers, "strangers", 1_000_000, "made-up views, with -abuse")
	flag.BoolVar(&o.keep, "keep", false, "keep the folder of data and logs")
	flag.BoolVar(&o.verbose, "v", false, "tell what happens")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, o))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "ledger: "+err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, o options) (err error) {
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano())
	}
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	if o.program, err = filepath.Abs(o.program); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "vitascope-ledger-")
	if err != nil {
		return err
	}
	defer func() {
		if o.keep || err != nil {
			fmt.Fprintln(os.Stderr, "ledger: data and logs are in "+dir)
			return
		}
		err = os.RemoveAll(dir)
	}()
	rnd := rand.New(rand.NewPCG(o.seed, 0))
	lease := 5 * time.Second // the freezes outlast it
	if o.away != "" || o.takeover || o.abuse {
		lease = 20 * time.Second // the default
	}
	w, err := newWorld(dir, o.program, lease, library(rnd, o.films), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.start(ctx); err != nil {
		return err
	}
	j, err := newJournal(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		return err
	}
	defer j.file.Close()
	switch {
	case o.away != "":
		return runAway(ctx, o, w, j)
	case o.takeover:
		return runTakeover(ctx, o, w, j)
	case o.abuse:
		return runAbuse(ctx, o, w, j)
	}
	return runFaults(ctx, o, w, j, rnd)
}

// runFaults is the run with faults.
func runFaults(ctx context.Context, o options, w *world, j *journal, rnd *rand.Rand) error {
	shortest, longest := time.Second, 7*time.Second
	if o.long {
		o.rounds, shortest, longest = 200, 2*time.Second, 15*time.Second
	}
	began := time.Now()
	if err := w.addPoison(ctx, 40); err != nil {
		return err
	}
	l := newLoad(j, w.collectAddrs, o.rate)
	took, err := w.under(ctx, l, o, 8, func(ctx context.Context) error {
		return w.torment(ctx, rnd, o.rounds, shortest, longest)
	})
	if err != nil {
		return err
	}
	return w.conclude(ctx, j, o, began, fmt.Sprintf("rounds=%d restarts=%d busy_media=%d catch_up=%.1fs", o.rounds, w.restarts(), w.busy, took.Seconds()))
}

// under does something while the load runs, then ends the load, waits until all is
// stored and tells how long that took.
func (w *world) under(ctx context.Context, l *load, o options, dense int, do func(context.Context) error) (time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	writing, stopWriting := context.WithCancel(ctx)
	defer stopWriting()
	authors := make([]*author, o.authors)
	for i := range authors {
		authors[i] = newAuthor(o.seed, uint64(i+1), w.key, w.films, dense)
	}
	sent := make(chan error, 1)
	go func() {
		err := l.crowd(ctx, writing, authors)
		if err != nil {
			cancel(err)
		}
		sent <- err
	}()
	err := do(ctx)
	stopWriting()
	mended := time.Now()
	patience := time.AfterFunc(3*time.Minute, func() { cancel(errors.New("the load was not taken within 3 minutes of the end of all faults")) })
	err = errors.Join(err, <-sent)
	patience.Stop()
	if err != nil {
		return 0, err
	}
	err = w.drained(ctx, 10*time.Minute)
	return time.Since(mended), err
}

// conclude compares everything, prints the line and fails when anything differs.
func (w *world) conclude(ctx context.Context, j *journal, o options, began time.Time, facts string) error {
	sameDay := began.UTC().Truncate(24 * time.Hour).Equal(time.Now().UTC().Truncate(24 * time.Hour)) // pseudonyms last a day
	v, err := w.judge(ctx, j, sameDay)
	if err != nil {
		return err
	}
	result := "ok"
	if v.wrong() {
		result = "FAILED"
	}
	fmt.Printf("ledger: %s seed=%d %s %s took=%s\n", result, o.seed, facts, v, time.Since(began).Round(time.Second))
	for _, n := range v.notes {
		fmt.Fprintln(os.Stderr, n)
	}
	if v.wrong() {
		return errors.New("what is stored is not what was sent")
	}
	return nil
}

// restarts tells how often processes ended by themselves.
func (w *world) restarts() int {
	n := 0
	for _, u := range w.units() {
		u.mu.Lock()
		n += u.failed
		u.mu.Unlock()
	}
	return n
}
