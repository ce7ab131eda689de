// Package apitest gives tests of the JSON API what all of them need: people with
// accounts of their own, and a call that says what it answered.
package apitest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/auth"
	"github.com/vitascope/vitascope/internal/catalog"
)

// Caller is someone with an account of their own.
type Caller struct{ Account, User, Token string }

// NewCaller makes an account, its admin and their token.
func NewCaller(t *testing.T, db *catalog.DB, users *auth.Service, name string) Caller {
	t.Helper()
	ctx, now := t.Context(), time.Now().UTC()
	account := catalog.Account{ID: catalog.NewID(), Name: name, CreatedAt: now}
	user := catalog.User{ID: catalog.NewID(), AccountID: account.ID, Email: name + "@example.test", Role: catalog.RoleAdmin, CreatedAt: now}
	_, err := db.NewInsert().Model(&account).Exec(ctx)
	require.NoError(t, err)
	_, err = db.NewInsert().Model(&user).Exec(ctx)
	require.NoError(t, err)
	token, _, err := users.NewAPIToken(ctx, account.ID, user.ID, "test")
	require.NoError(t, err)
	return Caller{Account: account.ID, User: user.ID, Token: token}
}

// Call sends a request as token's owner, or as nobody, decodes a JSON answer into out
// and returns its status. A body that is no string is sent as JSON.
func Call(t *testing.T, server, token, method, path string, body, out any) int {
	t.Helper()
	text, ok := body.(string)
	if !ok && body != nil {
		raw, err := json.Marshal(body)
		require.NoError(t, err)
		text = string(raw)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, server+path, strings.NewReader(text))
	require.NoError(t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if text != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	if out != nil {
		require.NoError(t, json.Unmarshal(raw, out), "%d %s", res.StatusCode, raw)
	}
	return res.StatusCode
}
