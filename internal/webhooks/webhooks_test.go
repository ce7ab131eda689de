package webhooks_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/apitest"
	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/internal/webhooks"
)

type world struct {
	db       *catalog.DB
	api      *httptest.Server
	ann, eve apitest.Caller
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// start runs webhooks with short pauses on a catalog of its own.
func start(t *testing.T, allow []netip.Prefix) *world {
	t.Helper()
	ctx, log := t.Context(), slog.New(slog.DiscardHandler)
	db, err := catalog.Open(ctx, "sqlite://"+filepath.Join(t.TempDir(), "catalog.db"), log)
	require.NoError(t, err)
	require.NoError(t, db.Migrate(ctx))
	require.NoError(t, jobs.Migrate(ctx, db, log))
	client, err := jobs.New(db, jobs.Config{Queues: map[string]int{jobs.QueueWebhooks: 16}, StopGrace: time.Second}, log)
	require.NoError(t, err)
	cfg := webhooks.DefaultConfig()
	cfg.SealingKey, cfg.Allow = make([]byte, 32), allow
	cfg.PollEvery, cfg.Timeout = 20*time.Millisecond, 3*time.Minute
	cfg.Pauses = []time.Duration{20 * time.Millisecond}
	s, err := webhooks.New(cfg, db, client, log)
	require.NoError(t, err)
	webhooks.AddWorkers(client, s)
	runCtx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = s.Run(runCtx) })
	running.Go(func() { _ = client.Run(runCtx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		require.NoError(t, db.Close())
	})
	users := auth.New(db, false, log)
	w := &world{db: db, ann: apitest.NewCaller(t, db, users, "ann"), eve: apitest.NewCaller(t, db, users, "eve")}
	e := httpx.New(users, log)
	s.Register(httpx.NewAPI(e, "test"))
	w.api = httptest.NewServer(e)
	t.Cleanup(w.api.Close)
	return w
}

func (w *world) call(t *testing.T, token, method, path string, body, out any) int {
	t.Helper()
	return apitest.Call(t, w.api.URL, token, method, path, body, out)
}

// received is a message as its receiver got it.
type received struct {
	header http.Header
	body   []byte
}

// receiver answers what answer says and tells what came.
func receiver(t *testing.T, answer func(n int, w http.ResponseWriter)) (url string, came chan received) {
	t.Helper()
	came = make(chan received, 100)
	var mu sync.Mutex
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		n++
		count := n
		mu.Unlock()
		came <- received{r.Header, body}
		answer(count, w)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, came
}

func ok(int, http.ResponseWriter) {}

func wait(t *testing.T, came chan received) received {
	t.Helper()
	select {
	case r := <-came:
		return r
	case <-time.After(2 * time.Minute):
		require.Fail(t, "nothing came")
		return received{}
	}
}

func (w *world) hook(t *testing.T, url, types string) webhooks.NewWebhook {
	t.Helper()
	var made webhooks.NewWebhook
	require.Equal(t, 201, w.call(t, w.ann.Token, "POST", "/v1/webhooks", `{"url":"`+url+`","name":"CRM","types":[`+types+`]}`, &made))
	return made
}

func (w *world) media(t *testing.T, account string) catalog.Media {
	t.Helper()
	m := catalog.Media{ID: catalog.NewID(), AccountID: account, Name: "Film", State: catalog.StateProbing, Generation: 1, DurationMS: 60_000}
	require.NoError(t, w.db.CreateMedia(t.Context(), w.db, &m))
	return m
}

func (w *world) comes(t *testing.T, m catalog.Media, to catalog.MediaState) {
	t.Helper()
	require.NoError(t, w.db.Transition(t.Context(), w.db, m.ID, 1, []catalog.MediaState{catalog.StateProbing, catalog.StatePlayable}, to))
}

type log struct{ Items []webhooks.Delivery }

// settled waits until the endpoint's log satisfies a condition.
func (w *world) settled(t *testing.T, id string, when func(log) bool) log {
	t.Helper()
	var l log
	require.Eventually(t, func() bool {
		require.Equal(t, 200, w.call(t, w.ann.Token, "GET", "/v1/webhooks/"+id+"/deliveries", "", &l))
		return when(l)
	}, 2*time.Minute, 50*time.Millisecond)
	return l
}

