package warehouse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// ErrUnfinished is returned by Pause when a batch was begun and not finished, and
// no sink takes it up. Start a sink and try again.
var ErrUnfinished = errors.New("a batch is unfinished and no sink takes it up")

// pauseLasts is how long a pause outlives the process that made it.
const pauseLasts = time.Minute

// turnLasts is how long a pause leaves sinks to do what earlier ones held up: one that
// was refused tries again within 5 seconds.
const turnLasts = 15 * time.Second

// Pause keeps every sink from beginning a batch and returns once those under way
// are done and whoever paused them before has resumed, so that events and what is
// derived from them agree, and nobody else rewrites them, until resume is called. A
// process that dies resumes after a minute. Who pauses again and again keeps no sink
// from its work: a pause does not begin before the batches that others held are done.
//
// A sink records that it begins a batch and then looks for pauses. It finds this
// one, says that it holds, and waits; or it began before this one could be seen,
// and then the begun batch can be seen here and is waited for.
func (db *DB) Pause(ctx context.Context) (resume func() error, err error) {
	host, _ := os.Hostname() // only to help the reader
	holder := fmt.Sprintf("%s/%d", host, os.Getpid())
	if err := db.letSinksIn(ctx); err != nil {
		return nil, err
	}
	var version uint64
	set := func(ctx context.Context, ended int) error {
		err := db.Exec(ctx, "INSERT INTO sink_pauses (version, holder, until, ended) SELECT ?, ?, now64(3) + toIntervalMillisecond(?), ?", version, holder, pauseLasts.Milliseconds(), ended)
		if err != nil {
			return fmt.Errorf("pause the sinks: %w", err)
		}
		return nil
	}
	for last := false; !last; { // of those that pause, as each of them will see it
		if err := db.QueryRow(ctx, "SELECT greatest(max(version) + 1, toUInt64(toUnixTimestamp64Nano(now64(9)))) FROM sink_pauses").Scan(&version); err != nil {
			return nil, fmt.Errorf("pause the sinks: %w", err)
		}
		if err := set(ctx, 0); err != nil {
			return nil, err
		}
		if err := db.QueryRow(ctx, "SELECT max(version) <= ? FROM sink_pauses", version).Scan(&last); err != nil {
			return nil, fmt.Errorf("pause the sinks: %w", err)
		}
		if !last {
			if err := set(ctx, 1); err != nil {
				return nil, err
			}
		}
	}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(pauseLasts / 4)
		defer tick.Stop()
		for {
			select {
			case <-renewing.Done():
				return
			case <-tick.C:
				if err := set(renewing, 0); err != nil && renewing.Err() == nil {
					db.log.WarnContext(renewing, "pause of the sinks is not renewed", "err", err)
				}
			}
		}
	}()
	resume = func() error {
		stop()
		<-stopped
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		return set(ctx, 1)
	}
	err = db.awaitTurn(ctx, version)
	if err == nil {
		err = db.awaitQuiet(ctx, version)
	}
	if err != nil {
		return nil, errors.Join(err, resume())
	}
	return resume, nil
}

// letSinksIn waits until no batch is left that an earlier pause held. A batch that no
// sink takes up is waited for no longer than turnLasts, not counting pauses of others.
func (db *DB) letSinksIn(ctx context.Context) error {
	const every = 100 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	for turn := time.Duration(0); turn < turnLasts; {
		var held, pause uint64
		err := db.QueryRow(ctx, `
			SELECT count(), `+PauseSQL+` FROM (
				SELECT maxIf(version + 1, state = 'held') AS held, maxIf(version + 1, state = 'done') AS done
				FROM sink_batches GROUP BY topic, partition HAVING held > done)`).Scan(&held, &pause)
		switch {
		case err != nil:
			return fmt.Errorf("let the sinks in: %w", err)
		case held == 0:
			return nil
		case pause == 0:
			turn += every
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("let the sinks in: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
	return nil
}

// awaitTurn waits until every earlier pause has ended.
func (db *DB) awaitTurn(ctx context.Context, pause uint64) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		var before uint64
		err := db.QueryRow(ctx, "SELECT count() FROM (SELECT version FROM sink_pauses WHERE version < ? GROUP BY version HAVING max(until) > now64(3) AND max(ended) = 0)", pause).Scan(&before)
		switch {
		case err != nil:
			return fmt.Errorf("wait for those who paused the sinks before: %w", err)
		case before == 0:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for those who paused the sinks before: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// awaitQuiet waits until no begun batch is neither done nor held because of this
// pause, or a later one.
func (db *DB) awaitQuiet(ctx context.Context, pause uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		var open []string
		err := db.QueryRow(ctx, `
			SELECT groupArray(concat(topic, '/', toString(partition))) FROM (
				SELECT topic, partition, maxIf(version, state = 'begin') AS begun, maxIf(version + 1, state = 'done' OR state = 'held' AND last >= ?) AS settled
				FROM sink_batches GROUP BY topic, partition HAVING begun + 1 > settled)`, pause).Scan(&open)
		switch {
		case err == nil && len(open) == 0:
			return nil
		case err != nil && ctx.Err() == nil:
			return fmt.Errorf("wait for the sinks: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", strings.Join(open, ", "), errors.Join(ErrUnfinished, context.Cause(ctx)))
		case <-tick.C:
		}
	}
}

// PauseSQL is an expression that is the newest of the pauses that last, or 0.
// GenerationSQL is one that changes with each that begins or ends.
const (
	PauseSQL      = "(SELECT max(version) FROM (SELECT version FROM sink_pauses GROUP BY version HAVING max(until) > now64(3) AND max(ended) = 0))"
	GenerationSQL = "(SELECT cityHash64(max(version), sum(ended)) FROM sink_pauses)"
)
