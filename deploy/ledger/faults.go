package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"
)

// fault is something that happens to the world for a while.
type fault struct {
	name   string
	on     string // two faults of one program do not mix
	happen func() error
	mend   func() error
}

// faults lists all that can happen.
func (w *world) faults() []fault {
	var list []fault
	for _, u := range w.units() {
		list = append(list,
			fault{"kill " + u.name, u.name, func() error { return u.halt(false) }, u.up},
			fault{"freeze " + u.name, u.name, func() error { u.signal(syscall.SIGSTOP); return nil }, func() error { u.signal(syscall.SIGCONT); return nil }},
			fault{"stop " + u.name, u.name, func() error { return u.halt(true) }, u.up},
		)
	}
	proxied := func(how int32) func() error { return func() error { w.proxy.set(how); return nil } }
	told := func(s syscall.Signal) func() error {
		return func() error { w.broker.signalOnly(s); return nil }
	}
	return append(list,
		fault{"cut clickhouse", "proxy", proxied(cutting), proxied(passing)},
		fault{"forget clickhouse's answers", "proxy", proxied(forgetful), proxied(passing)},
		fault{"cut broker", w.broker.name, told(signalCut), told(signalPass)},
		fault{"forget broker's answers", w.broker.name, told(signalForget), told(signalPass)},
	)
}

// torment lets faults happen, one or two at a time, for a number of rounds.
func (w *world) torment(ctx context.Context, rnd *rand.Rand, rounds int, shortest, longest time.Duration) error {
	all := w.faults()
	span := func() time.Duration { return shortest + time.Duration(rnd.Int64N(int64(longest-shortest)+1)) }
	for round := range rounds {
		chosen := []fault{all[rnd.IntN(len(all))]}
		if rnd.IntN(4) == 0 {
			if second := all[rnd.IntN(len(all))]; second.on != chosen[0].on {
				chosen = append(chosen, second)
			}
		}
		lasts, rests := span(), span()/2
		for _, f := range chosen {
			w.log.Info("fault", "round", round+1, "what", f.name, "lasts_ms", lasts.Milliseconds())
			if err := f.happen(); err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
		}
		ended := pause(ctx, lasts)
		for _, f := range chosen {
			if err := f.mend(); err != nil {
				return fmt.Errorf("after %s: %w", f.name, err)
			}
		}
		if ended != nil {
			return ended
		}
		if err := pause(ctx, rests); err != nil {
			return err
		}
		if w.busy == 0 && round >= rounds/3 {
			w.markBusy(ctx, rounds)
		}
	}
	// Nothing is wrong any more: it has what time it needs.
	for range 40 {
		if w.busy > 0 {
			return nil
		}
		if err := pause(ctx, 3*time.Second); err != nil {
			return err
		}
		w.markBusy(ctx, rounds)
	}
	return errors.New("no media could be marked busy")
}

// markBusy has sums of days kept of the media that were watched most, from now on. What
// has no time for it, or fails, is tried after the next round. How much "most" is grows
// with the run.
func (w *world) markBusy(ctx context.Context, rounds int) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	marked, err := w.db.MarkBusy(ctx, int64(5*rounds))
	w.busy = len(marked)
	w.log.Info("busy media", "marked", len(marked), "err", err)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
