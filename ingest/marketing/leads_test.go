package marketing_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/ingest/marketing"
	"github.com/vitascope/vitascope/internal/beacon"
	"github.com/vitascope/vitascope/internal/catalog"
)

type leads struct {
	Items      []marketing.Lead
	NextCursor string `json:"next_cursor"`
}

// gated makes a media with a gate and returns a view token of it.
func (d *desk) gated(t *testing.T) (media, token string) {
	t.Helper()
	media = d.media(t)
	require.Equal(t, 200, d.call(t, d.Ann.Token, "PUT", "/v1/media/"+media+"/actions", items{[]marketing.PlayerAction{
		{ID: "gate", Type: "gate", At: "start", Text: "Who are you?", Fields: []string{"name"}, Consent: "News by mail"},
		{ID: "offer", Type: "cta", At: "end", Text: "Buy"},
	}}, nil))
	return media, viewToken(t, d.Ann.Account, media, time.Now())
}

func viewToken(t *testing.T, account, media string, now time.Time) string {
	t.Helper()
	token, err := beacon.SignViewToken(viewKey, beacon.Claims{Account: account, Media: media, View: "0196aaaa-0000-7000-8000-000000000001",
		Generation: 1, Duration: time.Minute, IssuedAt: now, ExpiresAt: now.Add(time.Hour)})
	require.NoError(t, err)
	return token
}

// handIn sends a lead as a player does, and returns the status.
func (d *desk) handIn(t *testing.T, lead map[string]string, header http.Header) (int, map[string]string) {
	t.Helper()
	raw, err := json.Marshal(lead)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), "POST", d.srv.URL+"/leads/v1", strings.NewReader(string(raw)))
	require.NoError(t, err)
	req.Header.Set("Origin", "https://elsewhere.example")
	for name, values := range header {
		req.Header[name] = values
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, "*", res.Header.Get("Access-Control-Allow-Origin"), "players of every site read the answer")
	require.Equal(t, "RateLimit, RateLimit-Policy, Retry-After", res.Header.Get("Access-Control-Expose-Headers"))
	out := map[string]string{}
	if res.StatusCode == 200 {
		require.NoError(t, json.NewDecoder(res.Body).Decode(&out))
	}
	return res.StatusCode, out
}

func TestALeadIsStoredOnceAndTold(t *testing.T) {
	t.Parallel()
	d := start(t)
	media, token := d.gated(t)
	lead := map[string]string{"view_token": token, "action_id": "gate", "email": " Ann.Lee@Example.com ", "first_name": "Ann <b>\u202e", "company": "not asked for",
		"consent": "News by mail", "page": "https://shop.example/p?session=secret#x"}
	status, answer := d.handIn(t, lead, nil)
	require.Equal(t, 200, status)
	viewer, err := beacon.VerifyViewerToken(viewKey, answer["viewer_token"], time.Now())
	require.NoError(t, err)
	require.Equal(t, "Ann.Lee@Example.com", viewer.Identity)
	lead["email"] = "ann.lee@example.com"
	status, _ = d.handIn(t, lead, nil)
	require.Equal(t, 200, status, "who was known is not told")

	var got leads
	require.Equal(t, 200, d.call(t, d.Ann.Token, "GET", "/v1/leads", nil, &got))
	require.Len(t, got.Items, 1)
	l := got.Items[0]
	require.Equal(t, "Ann.Lee@Example.com", l.Email)
	require.Equal(t, "Ann <b>", l.FirstName)
	require.Empty(t, l.Company, "the gate does not ask for it")
	require.Equal(t, "News by mail", l.Consent)
	require.Equal(t, "https://shop.example/p", l.Page)
	require.Equal(t, []string{media, "Ad", "gate"}, []string{l.MediaID, l.MediaName, l.ActionID})

	events := outbox(t, d)
	require.Len(t, events, 1)
	require.Equal(t, catalog.EventLeadCaptured, events[0].Type)
	require.Equal(t, l.ID, events[0].Subject)
	require.Contains(t, events[0].Data, `"email":"Ann.Lee@Example.com"`)
}

func outbox(t *testing.T, d *desk) (list []catalog.OutboxEvent) {
	t.Helper()
	require.NoError(t, d.DB.InTx(t.Context(), func(ctx context.Context, tx catalog.Tx) (err error) {
		list, err = d.DB.TakeOutbox(ctx, tx, 100)
		return err
	}))
	return list
}

func TestWhoOptsOutIsNotTiedToTheView(t *testing.T) {
	t.Parallel()
	d := start(t)
	_, token := d.gated(t)
	status, answer := d.handIn(t, map[string]string{"view_token": token, "action_id": "gate", "email": "a@example.com", "consent": "ok"}, http.Header{"Sec-Gpc": {"1"}})
	require.Equal(t, 200, status)
	require.Empty(t, answer["viewer_token"])
	list, err := d.DB.Leads(t.Context(), d.Ann.Account, catalog.LeadFilter{}, 10)
	require.NoError(t, err)
	require.Empty(t, list[0].ViewID)
}

