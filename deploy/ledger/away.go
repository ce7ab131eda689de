package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// A batch of these runs has at most denseBatch events, and four or five on average.
	denseBatch = 9
	// Senders wait for two synced lines of the journal and an answer between a batch
	// and their next; so many keep the pace while these take 2 s together.
	awaySenders = 1024
	// spare is how much faster is sent than is asked for, which is the least.
	spare = 1.02
)

// runAway takes ClickHouse or the broker away under a steady load.
func runAway(ctx context.Context, o options, w *world, j *journal) error {
	gone, lasts := w.clickHouse, 10*time.Minute
	switch o.away {
	case "clickhouse":
	case "broker":
		gone, lasts = w.broker, 5*time.Minute
	default:
		return fmt.Errorf("away: %q is neither clickhouse nor broker", o.away)
	}
	if o.lasts > 0 {
		lasts = o.lasts
	}
	l := newLoad(j, w.collectAddrs, o.rate)
	l.giveUp = 0
	o.authors = awaySenders
	began := time.Now()
	l.steady(spare * o.events)
	var back time.Time
	var rate float64 // events a second, as they were sent
	_, err := w.under(ctx, l, o, denseBatch, func(ctx context.Context) error {
		if err := pause(ctx, 10*time.Second); err != nil {
			return err
		}
		if err := gone.halt(false); err != nil {
			return err
		}
		err := pause(ctx, lasts/2)
		if err == nil && gone == w.broker { // a collector starts, and finds its spool again, without the log
			err = errors.Join(w.collectors[0].halt(false), w.collectors[0].up(), w.collectors[0].await(ctx, w.ready(0)))
		}
		err = errors.Join(err, pause(ctx, lasts/2))
		back = time.Now()
		rate = float64(l.events.Load()) / time.Since(began).Seconds()
		return errors.Join(err, gone.up())
	})
	if err != nil {
		return err
	}
	caughtUp := time.Since(back)
	noted, shared := j.pace()
	facts := fmt.Sprintf("away=%s for=%s events_per_second=%.0f batches=%d answered_503_or_429=%d failed=%d answer=%.3fs slowest_answer=%.2fs journal=%.3fs (%.1f lines a sync) catch_up=%.1fs",
		o.away, lasts, rate, l.batches.Load(), l.unavailable.Load(), l.failures.Load(), l.meanAnswer().Seconds(), time.Duration(l.slowest.Load()).Seconds(),
		noted.Seconds(), shared, caughtUp.Seconds())
	if err := w.conclude(ctx, j, o, began, facts); err != nil {
		return err
	}
	if caughtUp > 5*time.Minute {
		return errors.New("catching up took more than 5 minutes")
	}
	if rate < o.events {
		return fmt.Errorf("this machine sent %.0f events a second of the %.0f that were asked for: nothing is shown", rate, o.events)
	}
	if n := l.unavailable.Load(); n > 0 {
		return fmt.Errorf("%d beacons were not taken meanwhile", n)
	}
	return nil
}

// runTakeover kills a sink under load and waits until the other has done what came
// since.
func runTakeover(ctx context.Context, o options, w *world, j *journal) error {
	l := newLoad(j, w.collectAddrs, o.rate)
	l.giveUp = 0
	began := time.Now()
	var took time.Duration
	_, err := w.under(ctx, l, o, 8, func(ctx context.Context) error {
		// Both have their shares when a lease's life and a half has passed.
		if err := pause(ctx, w.lease*3/2); err != nil {
			return err
		}
		if err := w.sinks[0].halt(false); err != nil {
			return err
		}
		killed := time.Now()
		if err := w.past(ctx, 2*time.Minute); err != nil {
			return err
		}
		took = time.Since(killed)
		return w.sinks[0].up()
	})
	if err != nil {
		return err
	}
	if err := w.conclude(ctx, j, o, began, fmt.Sprintf("takeover=%.1fs lease=%s", took.Seconds(), w.lease)); err != nil {
		return err
	}
	if took > 30*time.Second {
		return errors.New("taking over took more than 30 s")
	}
	return nil
}
