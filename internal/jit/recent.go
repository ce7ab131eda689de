package jit

import (
	"bytes"
	"slices"
	"sync"
)

// What a Recent keeps at most; in memory an index takes some five times its bytes.
const (
	recentIndexes = 4
	recentBytes   = 4 << 20 // that of 2 h
)

// Recent spares a process that both makes indexes and serves them the decoding of
// those that it has just made. A nil one keeps nothing.
type Recent struct {
	mu   sync.Mutex
	kept []recent // the oldest first
}

type recent struct {
	index   *Index
	encoded []byte
}

// Encode is [Index.Encode], and keeps the index until it is asked for, once, or
// others take its place.
func (r *Recent) Encode(x *Index) []byte {
	b := x.Encode()
	if r == nil || len(b) > recentBytes {
		return b
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append(r.kept, recent{x, b})
	total := 0
	for i, k := range slices.Backward(r.kept) {
		if total += len(k.encoded); total > recentBytes || len(r.kept)-i > recentIndexes {
			r.kept = slices.Delete(r.kept, 0, i+1)
			break
		}
	}
	return b
}

// Decode is the function [Decode], or hands over the kept index of these bytes.
func (r *Recent) Decode(b []byte) (*Index, error) {
	if x := r.take(b); x != nil {
		return x, nil
	}
	return Decode(b)
}

func (r *Recent) take(b []byte) *Index {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.kept, func(k recent) bool { return bytes.Equal(k.encoded, b) })
	if i < 0 {
		return nil
	}
	x := r.kept[i].index
	r.kept = slices.Delete(r.kept, i, i+1)
	return x
}
