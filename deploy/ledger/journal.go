package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// What a server is expected to make of an item.
const (
	wantTaken   = "taken"
	wantLate    = "late"
	wantInvalid = "invalid"
)

// item is one body that the load sends, once or as often as it takes.
type item struct {
	Want     string `json:"want"`
	Flaw     string `json:"flaw,omitempty"`    // how it is malformed
	Account  string `json:"account,omitempty"` // whose its token says it is; "" when the token is not good
	Media    string `json:"media,omitempty"`
	View     string `json:"view,omitempty"`
	Seq      int    `json:"seq,omitempty"`
	Bot      bool   `json:"bot,omitempty"`
	OptedOut bool   `json:"opted_out,omitempty"`
	Identity string `json:"identity,omitempty"`
	Address  string `json:"address,omitempty"`
	Agent    string `json:"agent,omitempty"`
	Type     string `json:"type,omitempty"` // Content-Type, if not text/plain
	Encoding string `json:"encoding,omitempty"`
	Body     []byte `json:"body,omitempty"`

	events int // that are to be taken
}

// line is one line of the journal: an item that is about to be sent for the first
// time, one more attempt to send it, or an answer to one.
type line struct {
	ID     int64 `json:"id"`
	Item   *item `json:"item,omitempty"`
	Try    bool  `json:"try,omitempty"`
	Status int   `json:"status,omitempty"`
}

// journal is the ledger of what was sent and what was acknowledged. A line is
// synced to disk before write returns; lines that come together share a sync.
type journal struct {
	file *os.File

	mu      sync.Mutex
	pending []byte
	waiting chan struct{} // closed when what is pending is on disk
	busy    bool
	err     error
	next    int64

	writes, syncs int64
	waited        time.Duration // of all writes, for their syncs
}

func newJournal(path string) (*journal, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return &journal{file: file, waiting: make(chan struct{})}, nil
}

// id returns the next item's number.
func (j *journal) id() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.next++
	return j.next
}

func (j *journal) write(lines ...line) error {
	var raw []byte
	for _, l := range lines {
		b, err := json.Marshal(l)
		if err != nil {
			return err
		}
		raw = append(append(raw, b...), '\n')
	}
	began := time.Now()
	j.mu.Lock()
	j.pending = append(j.pending, raw...)
	done := j.waiting
	if !j.busy {
		j.busy = true
		go j.flush()
	}
	j.mu.Unlock()
	<-done
	j.mu.Lock()
	defer j.mu.Unlock()
	j.writes++
	j.waited += time.Since(began)
	return j.err
}

// pace tells how long a write waited on average, and how many shared a sync.
func (j *journal) pace() (wait time.Duration, shared float64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.waited / time.Duration(max(1, j.writes)), float64(j.writes) / float64(max(1, j.syncs))
}

func (j *journal) flush() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.pending) > 0 {
		raw, done := j.pending, j.waiting
		j.pending, j.waiting = nil, make(chan struct{})
		j.mu.Unlock()
		_, err := j.file.Write(raw)
		err = errors.Join(err, j.file.Sync())
		j.mu.Lock()
		j.err = errors.Join(j.err, err)
		j.syncs++
		close(done)
	}
	j.busy = false
}

// sending is an item with what became of the attempts to send it.
type sending struct {
	item
	tries    int
	answered map[int]int // by status, of those that are answers for good
	acked    bool        // answered for good
}

// read returns everything in the journal, by the items' numbers.
func (j *journal) read() (map[int64]*sending, error) {
	if _, err := j.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	all := map[int64]*sending{}
	for lines := bufio.NewReaderSize(j.file, 1<<20); ; {
		raw, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(raw) == 0 {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		var l line
		if err := json.Unmarshal(raw, &l); err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		if l.Item != nil {
			all[l.ID] = &sending{item: *l.Item, answered: map[int]int{}}
		}
		s := all[l.ID]
		if s == nil {
			return nil, fmt.Errorf("read the journal: item %d was never sent", l.ID)
		}
		if l.Try {
			s.tries++
		}
		if l.Status != 0 {
			s.answered[l.Status]++
			s.acked = true
		}
	}
}