func TestStatesOfAMediaAreToldSigned(t *testing.T) {
	t.Parallel()
	w := start(t, loopback)
	url, came := receiver(t, ok)
	made := w.hook(t, url, `"media.ready","media.failed"`)
	others, strange := receiver(t, ok)
	require.Equal(t, 201, w.call(t, w.eve.Token, "POST", "/v1/webhooks", `{"url":"`+others+`"}`, nil))
	m := w.media(t, w.ann.Account)
	w.comes(t, m, catalog.StatePlayable)
	w.comes(t, m, catalog.StatePlayable) // as it was: nothing to tell
	w.comes(t, m, catalog.StateReady)

	got := wait(t, came)
	verifier, err := standardwebhooks.NewWebhook(made.Secret)
	require.NoError(t, err)
	require.NoError(t, verifier.Verify(got.body, got.header))
	require.Error(t, verifier.Verify(append(got.body, ' '), got.header))
	var message struct {
		Type      string
		Timestamp time.Time
		Data      struct {
			ID, Name, State string
			Seconds         float64 `json:"duration_seconds"`
		}
	}
	require.NoError(t, json.Unmarshal(got.body, &message))
	require.Equal(t, "media.ready", message.Type, "only what it asked for")
	require.Equal(t, []any{m.ID, "Film", "ready", 60.0}, []any{message.Data.ID, message.Data.Name, message.Data.State, message.Data.Seconds})
	l := w.settled(t, made.ID, func(l log) bool { return len(l.Items) == 1 && l.Items[0].State == "delivered" })
	require.Equal(t, got.header.Get("webhook-id"), l.Items[0].MessageID)
	require.Equal(t, string(got.body), l.Items[0].Payload)
	require.Empty(t, came)
	require.Empty(t, strange, "another account's")
}

func TestAMessageIsRepeatedWithItsIDUntilItIsTaken(t *testing.T) {
	t.Parallel()
	w := start(t, loopback)
	url, came := receiver(t, func(n int, w http.ResponseWriter) {
		if n < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	made := w.hook(t, url, "")
	w.comes(t, w.media(t, w.ann.Account), catalog.StateFailed)
	first, second, third := wait(t, came), wait(t, came), wait(t, came)
	require.Equal(t, first.header.Get("webhook-id"), second.header.Get("webhook-id"))
	require.Equal(t, first.header.Get("webhook-id"), third.header.Get("webhook-id"))
	require.Equal(t, first.body, third.body)
	l := w.settled(t, made.ID, func(l log) bool { return l.Items[0].State == "delivered" })
	require.Equal(t, 3, l.Items[0].Attempts)
	require.Equal(t, 202, w.call(t, w.ann.Token, "POST", "/v1/webhook-deliveries/"+l.Items[0].ID+"/retries", "", nil))
	require.Equal(t, first.header.Get("webhook-id"), wait(t, came).header.Get("webhook-id"), "sent again by hand")
}

func TestAReceiverThatHangsHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	w := start(t, loopback)
	release := make(chan struct{})
	slow, hanging := receiver(t, func(int, http.ResponseWriter) { <-release })
	good, came := receiver(t, ok)
	t.Cleanup(func() { close(release) }) // before the receivers end, which wait for their requests
	w.hook(t, slow, "")
	w.hook(t, good, "")
	for range 10 {
		w.comes(t, w.media(t, w.ann.Account), catalog.StateReady)
	}
	ids := map[string]bool{}
	for range 10 {
		ids[wait(t, came).header.Get("webhook-id")] = true
	}
	require.Len(t, ids, 10)
	require.LessOrEqual(t, len(hanging), 4, "four wait for it at most")
}

func TestNothingIsSentIntoOurOwnNetworks(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	url, came := receiver(t, ok)
	require.Equal(t, 422, w.call(t, w.ann.Token, "POST", "/v1/webhooks", `{"url":"`+url+`"}`, nil))
	// A name that leads there is found out when it is dialled.
	made := w.hook(t, "http://localhost/hook", "")
	require.NoError(t, w.db.SetWebhookEndpoint(t.Context(), w.db, w.ann.Account, made.ID,
		catalog.Set{Column: "url", Value: strings.Replace(url, "127.0.0.1", "localhost", 1)}))
	require.Equal(t, 202, w.call(t, w.ann.Token, "POST", "/v1/webhooks/"+made.ID+"/tests", "", nil))
	l := w.settled(t, made.ID, func(l log) bool { return l.Items[0].Attempts > 0 })
	require.Equal(t, "Its address is not on the public Internet.", l.Items[0].Problem)
	require.Zero(t, l.Items[0].Status)
	require.Empty(t, came)
}

func TestWhileASecretIsRotatedBothVerify(t *testing.T) {
	t.Parallel()
	w := start(t, loopback)
	url, came := receiver(t, ok)
	old := w.hook(t, url, "")
	var fresh webhooks.NewWebhook
	require.Equal(t, 201, w.call(t, w.ann.Token, "POST", "/v1/webhooks/"+old.ID+"/secrets", "", &fresh))
	require.NotEqual(t, old.Secret, fresh.Secret)
	require.Equal(t, 202, w.call(t, w.ann.Token, "POST", "/v1/webhooks/"+old.ID+"/tests", "", nil))
	got := wait(t, came)
	for _, secret := range []string{old.Secret, fresh.Secret} {
		verifier, err := standardwebhooks.NewWebhook(secret)
		require.NoError(t, err)
		require.NoError(t, verifier.Verify(got.body, got.header))
	}
}

func TestAnEndpointThatIsGoneIsSwitchedOff(t *testing.T) {
	t.Parallel()
	w := start(t, loopback)
	url, came := receiver(t, func(_ int, w http.ResponseWriter) { w.WriteHeader(http.StatusGone) })
	made := w.hook(t, url, "")
	w.comes(t, w.media(t, w.ann.Account), catalog.StateReady)
	wait(t, came)
	w.settled(t, made.ID, func(l log) bool { return l.Items[0].State == "failed" })
	var list struct{ Items []webhooks.Webhook }
	require.Equal(t, 200, w.call(t, w.ann.Token, "GET", "/v1/webhooks", "", &list))
	require.False(t, list.Items[0].Enabled)
	require.Equal(t, "It answered 410 Gone.", list.Items[0].DisabledReason)
	w.comes(t, w.media(t, w.ann.Account), catalog.StateReady)
	require.Eventually(t, func() bool {
		some, err := w.db.HasOutbox(t.Context())
		return err == nil && !some
	}, 2*time.Minute, 20*time.Millisecond)
	require.Equal(t, 409, w.call(t, w.ann.Token, "POST", "/v1/webhooks/"+made.ID+"/tests", "", nil))
	require.Equal(t, 200, w.call(t, w.ann.Token, "PATCH", "/v1/webhooks/"+made.ID, `{"enabled":true}`, nil))
	require.Equal(t, 202, w.call(t, w.ann.Token, "POST", "/v1/webhooks/"+made.ID+"/tests", "", nil))
	require.Contains(t, string(wait(t, came).body), "webhook.test")
	require.Empty(t, came, "what came while it was off was not queued")
}

func TestAnEndpointThatFailsAgainAndAgainRests(t *testing.T) {
	t.Parallel()
	w := start(t, loopback)
	url, came := receiver(t, func(_ int, w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) })
	made := w.hook(t, url, "")
	w.comes(t, w.media(t, w.ann.Account), catalog.StateReady)
	for range 5 {
		wait(t, came)
	}
	var list struct{ Items []webhooks.Webhook }
	require.Eventually(t, func() bool {
		require.Equal(t, 200, w.call(t, w.ann.Token, "GET", "/v1/webhooks", "", &list))
		return list.Items[0].RestsUntil != nil
	}, 2*time.Minute, 50*time.Millisecond)
	require.Equal(t, made.ID, list.Items[0].ID)
	require.True(t, list.Items[0].Enabled)
}

