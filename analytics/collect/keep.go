package collect

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/vitascope/vitascope/analytics/collect/spool"
	"github.com/vitascope/vitascope/internal/eventlog"
)

// keeper makes messages durable: in the event log, or, while that is away, on
// the spool, from which they go to the log in their order once it is back. A
// message whose write failed may be in both; readers of the log drop repeats.
type keeper struct {
	producer Producer
	spool    *spool.Spool // nil: none
	timeout  time.Duration
	metrics  *metrics
	log      *slog.Logger

	away  atomic.Bool   // the log did not take something: do not wait for it
	added chan struct{} // something is on the spool
}

func newKeeper(cfg Config, producer Producer, m *metrics, log *slog.Logger) (*keeper, error) {
	k := &keeper{producer: producer, timeout: cfg.AckTimeout, metrics: m, log: log, added: make(chan struct{}, 1)}
	if cfg.SpoolDir == "" {
		return k, nil
	}
	var err error
	k.spool, err = spool.Open(cfg.SpoolDir, cfg.SpoolBytes, log)
	return k, err
}

// keep returns when the message, received then, is durable. It waits for that even
// if ctx ends: a page that closes does not wait for its last beacon's answer.
func (k *keeper) keep(ctx context.Context, topic string, m eventlog.Message, received time.Time) error {
	if !k.away.Load() {
		err := k.write(topic, received, m)
		if err == nil || k.spool == nil {
			return err
		}
		k.miss(ctx, err)
	}
	return k.put(topic, m)
}

// miss notes that the log did not take something.
func (k *keeper) miss(ctx context.Context, err error) {
	if !k.away.Swap(true) {
		k.log.WarnContext(ctx, "the event log does not take beacons: keeping them on disk", "err", err)
	}
}

// put puts the message on the spool.
func (k *keeper) put(topic string, m eventlog.Message) error {
	if err := k.spool.Append(spool.Entry{Topic: topic, Message: m}); err != nil {
		return err
	}
	k.metrics.spooled.Inc()
	select {
	case k.added <- struct{}{}:
	default:
	}
	return nil
}

// begin is keep for those who do not wait. It returns false when it cannot be told
// without waiting; nothing is then told.
func (k *keeper) begin(topic string, m eventlog.Message, tell eventlog.Landing) bool {
	return !k.away.Load() && k.producer.WriteThen(k.timeout, topic, m, tell) == nil
}

// ended goes on, waiting, with a message whose write ended so.
func (k *keeper) ended(ctx context.Context, topic string, m eventlog.Message, err error) error {
	if err == nil || k.spool == nil {
		return err
	}
	k.miss(ctx, err)
	return k.put(topic, m)
}

func (k *keeper) write(topic string, began time.Time, messages ...eventlog.Message) error {
	if err := k.producer.WriteWithin(k.timeout, topic, messages...); err != nil {
		return err
	}
	k.metrics.ack.Observe(time.Since(began).Seconds())
	return nil
}

// run moves what is on the spool to the log until ctx ends.
func (k *keeper) run(ctx context.Context) error {
	if k.spool == nil {
		return nil
	}
	const pause = 500 * time.Millisecond
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return k.spool.Close()
		case <-k.added:
		case <-timer.C:
		}
		timer.Reset(pause)
		waited := k.spool.Size()
		err := k.spool.Drain(func(batch []spool.Entry) error { return k.move(ctx, batch) })
		k.metrics.spoolBytes.Set(float64(k.spool.Size()))
		switch {
		case ctx.Err() != nil:
		case err != nil:
			k.log.DebugContext(ctx, "the spool waits for the event log", "bytes", waited, "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		case k.away.Swap(false):
			k.log.InfoContext(ctx, "the event log takes beacons again; what was on disk is in it", "bytes", waited)
		}
	}
}

// move writes a batch, topic by topic: order is kept within each.
func (k *keeper) move(ctx context.Context, batch []spool.Entry) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	byTopic := map[string][]eventlog.Message{}
	for _, e := range batch {
		byTopic[e.Topic] = append(byTopic[e.Topic], e.Message)
	}
	var errs []error
	for topic, messages := range byTopic {
		errs = append(errs, k.write(topic, time.Now(), messages...))
	}
	return errors.Join(errs...)
}
