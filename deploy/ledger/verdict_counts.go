package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vitascope/vitascope/analytics/query"
	"github.com/vitascope/vitascope/internal/eventlog"
)

// receipt is what the recount reads of a record of the log.
type receipt struct {
	Account  string `json:"account"`
	View     string `json:"view"`
	Seq      int    `json:"seq"`
	Receipt  uint64 `json:"rid"`
	OptedOut bool   `json:"opted_out"`
	Bot      bool   `json:"bot"`
	Refused  string `json:"refused"`
}

// everything reads a topic from its beginning, partition by partition.
func (w *world) everything(ctx context.Context, topic string, each func(eventlog.Message) error) error {
	ranges, err := w.events.Offsets(ctx, topic)
	if err != nil {
		return err
	}
	for _, p := range slices.Sorted(maps.Keys(ranges)) {
		reader := w.events.Reader(topic, p)
		for at := ranges[p].First; at < ranges[p].End; {
			chunk, err := reader.Read(ctx, at, 8<<20, time.Second)
			if err != nil {
				return err
			}
			for _, m := range chunk.Messages {
				at = m.Offset + 1
				if err := each(m); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// compareCounts checks the ledger of counts against the log, receipt by receipt,
// and against the journal.
func (w *world) compareCounts(ctx context.Context, v *verdict, all map[int64]*sending, stored map[name]bool, items map[name]*sending) error {
	classes := map[string]map[string]uint64{} // by account and class
	count := func(account, class string, n uint64) {
		if classes[account] == nil {
			classes[account] = map[string]uint64{}
		}
		classes[account][class] += n
	}
	met := map[uint64]bool{}
	taken := map[name]bool{}
	err := w.everything(ctx, eventlog.TopicBeacons, func(m eventlog.Message) error {
		var r receipt
		if json.Unmarshal(m.Value, &r) != nil || r.Receipt == 0 || met[r.Receipt] {
			return nil // poison, or the same record again
		}
		met[r.Receipt] = true
		n := name{r.View, r.Seq}
		switch {
		case r.Refused == "token_expired":
			count(r.Account, "late", 1)
		case r.Refused != "":
			count(r.Account, "invalid", 1)
		case taken[n]:
			count(r.Account, "duplicate", 1)
		case r.Bot:
			count(r.Account, "bot", 1)
		case r.OptedOut:
			count(r.Account, "opted_out", 1)
		default:
			count(r.Account, "accepted", 1)
		}
		if r.Refused == "" {
			taken[n] = true
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	tries, answered := map[string]uint64{}, map[string]uint64{}
	for _, it := range all {
		tries[it.Account] += uint64(it.tries)
		for _, n := range it.answered {
			answered[it.Account] += uint64(n)
		}
	}
	kept := map[string]uint64{}
	for n := range stored {
		if it := items[n]; it != nil {
			kept[it.Account]++
		}
	}
	if w.strangers != nil {
		for account, n := range w.strangers.tries {
			tries[account] += n
			answered[account] += w.strangers.answered[account]
		}
		var batches uint64
		if err := w.db.QueryRow(ctx, "SELECT uniqExact(view_id, seq) FROM events WHERE account_id = ?", abusedAccount).Scan(&batches); err != nil {
			return err
		}
		kept[abusedAccount] = batches
	}
	for account := range tries {
		ledger, err := w.stats().Ledger(ctx, account, query.Range{})
		if err != nil {
			return err
		}
		t := ledger.Total
		got := map[string]uint64{"accepted": t.Accepted, "opted_out": t.OptedOut, "bot": t.Bot, "duplicate": t.Duplicate, "late": t.Late, "invalid": t.Invalid}
		for class, n := range got {
			if want := classes[account][class]; n != want {
				v.counts++
				v.note("count: %s of account %q is %d, the log has %d", class, account, n, want)
			}
		}
		sum := t.Accepted + t.OptedOut + t.Bot + t.Duplicate + t.Late + t.Invalid
		if t.Received != sum || sum < answered[account] || sum > tries[account] {
			v.counts++
			v.note("count: account %q received %d, classes add up to %d, %d answers and %d attempts", account, t.Received, sum, answered[account], tries[account])
		}
		if first := t.Accepted + t.OptedOut + t.Bot; first != kept[account] {
			v.counts++
			v.note("count: account %q has %d first receipts and %d batches", account, first, kept[account])
		}
		v.received, v.late, v.duplicate, v.bot, v.opt, v.bad = v.received+t.Received, v.late+t.Late, v.duplicate+t.Duplicate, v.bot+t.Bot, v.opt+t.OptedOut, v.bad+t.Invalid
	}
	return nil
}

// compareRejects checks that each body that was refused and could be kept is kept,
// byte for byte, and that poison in the log was put aside.
func (w *world) compareRejects(ctx context.Context, v *verdict, all map[int64]*sending) error {
	kept := map[string]int{}
	err := w.everything(ctx, eventlog.TopicRejected, func(m eventlog.Message) error {
		kept[string(m.Value)]++
		return nil
	})
	if err != nil {
		return fmt.Errorf("read what was rejected: %w", err)
	}
	for _, it := range all {
		large := it.Flaw == "too large" || it.Flaw == "gzip bomb" // counted only
		if it.Want != wantTaken && it.acked && !large && kept[string(it.Body)] == 0 {
			v.rejects++
			v.note("not kept: a refused body (%s %s) of view %s", it.Want, it.Flaw, it.View)
		}
	}
	for _, p := range w.poison {
		if kept[string(p)] == 0 {
			v.rejects++
			v.note("not kept: poison %q", p[:min(len(p), 40)])
		}
	}
	return nil
}

// addPoison puts records into the log that no collector wrote.
func (w *world) addPoison(ctx context.Context, n int) error {
	producer := w.events.Producer()
	defer producer.Close()
	for i := range n {
		value := fmt.Appendf(nil, "poison %d", i)
		switch i % 4 {
		case 1:
			value = fmt.Appendf(nil, `{"v":99,"account":"poison%d"}`, i)
		case 2:
			value = fmt.Appendf(nil, `{"v":1,"account":"a","media":"m","view":"not-a-view-%d","seq":0,"received_at_ms":%d,"dur_ms":1000,"events":[]}`, i, time.Now().UnixMilli())
		case 3:
			value = append(fmt.Appendf(nil, "poison %d ", i), make([]byte, 200_000)...)
		}
		if err := producer.Write(ctx, eventlog.TopicBeacons, eventlog.Message{Key: fmt.Append(nil, i), Value: value}); err != nil {
			return err
		}
		w.poison = append(w.poison, value)
	}
	return nil
}