func TestWhatIsNoLeadIsRefused(t *testing.T) {
	t.Parallel()
	d := start(t)
	media, token := d.gated(t)
	good := func() map[string]string {
		return map[string]string{"view_token": token, "action_id": "gate", "email": "a@example.com", "consent": "yes"}
	}
	with := func(key, value string) map[string]string {
		l := good()
		l[key] = value
		return l
	}
	// One network may hand in ten a minute: each of these worlds has its own.
	for _, bad := range []string{"a", "a@b", "a@b.c, d@e.f", "Ann <a@example.com>", "a@exa\u202emple.com", "a\x00@example.com", strings.Repeat("a", 250) + "@example.com"} {
		status, _ := d.handIn(t, with("email", bad), nil)
		require.Equal(t, 422, status, "%q", bad)
	}
	d = start(t)
	media, token = d.gated(t)
	for status, bad := range map[int]map[string]string{
		422: with("action_id", "offer"),
		403: with("view_token", viewToken(t, d.Ann.Account, media, time.Now().Add(-2*time.Hour))),
		404: with("view_token", viewToken(t, d.Eve.Account, media, time.Now())),
	} {
		bad["view_token"] = map[bool]string{true: token, false: bad["view_token"]}[status == 422]
		got, _ := d.handIn(t, bad, nil)
		require.Equal(t, status, got)
	}
	status, _ := d.handIn(t, with("consent", " "), nil)
	require.Equal(t, 422, status)
	status, _ = d.handIn(t, with("page", strings.Repeat("x", 20<<10)), nil)
	require.Equal(t, 422, status)
	require.Empty(t, outbox(t, d))
}

func TestLeadsOfOneNetworkAreBounded(t *testing.T) {
	t.Parallel()
	d := start(t)
	refused := 0
	for range 15 {
		if status, _ := d.handIn(t, map[string]string{}, nil); status == 429 {
			refused++
		}
	}
	require.GreaterOrEqual(t, refused, 4)
}

func TestLeadsAreListedExportedAndErased(t *testing.T) {
	t.Parallel()
	d := start(t)
	media, _ := d.gated(t)
	for _, email := range []string{"one@example.com", "=two@example.com", "three@example.org"} {
		_, err := d.DB.AddLead(t.Context(), &catalog.Lead{AccountID: d.Ann.Account, MediaID: media, ActionID: "gate", Email: email, FirstName: "@SUM(A1)"}, "{}")
		require.NoError(t, err)
	}
	var page leads
	require.Equal(t, 200, d.call(t, d.Ann.Token, "GET", "/v1/leads?limit=2&media="+media, nil, &page))
	require.Len(t, page.Items, 2)
	var rest leads
	require.Equal(t, 200, d.call(t, d.Ann.Token, "GET", "/v1/leads?limit=2&cursor="+page.NextCursor, nil, &rest))
	require.Len(t, rest.Items, 1)
	require.Empty(t, rest.NextCursor)
	require.Equal(t, 422, d.call(t, d.Ann.Token, "GET", "/v1/leads?cursor=x", nil, nil))
	require.Equal(t, 200, d.call(t, d.Ann.Token, "POST", "/v1/lead-searches", `{"query":"EXAMPLE.org"}`, &rest))
	require.Len(t, rest.Items, 1)
	require.Equal(t, 200, d.call(t, d.Ann.Token, "POST", "/v1/lead-searches", `{"query":"100%"}`, &rest))
	require.Empty(t, rest.Items)

	req, err := http.NewRequestWithContext(t.Context(), "GET", d.srv.URL+"/v1/leads/export", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+d.Ann.Token)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	rows, err := csv.NewReader(res.Body).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	require.Equal(t, "email", rows[0][1])
	for _, row := range rows[1:] {
		require.Equal(t, "'@SUM(A1)", row[2], "no spreadsheet takes it for a formula")
		require.NotEqual(t, byte('='), row[1][0])
	}

	id := page.Items[0].ID
	require.Equal(t, 404, d.call(t, d.Eve.Token, "DELETE", "/v1/leads/"+id, nil, nil))
	require.Equal(t, 200, d.call(t, d.Eve.Token, "GET", "/v1/leads", nil, &rest))
	require.Empty(t, rest.Items)
	require.Equal(t, 204, d.call(t, d.Ann.Token, "DELETE", "/v1/leads/"+id, nil, nil))
	require.Equal(t, 404, d.call(t, d.Ann.Token, "DELETE", "/v1/leads/"+id, nil, nil))
	var erased struct{ Erased int }
	require.Equal(t, 200, d.call(t, d.Eve.Token, "POST", "/v1/lead-erasures", `{"email":"one@example.com"}`, &erased))
	require.Zero(t, erased.Erased)
	require.Equal(t, 200, d.call(t, d.Ann.Token, "POST", "/v1/lead-erasures", `{"email":"ONE@example.com"}`, &erased))
	require.Equal(t, 1, erased.Erased)
	require.Len(t, outbox(t, d), 1, "what was not told yet goes too")
	jobs, err := d.DB.NewSelect().Table("river_job").Where("kind = 'forget_visitor'").Count(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 4, jobs, "what two addresses watched is erased, now and when their tokens have expired")
}
