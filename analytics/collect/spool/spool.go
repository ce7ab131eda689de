// Package spool is a queue of event log messages on disk, for the time the log
// is away.
//
// Append returns when its messages are synced to disk; appends that come while
// one sync is under way share the next. Drain hands them out in the order they
// were appended and forgets what was taken; a crash in between hands some out
// again, never fewer. What a crash tore off at the end of a file was never
// acknowledged and is dropped.
//
// The queue is a folder of numbered files of at most 16 MiB, bounded as a whole.
// A Spool is safe for concurrent use; one process uses a folder at a time.
package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// ErrFull is returned by Append when the spool has no room.
var ErrFull = errors.New("the spool is full")

const (
	segmentBytes = 16 << 20
	suffix       = ".spool"
)

// Spool is an open queue.
type Spool struct {
	dir   string
	limit int64
	log   *slog.Logger

	mu       sync.Mutex
	segments []segment // oldest first; the last may be the one being written
	file     *os.File  // the one being written, or nil
	size     int64     // of all segments
	number   uint64    // of the newest segment
	pending  *group
	flushing bool
	closed   bool
	idle     *sync.Cond

	draining sync.Mutex
}

type segment struct {
	path string
	size int64
}

// group is what one sync covers.
type group struct {
	data []byte
	done chan struct{}
	err  error
}

func newGroup() *group { return &group{done: make(chan struct{})} }

// Open opens the queue in dir, which is made when missing. limit bounds it, in
// bytes on disk.
func Open(dir string, limit int64, log *slog.Logger) (*Spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	s := &Spool{dir: dir, limit: limit, log: log, pending: newGroup()}
	s.idle = sync.NewCond(&s.mu)
	for _, e := range entries { // in order of name, which is that of number
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("open spool: %w", err)
		}
		if _, err := fmt.Sscanf(name, "%d", &s.number); err != nil {
			return nil, fmt.Errorf("open spool: %s is not one of its files", e.Name())
		}
		s.segments = append(s.segments, segment{filepath.Join(dir, e.Name()), info.Size()})
		s.size += info.Size()
	}
	return s, nil
}

// Empty tells whether nothing waits.
func (s *Spool) Empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.segments) == 0
}

// Size returns how many bytes wait.
func (s *Spool) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// Append adds entries and returns when they are on disk. The error matches
// [ErrFull] when there is no room for them; after any error none is kept.
func (s *Spool) Append(entries ...Entry) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errors.New("the spool is closed")
	}
	g, before := s.pending, len(s.pending.data)
	for _, e := range entries {
		g.data = e.append(g.data)
	}
	if s.size+int64(len(g.data)) > s.limit {
		g.data = g.data[:before]
		s.mu.Unlock()
		return ErrFull
	}
	if !s.flushing {
		s.flushing = true
		go s.flush()
	}
	s.mu.Unlock()
	<-g.done
	return g.err
}

// flush writes groups until none is pending. Only one runs at a time.
func (s *Spool) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pending.data) > 0 {
		g := s.pending
		s.pending = newGroup()
		file, err := s.writable()
		if err == nil {
			at := &s.segments[len(s.segments)-1]
			start := at.size
			s.mu.Unlock()
			err = write(file, start, g.data)
			s.mu.Lock()
			if err == nil {
				s.segments[len(s.segments)-1].size += int64(len(g.data))
				s.size += int64(len(g.data))
			} else { // what was written is unknown: this file ends where it was good
				s.retire(file, start)
			}
		}
		g.err = err
		close(g.done)
	}
	s.flushing = false
	s.idle.Broadcast()
}

func write(file *os.File, at int64, data []byte) error {
	if _, err := file.WriteAt(data, at); err != nil {
		return fmt.Errorf("append to the spool: %w", err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("append to the spool: %w", err)
	}
	return nil
}

// writable returns the file to write to. mu is held.
func (s *Spool) writable() (*os.File, error) {
	if s.file != nil && s.segments[len(s.segments)-1].size < segmentBytes {
		return s.file, nil
	}
	if s.file != nil {
		if err := s.file.Close(); err != nil {
			return nil, fmt.Errorf("append to the spool: %w", err)
		}
		s.file = nil
	}
	s.number++
	path := filepath.Join(s.dir, fmt.Sprintf("%020d%s", s.number, suffix))
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("append to the spool: %w", err)
	}
	if err := syncDir(s.dir); err != nil {
		return nil, errors.Join(fmt.Errorf("append to the spool: %w", err), file.Close(), os.Remove(path))
	}
	s.file = file
	s.segments = append(s.segments, segment{path: path})
	return file, nil
}

// retire stops writing to a file that failed. mu is held.
func (s *Spool) retire(file *os.File, good int64) {
	if err := errors.Join(file.Truncate(good), file.Close()); err != nil {
		s.log.Warn("a file of the spool could not be cut back; its torn end will be passed over", "err", err)
	}
	s.file = nil
	if good == 0 {
		last := len(s.segments) - 1
		if os.Remove(s.segments[last].path) == nil {
			s.segments = s.segments[:last]
		}
	}
}

// Drain hands all that waits to take, in order, in batches, and forgets what it
// took. It returns the first error of take; nil means that nothing waited any
// more at some moment. Other calls of Drain wait.
func (s *Spool) Drain(take func([]Entry) error) error {
	s.draining.Lock()
	defer s.draining.Unlock()
	for {
		oldest, ok, err := s.oldest()
		if err != nil || !ok {
			return err
		}
		if err := s.read(oldest, take); err != nil {
			return err
		}
		if err := s.forget(oldest); err != nil {
			return err
		}
	}
}

// oldest returns the oldest segment, closed to writing.
func (s *Spool) oldest() (segment, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.flushing {
		s.idle.Wait()
	}
	if len(s.segments) == 0 {
		return segment{}, false, nil
	}
	if len(s.segments) == 1 && s.file != nil {
		err := s.file.Close()
		s.file = nil
		if err != nil {
			return segment{}, false, fmt.Errorf("drain the spool: %w", err)
		}
	}
	return s.segments[0], true, nil
}

func (s *Spool) forget(old segment) error {
	if err := os.Remove(old.path); err != nil {
		return fmt.Errorf("drain the spool: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.size -= s.segments[0].size
	s.segments = slices.Delete(s.segments, 0, 1)
	return nil
}

// read hands the entries of a segment to take.
func (s *Spool) read(seg segment, take func([]Entry) error) error {
	data, err := os.ReadFile(seg.path)
	if err != nil {
		return fmt.Errorf("drain the spool: %w", err)
	}
	const most = 500
	batch := make([]Entry, 0, most)
	for len(data) > 0 {
		e, rest, err := cut(data)
		if err != nil {
			s.log.Warn("the end of a file of the spool is torn; what was acknowledged comes before it", "bytes", len(data), "err", err)
			break
		}
		data = rest
		if batch = append(batch, e); len(batch) == most {
			if err := take(batch); err != nil {
				return err
			}
			batch = make([]Entry, 0, most)
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return take(batch)
}

// Close waits for appends under way. What waits stays on disk.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for s.flushing {
		s.idle.Wait()
	}
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
