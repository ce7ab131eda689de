package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"strings"
)

// flaw makes a good body bad. owned tells whether its token is still ours, so that
// the refusal is counted for the account.
type flaw struct {
	name  string
	owned bool
	spoil func(it *item, body fields) error
}

// flaws are the ways in which bodies are malformed.
func flaws() []flaw {
	set := func(name string, change func(body fields)) flaw {
		return flaw{name, true, func(it *item, body fields) error {
			change(body)
			var err error
			it.Body, err = json.Marshal(body)
			return err
		}}
	}
	event := func(name string, e fields) flaw {
		return set(name, func(body fields) { e["at_ms"] = body["sent_at_ms"]; body["events"] = []any{e} })
	}
	raw := func(name string, change func(it *item)) flaw {
		return flaw{name, false, func(it *item, _ fields) error { change(it); return nil }}
	}
	return []flaw{
		raw("not UTF-8", func(it *item) { it.Body = append(it.Body, 0xff, 0xfe) }),
		raw("cut off", func(it *item) { it.Body = it.Body[:len(it.Body)/2] }),
		raw("not JSON", func(it *item) { it.Body = []byte("v=1&events=none") }),
		raw("NaN", func(it *item) { it.Body = bytes.Replace(it.Body, []byte(`"v":1`), []byte(`"v":NaN`), 1) }),
		raw("deep", func(it *item) { it.Body = []byte(strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000)) }),
		raw("too large", func(it *item) { it.Body = append(it.Body, bytes.Repeat([]byte(" "), 64<<10)...) }),
		raw("not text", func(it *item) { it.Type = "application/x-www-form-urlencoded" }),
		raw("not gzip", func(it *item) { it.Encoding = "gzip" }),
		raw("gzip bomb", func(it *item) {
			var bomb bytes.Buffer
			z := gzip.NewWriter(&bomb)
			for range 100 {
				_, _ = z.Write(make([]byte, 100<<10)) // to memory
			}
			_ = z.Close()
			it.Encoding, it.Body = "gzip", bomb.Bytes()
		}),
		{"forged token", false, func(it *item, body fields) error {
			token := []byte(fmt.Sprint(body["token"]))
			token[len(token)-10] ^= 1
			body["token"] = string(token)
			var err error
			it.Body, err = json.Marshal(body)
			return err
		}},
		{"no token", false, func(it *item, body fields) error {
			delete(body, "token")
			var err error
			it.Body, err = json.Marshal(body)
			return err
		}},
		{"wrong type", false, func(it *item, body fields) error {
			body["seq"] = "first"
			var err error
			it.Body, err = json.Marshal(body)
			return err
		}},
		set("old version", func(body fields) { body["v"] = 0 }),
		set("no number", func(body fields) { delete(body, "seq") }),
		set("no time", func(body fields) { body["sent_at_ms"] = 12 }),
		set("no events", func(body fields) { body["events"] = []any{} }),
		event("unknown kind", fields{"k": "teleport"}),
		event("backwards", fields{"k": "watch", "from_ms": 5000, "to_ms": 1000, "rate": 1}),
		event("too fast", fields{"k": "watch", "from_ms": 0, "to_ms": 1000, "rate": 1e9}),
		event("before the start", fields{"k": "pause", "pos_ms": -5}),
	}
}

// malformed makes a bad body of a playback of its own.
func (a *author) malformed() (item, error) {
	all := flaws()
	f := all[a.rnd.IntN(len(all))]
	for {
		items, err := a.playback()
		if err != nil {
			return item{}, err
		}
		it := items[0]
		if it.Want != wantTaken {
			continue
		}
		var body fields
		if err := json.Unmarshal(it.Body, &body); err != nil {
			return item{}, err
		}
		if err := f.spoil(&it, body); err != nil {
			return item{}, err
		}
		if !f.owned {
			it.Account = ""
		}
		it.Want, it.Flaw, it.events = wantInvalid, f.name, 0
		return it, nil
	}
}