func TestWebhooksBelongToTheirAccount(t *testing.T) {
	t.Parallel()
	w := start(t, loopback)
	url, came := receiver(t, ok)
	made := w.hook(t, url, "")
	require.Equal(t, 202, w.call(t, w.ann.Token, "POST", "/v1/webhooks/"+made.ID+"/tests", "", nil))
	wait(t, came)
	l := w.settled(t, made.ID, func(l log) bool { return len(l.Items) == 1 && l.Items[0].State == "delivered" })
	one := "/v1/webhooks/" + made.ID
	for _, c := range [][3]string{{"PATCH", one, `{"enabled":false}`}, {"DELETE", one, ""}, {"POST", one + "/secrets", ""}, {"POST", one + "/tests", ""},
		{"GET", one + "/deliveries", ""}, {"POST", "/v1/webhook-deliveries/" + l.Items[0].ID + "/retries", ""}} {
		require.Equal(t, 404, w.call(t, w.eve.Token, c[0], c[1], c[2], nil), c[1])
		require.Equal(t, 404, w.call(t, w.ann.Token, c[0], strings.NewReplacer(made.ID, "zzzzzzzzzz", l.Items[0].ID, "zzzzzzzzzz").Replace(c[1]), c[2], nil), c[1])
		require.Equal(t, 401, w.call(t, "", c[0], c[1], c[2], nil), c[1])
	}
	var list struct{ Items []json.RawMessage }
	require.Equal(t, 200, w.call(t, w.eve.Token, "GET", "/v1/webhooks", "", &list))
	require.Empty(t, list.Items)
	require.Equal(t, 200, w.call(t, w.ann.Token, "GET", "/v1/webhooks", "", &list))
	require.NotContains(t, string(list.Items[0]), "secret")
	for _, bad := range []string{`{"url":"javascript:alert(1)"}`, `{"url":"https://a:b@example.com"}`, `{"url":"https://example.com","types":["media.*"]}`} {
		require.Equal(t, 422, w.call(t, w.ann.Token, "POST", "/v1/webhooks", bad, nil), bad)
	}
	require.Equal(t, 204, w.call(t, w.ann.Token, "DELETE", one, "", nil))
}
