package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	require.NoError(t, cfg.Validate())
	require.Empty(t, cfg.Changed())
}

func TestVariablesThenFlagsWinOverDefaults(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(secret, []byte("from a file\n"), 0o600))
	cfg := DefaultConfig()
	require.NoError(t, cfg.ApplyEnv([]string{
		"HOME=/root", "VITASCOPE_LISTEN=127.0.0.1:1", "VITASCOPE_ROLES=sink,collect", "VITASCOPE_S3_SECRET_KEY_FILE=" + secret, "VITASCOPE_TOKEN=vs_x",
	}))
	require.Equal(t, []string{"sink", "collect"}, cfg.Roles)
	require.Equal(t, "from a file", cfg.S3SecretKey)

	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	cfg.Flags(fs)
	require.NoError(t, fs.Parse([]string{"--roles=player", "--listen=127.0.0.1:2"}))
	require.Equal(t, []string{"player"}, cfg.Roles)
	require.Equal(t, "127.0.0.1:2", cfg.Listen)
	require.Contains(t, cfg.Changed(), "s3-secret-key = (hidden)")
	require.NotContains(t, fs.FlagUsages(), "from a file")
}

func TestProblemsAreToldAllAtOnceByKey(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	err := cfg.ApplyEnv([]string{"VITASCOPE_LISTN=x", "VITASCOPE_S3_SECURE=perhaps"})
	require.ErrorContains(t, err, "VITASCOPE_LISTN")
	require.ErrorContains(t, err, "VITASCOPE_S3_SECURE")

	cfg = DefaultConfig()
	cfg.Listen, cfg.Roles, cfg.Secret = "nowhere", []string{"cook"}, "short"
	err = cfg.Validate()
	for _, key := range []string{"listen", "roles", "secret"} {
		require.ErrorContains(t, err, key)
	}
}

func TestSeparateRolesNeedAddressesAndOneSecret(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Roles = []string{RoleSink}
	err := cfg.Validate()
	require.ErrorContains(t, err, "secret")
	require.ErrorContains(t, err, "catalog (postgres://…), kafka-brokers, clickhouse-url")
	require.NotContains(t, err.Error(), "s3-endpoint", "a sink needs no objects")

	cfg.Secret = "0123456789abcdef0123456789abcdef"
	cfg.Catalog, cfg.KafkaBrokers, cfg.ClickHouseURL = "postgres://db/x", []string{"k:9092"}, "http://u:p@c:8123/x"
	require.NoError(t, cfg.Validate())
}

func TestSecretIsMadeOnceAndOnlyItsOwnerReadsIt(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Data = t.TempDir()
	first, err := loadSecret(&cfg)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(first), 32)
	again, err := loadSecret(&cfg)
	require.NoError(t, err)
	require.Equal(t, first, again)
	info, err := os.Stat(filepath.Join(cfg.Data, "secret"))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
}
