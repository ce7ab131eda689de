package child

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// maxUnacknowledged is how many files the child may be ahead of the server,
// which bounds the job folder.
const maxUnacknowledged = 24

// maxLine bounds a line of the protocol in either direction.
const maxLine = 1 << 20

// ack is the server's answer to each announced file: it has been taken over
// and removed.
type ack struct {
	Files int `json:"files"`
}

// Session is the child's side of one job.
type Session struct {
	job   Job
	input *inputClient
	out   io.Writer
	slots chan struct{}
	lost  chan struct{}

	mu sync.Mutex
}

// OpenSession reads the job from stdin and connects the input. The context it
// returns ends when the server hangs up, so that a child never outlives it.
func OpenSession(ctx context.Context, stdin io.Reader, stdout io.Writer, input io.ReadWriter) (*Session, context.Context, error) {
	lines := bufio.NewReaderSize(stdin, 64<<10)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return nil, nil, fmt.Errorf("read job: %w", err)
	}
	s := &Session{out: stdout, slots: make(chan struct{}, maxUnacknowledged), lost: make(chan struct{})}
	if err := json.Unmarshal(line, &s.job); err != nil {
		return nil, nil, fmt.Errorf("read job: %w", err)
	}
	s.input = &inputClient{conn: input, size: s.job.InputSize}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		defer close(s.lost)
		cancel(s.readAcks(lines))
	}()
	return s, ctx, nil
}

// InputDescriptor is the number under which the child inherits its input.
const InputDescriptor = 3

// InputSocket opens the inherited input socket.
func InputSocket() *os.File { return os.NewFile(InputDescriptor, "input") }

func (s *Session) readAcks(lines *bufio.Reader) error {
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return errors.New("the server hung up")
		}
		var a ack
		if err := json.Unmarshal(line, &a); err != nil {
			return fmt.Errorf("read acknowledgement: %w", err)
		}
		for range a.Files {
			<-s.slots
		}
	}
}

// Job is what to do.
func (s *Session) Job() Job { return s.job }

// InputSize is the size of the media in bytes.
func (s *Session) InputSize() int64 { return s.input.size }

// ReadAt reads media at off: up to len(p) bytes, io.EOF at the end. It must
// not be called concurrently.
func (s *Session) ReadAt(p []byte, off int64) (int, error) { return s.input.readAt(p, off) }

// Emit tells the server. An event with a file waits while the server is too
// many files behind, and the file belongs to the server from then on.
func (s *Session) Emit(e Event) error {
	if e.file() != "" {
		select {
		case s.slots <- struct{}{}:
		case <-s.lost:
			return errors.New("the server hung up")
		}
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("emit: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.out.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("emit: %w", err)
	}
	return nil
}

// file is the path an event announces, empty for none.
func (e Event) file() string {
	switch {
	case e.Init != nil:
		return e.Init.File
	case e.Segment != nil:
		return e.Segment.File
	case e.Image != nil:
		return e.Image.File
	case e.Text != nil:
		return e.Text.File
	}
	return ""
}
