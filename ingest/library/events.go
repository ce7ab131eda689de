package library

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
)

const (
	// overlap is how far each look reaches back before the newest change seen: a
	// transaction that commits late carries an earlier time.
	overlap = 5 * time.Second
	// eventWriteTimeout ends a feed whose reader has stopped reading.
	eventWriteTimeout = 10 * time.Second
	// changesPage is how many changes the catalog returns at once.
	changesPage = 500
)

func eventsOperation() huma.Operation {
	return huma.Operation{
		OperationID: "follow-events", Method: http.MethodGet, Path: "/v1/events", Tags: []string{"Media"},
		Summary: "Follow changes of the account's media",
		Description: "Server-sent events until the connection ends. `media` carries a changed media as GET /v1/media/{id} shows it, " +
			"`media_deleted` carries its id alone. After a reconnection, read the list again.",
		Responses: map[string]*huma.Response{"200": {
			Description: "The stream.",
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}},
	}
}

// events streams changes until the client leaves or the server stops.
func (s *Service) events(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	f := &feed{service: s, account: auth.AccountID(ctx), since: time.Now().Add(-overlap).UnixMilli(), seen: map[string]change{}}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		c := humaecho.Unwrap(hctx)
		h := c.Response().Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no") // proxies must pass events on at once
		f.out, f.control = c.Response(), http.NewResponseController(c.Response())
		if err := f.run(hctx.Context()); err != nil && hctx.Context().Err() == nil {
			s.log.DebugContext(ctx, "live feed ended", "err", err)
		}
	}}, nil
}

// feed is one client's view of its account's changes.
type feed struct {
	service *Service
	account string
	since   int64             // changes at or after this, Unix ms, are looked for
	seen    map[string]change // by media id, of changes not before since
	out     http.ResponseWriter
	control *http.ResponseController
}

// change identifies what was sent: two changes within one millisecond differ in
// content, and the same one looked at twice does not.
type change struct {
	ms  int64
	sum [sha256.Size]byte
}

func (f *feed) run(ctx context.Context) error {
	poll, ping := time.NewTicker(f.service.cfg.PollEvery), time.NewTicker(f.service.cfg.PingEvery)
	defer poll.Stop()
	defer ping.Stop()
	if err := f.write(": open\n\n"); err != nil { // tells the browser that it is connected
		return err
	}
	for {
		if err := f.look(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.service.closing:
			return nil
		case <-ping.C:
			if err := f.write(": ping\n\n"); err != nil {
				return err
			}
		case <-poll.C:
		}
	}
}

// look sends what changed since the last look.
func (f *feed) look(ctx context.Context) error {
	for from := f.since; ; {
		changed, err := f.service.db.ChangedMedia(ctx, f.account, from)
		if err != nil {
			return err
		}
		if err := f.send(ctx, changed); err != nil {
			return err
		}
		if len(changed) > 0 {
			newest := changed[len(changed)-1].ChangedMS
			f.since = max(f.since, newest-overlap.Milliseconds())
			if len(changed) == changesPage && newest > from {
				from = newest
				continue
			}
		}
		break
	}
	for id, c := range f.seen {
		if c.ms < f.since {
			delete(f.seen, id)
		}
	}
	return nil
}

func (f *feed) send(ctx context.Context, changed []catalog.Media) error {
	views, err := f.service.views(ctx, changed)
	if err != nil {
		return err
	}
	for i, m := range changed {
		event, body := "media", any(views[i])
		if !m.DeletedAt.IsZero() {
			event, body = "media_deleted", map[string]string{"id": m.ID}
		}
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode media %s: %w", m.ID, err)
		}
		c := change{ms: m.ChangedMS, sum: sha256.Sum256(raw)}
		if f.seen[m.ID] == c {
			continue
		}
		if err := f.write(fmt.Sprintf("event: %s\ndata: %s\n\n", event, raw)); err != nil {
			return err
		}
		f.seen[m.ID] = c
	}
	return nil
}

func (f *feed) write(text string) error {
	if err := f.control.SetWriteDeadline(time.Now().Add(eventWriteTimeout)); err != nil {
		return fmt.Errorf("bound writing of events: %w", err)
	}
	if _, err := f.out.Write([]byte(text)); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return f.control.Flush()
}
