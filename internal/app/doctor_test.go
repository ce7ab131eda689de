package app_test

import (
	"bytes"
	"log/slog"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/deploy/engines"
	"github.com/vitascope/vitascope/internal/app"
)

func TestDoctorFindsAnEventLogWellBeforeTheFirstStartAndSickWhenItIsAway(t *testing.T) {
	t.Parallel()
	cfg := engines.DefaultConfig(t.TempDir())
	cfg.S3, cfg.ClickHouse = false, false
	e, err := engines.New(cfg, bytes.Repeat([]byte{7}, 32), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ep, err := e.Start(t.Context())
	require.NoError(t, err)

	asked := app.DefaultConfig()
	asked.Data, asked.Roles, asked.KafkaBrokers = t.TempDir(), []string{app.RoleCollect}, ep.KafkaBrokers
	answers := func() error {
		findings := app.Examine(t.Context(), asked)
		i := slices.IndexFunc(findings, func(f app.Finding) bool { return f.What == "the event log answers" })
		require.GreaterOrEqual(t, i, 0, "%v", findings)
		return findings[i].Err
	}
	require.NoError(t, answers())
	require.NoError(t, e.Stop(t.Context()))
	require.Error(t, answers())
}
