package spool_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/analytics/collect/spool"
	"github.com/vitascope/vitascope/internal/eventlog"
)

func open(t *testing.T, dir string, limit int64) *spool.Spool {
	t.Helper()
	s, err := spool.Open(dir, limit, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func entry(i int) spool.Entry {
	return spool.Entry{Topic: "t", Message: eventlog.Message{
		Key: fmt.Append(nil, "key", i), Value: fmt.Append(nil, "value", i),
		Headers: []eventlog.Header{{Key: "reason", Value: []byte("x")}},
	}}
}

func drained(t *testing.T, s *spool.Spool) []spool.Entry {
	t.Helper()
	var all []spool.Entry
	require.NoError(t, s.Drain(func(batch []spool.Entry) error {
		all = append(all, batch...)
		return nil
	}))
	return all
}

func TestWhatIsAppendedComesOutInOrderAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	var want []spool.Entry
	for i := range 1200 {
		want = append(want, entry(i))
	}
	require.NoError(t, s.Append(want[:700]...))
	require.NoError(t, s.Close())
	s = open(t, dir, 1<<20)
	require.False(t, s.Empty())
	require.NoError(t, s.Append(want[700:]...))
	require.Equal(t, want, drained(t, s))
	require.True(t, s.Empty())
	require.Zero(t, s.Size())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, files)
}

func TestManyAppendersShareSyncsAndLoseNothing(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), 1<<20)
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := range 20 {
				if err := s.Append(entry(w*100 + i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	seen := map[string]int{}
	take := func(batch []spool.Entry) error {
		for _, e := range batch {
			seen[string(e.Message.Key)]++
		}
		return nil
	}
	require.NoError(t, s.Drain(take), "while others append")
	wg.Wait()
	require.NoError(t, s.Drain(take))
	require.Len(t, seen, 320)
	for key, n := range seen {
		require.Equal(t, 1, n, key)
	}
}

func TestAFullSpoolSaysSoAndKeepsNothingOfIt(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), 80)
	require.NoError(t, s.Append(entry(1)))
	require.ErrorIs(t, s.Append(entry(2), entry(3)), spool.ErrFull)
	require.Equal(t, []spool.Entry{entry(1)}, drained(t, s))
	require.NoError(t, s.Append(entry(4)), "there is room again")
}

func TestWhatWasNotTakenStays(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), 1<<20)
	require.NoError(t, s.Append(entry(1), entry(2)))
	away := errors.New("away")
	require.ErrorIs(t, s.Drain(func([]spool.Entry) error { return away }), away)
	require.NoError(t, s.Append(entry(3)))
	require.Equal(t, []spool.Entry{entry(1), entry(2), entry(3)}, drained(t, s))
}

func TestATornEndIsPassedOverAndTheRestRead(t *testing.T) {
	t.Parallel()
	for name, tear := range map[string]func([]byte) []byte{
		"cut short":        func(b []byte) []byte { return b[:len(b)-3] },
		"cut in its head":  func(b []byte) []byte { return b[:len(b)/2+2] },
		"another byte":     func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"zeroes behind it": func(b []byte) []byte { return append(b[:len(b)/2], make([]byte, 50)...) },
	} {
		dir := t.TempDir()
		s := open(t, dir, 1<<20)
		require.NoError(t, s.Append(entry(1)))
		require.NoError(t, s.Append(entry(2)))
		require.NoError(t, s.Close())
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		require.NoError(t, err)
		require.Len(t, files, 1)
		data, err := os.ReadFile(files[0])
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(files[0], tear(data), 0o600))
		s = open(t, dir, 1<<20)
		require.NoError(t, s.Append(entry(3)))
		require.Equal(t, []spool.Entry{entry(1), entry(3)}, drained(t, s), name)
	}
}
