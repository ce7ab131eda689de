package auth_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/auth"
)

func TestKeysDifferByPurposeDayAndSecret(t *testing.T) {
	t.Parallel()
	k, err := auth.NewKeys(bytes.Repeat([]byte("a"), 32))
	require.NoError(t, err)
	again, err := auth.NewKeys(bytes.Repeat([]byte("a"), 32))
	require.NoError(t, err)
	other, err := auth.NewKeys(bytes.Repeat([]byte("b"), 32))
	require.NoError(t, err)

	require.Equal(t, k.ViewToken, again.ViewToken, "every process of a deployment derives the same")
	require.NotEqual(t, k.ViewToken, other.ViewToken)
	require.Equal(t, k.VisitorSalt("2026-11-22"), again.VisitorSalt("2026-11-22"))
	require.NotEqual(t, k.VisitorSalt("2026-11-22"), k.VisitorSalt("2026-11-23"))
	require.NotEqual(t, k.ViewToken, k.VisitorSalt("2026-11-22"))
	_, err = auth.NewKeys([]byte("short"))
	require.ErrorContains(t, err, "at least 32 bytes")
}
