package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/deploy/engines"
	"github.com/vitascope/vitascope/internal/app"
	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/beacon"
)

func TestMain(m *testing.M) {
	engines.MaybeRunChild()
	os.Exit(m.Run())
}

// serve runs the whole product in dir until the test ends and returns its address.
func serve(t *testing.T, dir, secret string) string {
	t.Helper()
	cfg := app.DefaultConfig()
	cfg.Data, cfg.Secret, cfg.Listen, cfg.InsecureEngines, cfg.InsecureMedia = dir, secret, "127.0.0.1:0", true, true
	cfg.MediaBinary = filepath.Join(t.TempDir(), "vitascope-media")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", cfg.MediaBinary, "../vitascope-media").CombinedOutput()
	require.NoError(t, err, string(built))
	a, err := app.New(cfg, "test", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ready := make(chan app.Ready, 1)
	a.OnReady = func(r app.Ready) { ready <- r }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	select {
	case r := <-ready:
		return r.URL
	case err := <-ended:
		ended <- nil
		require.NoError(t, err)
	case <-time.After(2 * time.Minute):
		t.Fatal("the server did not start")
	}
	return ""
}

// command runs vitascope with arguments and returns what it printed.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&out)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestTheWarehouseIsComparedAndRepairedAndEventsAreReplayedFromTheCommandLine(t *testing.T) {
	dir, secret := t.TempDir(), strings.Repeat("s", 40)
	server := serve(t, dir, secret)
	require.FileExists(t, filepath.Join(dir, "cli-token"))
	to := []string{"--server", server, "--data", dir}
	keys, err := auth.NewKeys([]byte(secret))
	require.NoError(t, err)
	account := accountOf(t, server, dir)
	now, view := time.Now(), uuid.Must(uuid.NewV7())
	opened := time.Unix(view.Time().UnixTime()) // on another day than now, if midnight is between
	token, err := beacon.SignViewToken(keys.ViewToken, beacon.Claims{
		Account: account, Media: "media00001", View: view.String(), Duration: time.Minute, IssuedAt: now, ExpiresAt: now.Add(time.Hour),
	})
	require.NoError(t, err)
	send := func(seq int, kind string, status int) {
		body := fmt.Sprintf(`{"v":1,"token":%q,"seq":%d,"sent_at_ms":%d,"events":[{"k":%q,"at_ms":%d,"from_ms":0,"to_ms":3000,"rate":1}]}`, token, seq, now.UnixMilli(), kind, now.UnixMilli())
		res, err := http.Post(server+"/beacons/v1", "text/plain", strings.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, status, res.StatusCode)
	}
	send(0, "watch", http.StatusNoContent)
	send(1, "teleport", http.StatusUnprocessableEntity)
	// Not by asking for comparisons, which hold the sinks up.
	require.Eventually(t, func() bool {
		var ledger struct {
			Total struct{ Accepted, Invalid int }
		}
		ask(t, server, dir, "/v1/stats/ledger", &ledger)
		return ledger.Total.Accepted == 1 && ledger.Total.Invalid == 1
	}, 3*time.Minute, 100*time.Millisecond)
	out, err := command(t, append([]string{"warehouse", "verify"}, to...)...)
	require.NoError(t, err, out)
	require.Contains(t, out, "1 media compared")
	out, err = command(t, append([]string{"warehouse", "rebuild", "--media", "media00001", "--day", opened.UTC().Format(time.DateOnly)}, to...)...)
	require.NoError(t, err, out)
	require.Contains(t, out, "media00001\n1 media rebuilt")
	_, err = command(t, append([]string{"warehouse", "verify", "--day", "yesterday"}, to...)...)
	require.ErrorContains(t, err, "422")
	out, err = command(t, append([]string{"events", "replay"}, to...)...)
	require.NoError(t, err)
	require.Equal(t, "0 recovered\n1 still refused: kind_unknown\n", out)
}

// accountOf asks the server whose the token in dir is.
func accountOf(t *testing.T, server, dir string) string {
	t.Helper()
	var session struct {
		Account struct{ ID string }
	}
	ask(t, server, dir, "/v1/session", &session)
	require.NotEmpty(t, session.Account.ID)
	return session.Account.ID
}

// ask gets a path with the token in dir.
func ask(t *testing.T, server, dir, path string, into any) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(dir, "cli-token"))
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server+path, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.NoError(t, json.NewDecoder(res.Body).Decode(into))
}
