package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// watch looks at the memory of every process and at the parts of every table once a
// second.
type watch struct {
	world *world
	quit  context.CancelFunc
	done  sync.WaitGroup

	base, peak map[string]int64 // resident bytes by process
	parts      map[string]int   // the most active ones of a table
	err        error
}

func newWatch(w *world) *watch {
	return &watch{world: w, quit: func() {}, base: map[string]int64{}, peak: map[string]int64{}, parts: map[string]int{}}
}

// start takes what there is as the base and watches until stop.
func (s *watch) start(ctx context.Context) {
	ctx, s.quit = context.WithCancel(context.WithoutCancel(ctx))
	for _, u := range s.world.units() {
		s.base[u.name] = u.memory()
	}
	s.done.Go(func() {
		for pause(ctx, time.Second) == nil {
			s.look(ctx)
		}
	})
}

// stop ends watching; what was seen may be read then.
func (s *watch) stop() error {
	s.quit()
	s.done.Wait()
	return s.err
}

func (s *watch) look(ctx context.Context) {
	for _, u := range s.world.units() {
		s.peak[u.name] = max(s.peak[u.name], u.memory())
	}
	rows, err := s.world.db.Query(ctx, "SELECT table, count() FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table")
	if err != nil {
		return // it is busy, or the end: there will be another look
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		var n uint64
		if err := rows.Scan(&table, &n); err != nil {
			s.err = err
			return
		}
		s.parts[table] = max(s.parts[table], int(n))
	}
}

// String names growth in MiB and the table with the most parts.
func (s *watch) String() string {
	var out []string
	for _, u := range s.world.units() {
		out = append(out, fmt.Sprintf("%s=%d+%dMiB", u.name, s.base[u.name]>>20, (s.peak[u.name]-s.base[u.name])>>20))
	}
	table, most := "", 0
	for _, t := range slices.Sorted(maps.Keys(s.parts)) {
		if s.parts[t] > most {
			table, most = t, s.parts[t]
		}
	}
	return strings.Join(append(out, fmt.Sprintf("most_parts=%d (%s)", most, table)), " ")
}

// verdict fails when a collector or a sink grew, or a table fell apart, more than it may.
func (s *watch) verdict() error {
	var errs []error
	if len(s.parts) == 0 {
		errs = append(errs, errors.New("no table was looked at"))
	}
	for i, u := range slices.Concat(s.world.collectors, s.world.sinks) {
		most := int64(mostCollector)
		if i >= len(s.world.collectors) {
			most = mostSink
		}
		if grown := s.peak[u.name] - s.base[u.name]; grown > most {
			errs = append(errs, fmt.Errorf("%s grew by %d MiB, more than %d", u.name, grown>>20, most>>20))
		}
	}
	for table, n := range s.parts {
		if n > mostParts {
			errs = append(errs, fmt.Errorf("%s had %d active parts, more than %d", table, n, mostParts))
		}
	}
	return errors.Join(errs...)
}

// memory is what the program and its descendants have resident.
func (u *unit) memory() int64 {
	u.mu.Lock()
	p := u.running
	u.mu.Unlock()
	if p == nil {
		return 0
	}
	var pages int64
	for _, pid := range family(p.PID) {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			continue // it has ended
		}
		if f := strings.Fields(string(raw)); len(f) > 1 {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			pages += n
		}
	}
	return pages * int64(os.Getpagesize())
}
