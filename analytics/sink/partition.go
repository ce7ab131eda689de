package sink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vitascope/vitascope/internal/eventlog"
	"github.com/vitascope/vitascope/internal/warehouse"
)

// worker is one stretch of work on one partition.
type worker struct {
	*Sink
	partition int
	reader    *eventlog.PartitionReader
	known     *known
	pos       Position
	// generation is that of the batch before, for which known and busy hold.
	generation uint64
	busy       map[warehouse.Key]bool // media whose days heat keeps
	oldest     time.Time              // when the oldest record of the batch in hand came into the log
}

func (s *Sink) work(ctx context.Context, partition int) error {
	known, err := newKnown(s.cfg.KnownViews)
	if err != nil {
		return err
	}
	w := &worker{Sink: s, partition: partition, reader: s.events.Reader(eventlog.TopicBeacons, partition), known: known}
	if w.pos, err = s.store.Position(ctx, eventlog.TopicBeacons, partition); err != nil {
		return err
	}
	if open := w.pos.Open; open != nil {
		s.log.InfoContext(ctx, "taking up a batch that was not finished", "partition", partition, "first", open.First, "last", open.Last)
		if err := w.resume(ctx, *open); err != nil {
			return err
		}
	}
	for {
		h, err := w.gather(ctx)
		if errors.Is(err, eventlog.ErrOutOfRange) {
			if err := w.skip(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if h.records > 0 {
			if err := w.write(ctx, h); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// fetchBytes is how much is read at once; what of it does not fit into a batch is read
// again.
const fetchBytes = 1 << 20

// gather reads from the position until a batch is due. When ctx ends it returns
// what it has.
func (w *worker) gather(ctx context.Context) (*haul, error) {
	const idle = 500 * time.Millisecond
	h := &haul{}
	var due time.Time
	next := w.pos.Next
	for {
		wait := idle
		if h.records > 0 {
			if wait = time.Until(due); wait <= 0 || h.full(&w.cfg) {
				return h, nil
			}
		}
		chunk, err := w.reader.Read(ctx, next, min(fetchBytes, w.cfg.BatchBytes), wait)
		if err != nil && h.records > 0 {
			return h, nil // what is wrong will still be wrong after this batch
		}
		if ctx.Err() != nil {
			return &haul{}, nil
		}
		if err != nil {
			return nil, err
		}
		w.metrics.lag.WithLabelValues(label(w.partition)).Set(float64(chunk.End - w.pos.Next))
		if h.records == 0 && len(chunk.Messages) == 0 {
			w.metrics.lagTime.WithLabelValues(label(w.partition)).Set(0)
			return h, nil
		}
		for _, m := range chunk.Messages {
			if h.full(&w.cfg) {
				break
			}
			h.take(m)
			next = m.Offset + 1
		}
		if due.IsZero() {
			due = time.Now().Add(w.cfg.FlushInterval)
			w.oldest = chunk.Messages[0].Time
			w.metrics.lagTime.WithLabelValues(label(w.partition)).Set(max(0, time.Since(w.oldest).Seconds()))
		}
	}
}

// write begins a batch of what was read and finishes it. Once begun it goes on for
// FlushGrace after ctx ends.
func (w *worker) write(ctx context.Context, h *haul) error {
	ctx, cancel := w.graceful(ctx)
	defer cancel()
	want := Batch{Topic: eventlog.TopicBeacons, Partition: w.partition, Epoch: w.pos.Epoch, First: w.pos.Next, Last: h.last}
	got, err := w.begin(ctx, want)
	if err != nil {
		return err
	}
	if got.Last != want.Last { // another sink, or we before a crash, cut it elsewhere
		return w.finish(ctx, got)
	}
	return w.commit(ctx, got, h)
}

// begin records want, waiting while the sinks are paused.
func (w *worker) begin(ctx context.Context, want Batch) (got Batch, err error) {
	err = w.retry(ctx, "begin", func(ctx context.Context) (err error) {
		got, err = w.store.Begin(ctx, want, w.cfg.Holder)
		return err
	})
	return got, err
}

// resume finishes a batch that was found begun.
func (w *worker) resume(ctx context.Context, open Batch) error {
	ctx, cancel := w.graceful(ctx)
	defer cancel()
	got, err := w.begin(ctx, open)
	if err != nil {
		return err
	}
	return w.finish(ctx, got)
}

// finish completes a begun batch from the log.
func (w *worker) finish(ctx context.Context, b Batch) error {
	ctx, cancel := w.graceful(ctx)
	defer cancel()
	var h *haul
	err := w.retry(ctx, "read", func(ctx context.Context) (err error) {
		h, err = w.exactly(ctx, b)
		return err
	})
	if err != nil {
		return err
	}
	return w.commit(ctx, b, h)
}

// exactly reads the records of a batch. What the log no longer has is missing.
func (w *worker) exactly(ctx context.Context, b Batch) (*haul, error) {
	ranges, err := w.events.Offsets(ctx, b.Topic)
	if err != nil {
		return nil, err
	}
	held := ranges[b.Partition]
	if held.First > b.First || held.End <= b.Last {
		w.metrics.lost.Add(float64(min(held.First, b.Last+1) - min(b.First, held.First)))
		w.log.ErrorContext(ctx, "the log no longer has all of a batch that was begun", "partition", b.Partition, "first", b.First, "last", b.Last, "log_first", held.First, "log_end", held.End)
	}
	h := &haul{}
	for next := max(b.First, held.First); next <= min(b.Last, held.End-1); {
		chunk, err := w.reader.Read(ctx, next, min(fetchBytes, w.cfg.BatchBytes), time.Second)
		if err != nil {
			return nil, err
		}
		for _, m := range chunk.Messages {
			if next = m.Offset + 1; m.Offset <= b.Last {
				h.take(m)
			}
		}
	}
	return h, nil
}

// commit does steps 3 to 6 of the package doc, as soon as its rows are few enough
// beside those that others write.
func (w *worker) commit(ctx context.Context, b Batch, h *haul) error {
	weight := int64(min(h.rowBytes, w.cfg.WriteBytes))
	if err := w.retry(ctx, "turn", func(ctx context.Context) error { return w.writing.Acquire(ctx, weight) }); err != nil {
		return err
	}
	defer w.writing.Release(weight)
	started := time.Now()
	if err := w.reject(ctx, b, h.bad); err != nil {
		return err
	}
	if b.Generation != w.generation { // what is remembered may be stale
		if err := w.forget(ctx); err != nil {
			return err
		}
		w.generation = b.Generation
	}
	var sets map[ViewKey]*memory
	err := w.retry(ctx, "seen", func(ctx context.Context) (err error) {
		sets, err = w.known.load(ctx, w.store, b, h.arrivals)
		return err
	})
	if err != nil {
		return err
	}
	p := build(b.Partition, h.arrivals, sets, w.busy)
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"events", func(ctx context.Context) error { return w.store.InsertEvents(ctx, b, p.events) }},
		{"views", func(ctx context.Context) error { return w.store.InsertViews(ctx, b, p.views) }},
		{"heat", func(ctx context.Context) error { return w.store.InsertHeat(ctx, b, p.heat) }},
		{"figures", func(ctx context.Context) error { return w.store.InsertFigures(ctx, b, p.figures) }},
		{"receipts", func(ctx context.Context) error { return w.store.InsertReceipts(ctx, b, p.receipts) }},
		{"uniques", func(ctx context.Context) error { return w.store.InsertUniques(ctx, b, p.uniques) }},
		{"done", func(ctx context.Context) error { return w.store.Done(ctx, b, w.cfg.Holder) }},
	} {
		if err := w.retry(ctx, step.name, step.do); err != nil {
			return err
		}
	}
	w.known.keep(sets)
	w.pos = Position{Epoch: b.Epoch, Next: b.Last + 1}
	w.metrics.records.WithLabelValues("stored").Add(float64(len(h.arrivals) - p.repeats))
	w.metrics.records.WithLabelValues("repeated").Add(float64(p.repeats))
	w.metrics.records.WithLabelValues("rejected").Add(float64(len(h.bad)))
	w.metrics.events.Add(float64(len(p.events)))
	w.metrics.batches.Inc()
	w.metrics.duration.Observe(time.Since(started).Seconds())
	return nil
}

// forget begins to remember views anew, and reads which media are busy.
func (w *worker) forget(ctx context.Context) (err error) {
	if w.known, err = newKnown(w.cfg.KnownViews); err != nil {
		return err
	}
	return w.retry(ctx, "busy", func(ctx context.Context) (err error) {
		w.busy, err = w.store.Busy(ctx)
		return err
	})
}

// reject puts poison aside. A batch tried again does so again, under the same
// key, which names the record.
func (w *worker) reject(ctx context.Context, b Batch, bad []poison) error {
	if len(bad) == 0 {
		return nil
	}
	out := make([]eventlog.Message, len(bad))
	for i, p := range bad {
		from := fmt.Sprintf("%s/%d/%d", b.Topic, b.Partition, p.message.Offset)
		out[i] = eventlog.Rejected("sink", "record_unreadable", p.err.Error(), from, time.Now(), p.message.Value)
	}
	return w.retry(ctx, "reject", func(ctx context.Context) error {
		return w.rejects.Write(ctx, eventlog.TopicRejected, out...)
	})
}

// skip moves the position to where the log goes on.
func (w *worker) skip(ctx context.Context) error {
	ranges, err := w.events.Offsets(ctx, eventlog.TopicBeacons)
	if err != nil {
		return err
	}
	held := ranges[w.partition]
	switch {
	case w.pos.Next < held.First:
		w.metrics.lost.Add(float64(held.First - w.pos.Next))
		w.log.ErrorContext(ctx, "the log dropped records that were not read", "partition", w.partition, "first", w.pos.Next, "log_first", held.First)
		w.pos.Next = held.First
	case w.pos.Next > held.End:
		w.log.ErrorContext(ctx, "the log ends before what was read from it: it was replaced; reading it from its start", "partition", w.partition, "next", w.pos.Next, "log_end", held.End)
		w.pos = Position{Epoch: w.pos.Epoch + 1, Next: held.First}
	}
	return nil
}

// graceful returns a context that outlives ctx by FlushGrace.
func (w *worker) graceful(ctx context.Context) (context.Context, context.CancelFunc) {
	long, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(w.cfg.FlushGrace, cancel)
		context.AfterFunc(long, func() { timer.Stop() })
	})
	return long, func() { stop(); cancel() }
}

// retry repeats one step until it succeeds, ctx ends, or another owner is met.
func (w *worker) retry(ctx context.Context, step string, do func(context.Context) error) error {
	for wait, failures := newBackoff(), 0; ; failures++ {
		once, cancel := context.WithTimeout(ctx, w.cfg.StatementTimeout)
		err := do(once)
		cancel()
		if err == nil || errors.Is(err, ErrOvertaken) {
			return err
		}
		if ctx.Err() != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		w.metrics.retries.WithLabelValues(step).Inc()
		w.observeLag(ctx)
		if failures%20 == 0 { // first, then about each 100 s
			w.log.WarnContext(ctx, "batch is held up", "partition", w.partition, "step", step, "err", err)
		}
		if !wait.sleep(ctx) {
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

// observeLag brings the lag up to date while a batch is held up.
func (w *worker) observeLag(ctx context.Context) {
	if !w.oldest.IsZero() {
		w.metrics.lagTime.WithLabelValues(label(w.partition)).Set(max(0, time.Since(w.oldest).Seconds()))
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if ranges, err := w.events.Offsets(ctx, eventlog.TopicBeacons); err == nil {
		w.metrics.lag.WithLabelValues(label(w.partition)).Set(float64(ranges[w.partition].End - w.pos.Next))
	}
}
