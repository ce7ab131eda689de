package library_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/ingest/library"
	"github.com/vitascope/vitascope/internal/catalog"
)

type event struct {
	name string
	data string // or a comment, without a name
}

// follow opens the caller's live feed and delivers what it sends; the channel is
// closed when the feed ends.
func (s *shelf) follow(t *testing.T, token string) <-chan event {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.srv.URL+"/v1/events", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	events := make(chan event, 1000)
	go func() {
		defer close(events)
		defer res.Body.Close()
		var e event
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			line := lines.Text()
			switch {
			case strings.HasPrefix(line, ":"):
				events <- event{data: strings.TrimSpace(line[1:])}
			case strings.HasPrefix(line, "event: "):
				e.name = line[7:]
			case strings.HasPrefix(line, "data: "):
				e.data = line[6:]
			case line == "" && e.name != "":
				events <- e
				e = event{}
			}
		}
	}()
	next(t, events, "") // the opening comment
	return events
}

// next returns the next event of a name, passing pings over.
func next(t *testing.T, events <-chan event, name string) event {
	t.Helper()
	timeout := time.After(2 * time.Minute)
	for {
		select {
		case e, ok := <-events:
			require.True(t, ok, "the feed ended")
			if e.name == "" && name != "" {
				continue
			}
			require.Equal(t, name, e.name, "%s", e.data)
			return e
		case <-timeout:
			require.FailNow(t, "no event came", "want %q", name)
		}
	}
}

func nextMedia(t *testing.T, events <-chan event) library.Media {
	t.Helper()
	var m library.Media
	require.NoError(t, json.Unmarshal([]byte(next(t, events, "media").data), &m))
	return m
}

func TestTheFeedTellsEveryChangeOnceAndToItsAccountAlone(t *testing.T) {
	t.Parallel()
	s := start(t)
	mine, foreign := s.follow(t, s.Ann.Token), s.follow(t, s.Eve.Token)
	m := s.put(t, s.Ann.Account, "clip", catalog.StateUploading, nil)
	require.Equal(t, "uploading", nextMedia(t, mine).State)
	require.NoError(t, s.DB.UpdateUploaded(t.Context(), m.ID, 1, 500))
	require.InDelta(t, 0.5, nextMedia(t, mine).Progress, 1e-9)

	// A second change in the same millisecond, after the first was sent, is not lost.
	_, err := s.DB.ExecContext(t.Context(), "UPDATE media SET name = 'renamed' WHERE id = ?", m.ID)
	require.NoError(t, err)
	require.Equal(t, "renamed", nextMedia(t, mine).Name)
	// Nor is one that commits late, with a time before the newest one seen.
	other := s.put(t, s.Ann.Account, "late", catalog.StateProbing, nil)
	nextMedia(t, mine)
	_, err = s.DB.ExecContext(t.Context(), "UPDATE media SET name = 'later', changed_ms = changed_ms - 2000 WHERE id = ?", other.ID)
	require.NoError(t, err)
	require.Equal(t, "later", nextMedia(t, mine).Name)

	require.Equal(t, http.StatusNoContent, s.call(t, s.Ann.Token, "DELETE", "/v1/media/"+m.ID, "", nil))
	require.JSONEq(t, `{"id":"`+m.ID+`"}`, next(t, mine, "media_deleted").data)

	// Nothing comes twice, and nothing of this reached the other account.
	for _, events := range []<-chan event{mine, foreign} {
		for range 3 {
			require.Equal(t, event{data: "ping"}, nextAny(t, events))
		}
	}
}

// nextAny returns whatever comes next.
func nextAny(t *testing.T, events <-chan event) event {
	t.Helper()
	select {
	case e, ok := <-events:
		require.True(t, ok, "the feed ended")
		return e
	case <-time.After(2 * time.Minute):
		require.FailNow(t, "nothing came")
		return event{}
	}
}

func TestTheFeedEndsWhenTheServerStops(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.service.Run(ctx) }()
	events := s.follow(t, s.Ann.Token)
	stop()
	require.NoError(t, <-ended)
	timeout := time.After(2 * time.Minute)
	for {
		select {
		case _, ok := <-events:
			if !ok {
				return
			}
		case <-timeout:
			require.FailNow(t, "the feed goes on")
		}
	}
}

func TestABurstOfChangesIsToldWhole(t *testing.T) {
	t.Parallel()
	s := start(t)
	events := s.follow(t, s.Ann.Token)
	want := map[string]bool{}
	for range 700 { // more than one look returns
		want[s.put(t, s.Ann.Account, "clip", catalog.StateProbing, nil).ID] = true
	}
	for len(want) > 0 {
		delete(want, nextMedia(t, events).ID)
	}
}
