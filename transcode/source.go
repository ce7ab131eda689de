package transcode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/vitascope/vitascope/internal/blob"
)

// The read-ahead over the object store: a demuxer reads two or three places of a
// file in turns (an index, sound, picture), each mostly forward.
const (
	blockBytes  = 1 << 20
	blocksKept  = 12
	aheadBlocks = 2
)

// source is a media in the object store as a [child.Input]: blocks are fetched as
// ranges, kept for a while, and fetched ahead where reading goes forward, so that
// decoding does not wait for each range.
type source struct {
	store *blob.Store
	key   string
	size  int64

	mu     sync.Mutex
	blocks map[int64]*block
	order  []int64 // least recently wanted first
	work   sync.WaitGroup
	ctx    context.Context // of the fetches ahead; ends with close
	cancel context.CancelFunc
}

// block is a fetched or coming part of the source.
type block struct {
	done chan struct{}
	data []byte
	err  error
}

func openSource(ctx context.Context, store *blob.Store, key string) (*source, error) {
	info, err := store.Stat(ctx, key)
	if err != nil {
		return nil, err
	}
	s := &source{store: store, key: key, size: info.Size, blocks: map[int64]*block{}}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s, nil
}

// close ends fetches that nobody waits for any more.
func (s *source) close() {
	s.cancel()
	s.work.Wait()
}

// Size is the source's size in bytes.
func (s *source) Size() int64 { return s.size }

// ReadAt reads from one block: a read that crosses into the next is cut short.
func (s *source) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if off >= s.size {
		return 0, io.EOF
	}
	b := s.want(off / blockBytes)
	select {
	case <-b.done:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	if b.err != nil {
		return 0, b.err
	}
	return copy(p, b.data[min(off%blockBytes, int64(len(b.data))):]), nil
}

// want returns block n, started, and the blocks after it when it follows one.
func (s *source) want(n int64) *block {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.fetch(n)
	if _, forward := s.blocks[n-1]; forward {
		for i := int64(1); i <= aheadBlocks && (n+i)*blockBytes < s.size; i++ {
			s.fetch(n + i)
		}
	}
	return b
}

func (s *source) fetch(n int64) *block {
	b, known := s.blocks[n]
	if known && b.failed() {
		known = false // asked for again: try again
	}
	s.touch(n)
	if known {
		return b
	}
	b = &block{done: make(chan struct{})}
	s.blocks[n] = b
	s.work.Go(func() {
		defer close(b.done)
		b.data, b.err = s.load(n)
	})
	return b
}

// touch marks block n as wanted and lets go of the one not wanted for longest.
func (s *source) touch(n int64) {
	for i, o := range s.order {
		if o == n {
			s.order = append(s.order[:i], s.order[i+1:]...)
			break
		}
	}
	s.order = append(s.order, n)
	if len(s.order) > blocksKept {
		delete(s.blocks, s.order[0])
		s.order = s.order[1:]
	}
}

func (b *block) failed() bool {
	select {
	case <-b.done:
		return b.err != nil
	default:
		return false
	}
}

func (s *source) load(n int64) ([]byte, error) {
	off := n * blockBytes
	want := min(blockBytes, s.size-off)
	r, err := s.store.GetRange(s.ctx, s.key, off, want)
	if err != nil {
		return nil, err
	}
	data := make([]byte, want)
	_, err = io.ReadFull(r, data)
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("read %s at %d: object is shorter than it was", s.key, off)
	}
	return data, err
}
