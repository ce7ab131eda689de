package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// The recount: figures from the bodies in the journal, second by second, with
// nothing of the code that computes them in the product.

// told is a body as the recount reads it.
type told struct {
	Page *struct {
		UTMSource string `json:"utm_source"`
	} `json:"page"`
	Events []happening `json:"events"`
}

// happening is an event, with what of it is compared.
type happening struct {
	Kind       string  `json:"k"`
	PosMS      int64   `json:"pos_ms"`
	FromMS     int64   `json:"from_ms"`
	ToMS       int64   `json:"to_ms"`
	Rate       float64 `json:"rate"`
	Repeat     bool    `json:"repeat"`
	Autoplay   bool    `json:"autoplay"`
	Muted      bool    `json:"muted"`
	TookMS     int64   `json:"took_ms"`
	Height     int64   `json:"height"`
	BitrateBPS int64   `json:"bitrate_bps"`
	Shift      string  `json:"shift"`
	Code       string  `json:"code"`
	Severity   string  `json:"severity"`
	Message    string  `json:"message"`
	Type       string  `json:"type"`
	ID         string  `json:"id"`
	Verb       string  `json:"verb"`
}

// name is what tells a batch from all others.
type name struct {
	view string
	seq  int
}

// seen is what became of one view, from the batches of it that are stored.
type seen struct {
	of                  *sending // one of its batches
	utm                 string
	played, ended       bool
	watched, again, end int64 // ms watched for the first time, again; the furthest
	spans               []happening
}

// recount gathers views from stored batches.
func recount(items map[name]*sending, stored map[name]bool) (map[string]*seen, error) {
	views := map[string]*seen{}
	for n := range stored {
		it := items[n]
		if it == nil {
			continue // a phantom, reported elsewhere
		}
		var body told
		if err := json.Unmarshal(it.Body, &body); err != nil {
			return nil, fmt.Errorf("recount: %w", err)
		}
		v := views[it.View]
		if v == nil {
			v = &seen{of: it}
			views[it.View] = v
		}
		if body.Page != nil {
			v.utm = body.Page.UTMSource
		}
		for _, e := range body.Events {
			v.add(e)
		}
	}
	return views, nil
}

func (v *seen) add(e happening) {
	switch e.Kind {
	case "play":
		v.played = true
	case "end":
		v.ended = true
	case "watch":
		v.played = true
		v.end = max(v.end, e.ToMS)
		v.spans = append(v.spans, e)
		if e.Repeat {
			v.again += e.ToMS - e.FromMS
		} else {
			v.watched += e.ToMS - e.FromMS
		}
	}
}

// figures of one film, or of the views of it with one campaign.
type figures struct {
	loads, plays, views, finished, visitors int
	engagement, hours                       float64
	first, again, left                      []int // by second
}

// figuresOf counts the views of people; utm narrows them, unless it is "*".
func figuresOf(f film, views map[string]*seen, utm string) figures {
	seconds := int((f.durationMS + 999) / 1000)
	out := figures{first: make([]int, seconds), again: make([]int, seconds), left: make([]int, seconds)}
	people := map[string]bool{}
	shares := []float64{} // summed in one order, whatever that of the map is
	for id, v := range views {
		if v.of.Account != f.account || v.of.Media != f.id || v.of.Bot || utm != "*" && v.utm != utm {
			continue
		}
		out.loads++
		people[who(id, v.of)] = true
		if !v.played {
			continue
		}
		out.plays++
		if v.watched+v.again > 0 {
			out.views++
		}
		finished := v.ended || v.end+2000 >= f.durationMS
		if finished {
			out.finished++
		} else if v.end > 0 {
			out.left[(v.end-1)/1000]++
		}
		shares = append(shares, min(1, float64(v.watched)/float64(f.durationMS)))
		out.hours += float64(v.watched+v.again) / 3.6e6
		for _, e := range v.spans {
			draw(e, f.durationMS, &out)
		}
	}
	slices.Sort(shares)
	for _, s := range shares {
		out.engagement += s / float64(out.plays)
	}
	out.visitors = len(people)
	return out
}

// draw adds one interval to each second whose middle it covers.
func draw(e happening, durationMS int64, into *figures) {
	cells := into.first
	if e.Repeat {
		cells = into.again
	}
	for s := range cells {
		middle := int64(s)*1000 + 500
		if middle >= durationMS { // a last second that is cut short
			middle = (int64(s)*1000 + durationMS) / 2
		}
		if e.FromMS <= middle && middle < e.ToMS {
			cells[s]++
		}
	}
}

// who is by what a view's visitor is told apart.
func who(view string, it *sending) string {
	if it.OptedOut {
		return view
	}
	return cmp.Or(it.Identity, it.Address+" "+it.Agent)
}
