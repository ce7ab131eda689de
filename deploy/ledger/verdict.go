package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// verdict is what comparing the journal with the stores found.
type verdict struct {
	sent, acked, stored, events              int
	lost, double, phantom, altered           int
	figures, cells                           int // that differ from the recount
	counts                                   int // counts of the ledger of counts that do
	rejects                                  int // bad rows that are not kept
	derived                                  int // tables that disagree with what they follow from
	received, late, duplicate, bot, opt, bad uint64
	notes                                    []string
}

func (v *verdict) wrong() bool {
	return v.lost+v.double+v.phantom+v.altered+v.figures+v.cells+v.counts+v.rejects+v.derived > 0
}

// note keeps the first few findings, to look at.
func (v *verdict) note(format string, args ...any) {
	if len(v.notes) < 12 {
		text := fmt.Sprintf(format, args...)
		v.notes = append(v.notes, text[:min(len(text), 1000)])
	}
}

func (v *verdict) String() string {
	return fmt.Sprintf("lost=%d double=%d phantom=%d altered=%d figures=%d cells=%d counts=%d rejects=%d derived=%d "+
		"(sent %d batches, acked %d, stored %d with %d events; received %d = accepted %d + opted-out %d + bot %d + duplicate %d + late %d + invalid %d)",
		v.lost, v.double, v.phantom, v.altered, v.figures, v.cells, v.counts, v.rejects, v.derived,
		v.sent, v.acked, v.stored, v.events, v.received, v.received-v.opt-v.bot-v.duplicate-v.late-v.bad, v.opt, v.bot, v.duplicate, v.late, v.bad)
}

// judge compares what the journal says with everything that is stored.
func (w *world) judge(ctx context.Context, j *journal, sameDay bool) (*verdict, error) {
	all, err := j.read()
	if err != nil {
		return nil, err
	}
	v := &verdict{}
	items := map[name]*sending{}
	for _, it := range all {
		if it.Want == wantTaken {
			items[name{it.View, it.Seq}] = it
			v.sent++
			if it.acked {
				v.acked++
			}
		}
	}
	stored, err := w.compareEvents(ctx, v, items)
	if err != nil {
		return nil, err
	}
	v.stored = len(stored)
	for n, it := range items {
		if it.acked && !stored[n] {
			v.lost++
			v.note("lost: batch %d of view %s", n.seq, n.view)
		}
	}
	views, err := recount(items, stored)
	if err != nil {
		return nil, err
	}
	for _, f := range w.films {
		if err := w.compareFigures(ctx, v, f, views, sameDay); err != nil {
			return nil, err
		}
	}
	if err := w.compareCounts(ctx, v, all, stored, items); err != nil {
		return nil, err
	}
	if w.strangers == nil { // strangers use up what is kept of bad rows a second
		if err := w.compareRejects(ctx, v, all); err != nil {
			return nil, err
		}
	}
	return v, w.compareDerived(ctx, v)
}

// compareEvents reads every raw event and compares it with what was sent.
func (w *world) compareEvents(ctx context.Context, v *verdict, items map[name]*sending) (map[name]bool, error) {
	rows, err := w.db.Query(ctx, `SELECT toString(account_id), media_id, view_id, seq, groupArray(concat(toString(idx), ' ', toJSONString(tuple(
			toString(kind), pos_ms, from_ms, to_ms, toString(rate), repeat, autoplay, muted, took_ms, height, bitrate_bps, toString(shift), toString(code), toString(severity), message, toString(action_type), action_id, toString(action_verb))))),
			any(bot), any(opted_out), any(identity)
		FROM (SELECT * FROM events WHERE account_id != ? ORDER BY view_id, seq, idx) GROUP BY account_id, media_id, view_id, seq`, abusedAccount)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	stored := map[name]bool{}
	for rows.Next() {
		var account, media, identity string
		var view uuid.UUID
		var seq uint32
		var events []string
		var bot, optedOut bool
		if err := rows.Scan(&account, &media, &view, &seq, &events, &bot, &optedOut, &identity); err != nil {
			return nil, err
		}
		n := name{view.String(), int(seq)}
		v.events += len(events)
		it := items[n]
		switch {
		case it == nil || it.Account != account || it.Media != media:
			v.phantom++
			v.note("phantom: batch %d of view %s in media %s", seq, n.view, media)
			continue
		case stored[n]:
			v.double++
			v.note("double: batch %d of view %s is under two media", seq, n.view)
			continue
		}
		stored[n] = true
		want, err := expected(it.Body)
		if err != nil {
			return nil, err
		}
		switch slices.Sort(events); {
		case len(events) > len(want):
			v.double++
			v.note("double: batch %d of view %s has %d events, %d were sent", seq, n.view, len(events), len(want))
		case !slices.Equal(events, want) || bot != it.Bot || optedOut != it.OptedOut || !it.OptedOut && identity != it.Identity:
			v.altered++
			v.note("altered: batch %d of view %s:\n  stored %q\n  sent   %q", seq, n.view, events, want)
		}
	}
	return stored, rows.Err()
}

// expected writes a body's events as compareEvents reads them.
func expected(raw []byte) ([]string, error) {
	var body told
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, err
	}
	want := make([]string, len(body.Events))
	for i, e := range body.Events {
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		err := enc.Encode([]any{e.Kind, e.PosMS, e.FromMS, e.ToMS, fmt.Sprint(float32(e.Rate)), e.Repeat, e.Autoplay, e.Muted, e.TookMS, e.Height,
			e.BitrateBPS, e.Shift, e.Code, e.Severity, e.Message, e.Type, e.ID, e.Verb})
		if err != nil {
			return nil, err
		}
		want[i] = fmt.Sprintf("%d %s", i, strings.TrimSpace(text.String()))
	}
	slices.Sort(want)
	return want, nil
}

// compareDerived asks the product to compare its tables with each other.
func (w *world) compareDerived(ctx context.Context, v *verdict) error {
	for _, account := range slices.Sorted(maps.Keys(w.accounts())) {
		found, err := w.stats().Verify(ctx, account, scopeAll)
		if err != nil {
			return fmt.Errorf("verify: %w", err)
		}
		for _, d := range found.Differences {
			v.derived++
			v.note("derived: %d rows of %s of media %s differ", d.Rows, d.Table, d.MediaID)
		}
	}
	return nil
}

func (w *world) accounts() map[string]bool {
	all := map[string]bool{}
	for _, f := range w.films {
		all[f.account] = true
	}
	return all
}
