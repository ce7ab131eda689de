package engines_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/deploy/engines"
)

func TestAllEnginesRunTogetherAndComeBack(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, filepath.Join(t.TempDir(), "made & <when> missing"))
	cfg.S3, cfg.Kafka, cfg.ClickHouse = true, true, true
	for round := range 2 {
		h := startHelper(t, cfg)
		conn := open(t, h.endpoints.ClickHouseURL(), clickhouse.CompressionLZ4)
		objects := s3Client(t, h.endpoints, h.endpoints.S3SecretKey)
		if round == 0 {
			require.NoError(t, conn.Exec(t.Context(), "CREATE TABLE kept (n UInt8) ENGINE = MergeTree ORDER BY n"))
			require.NoError(t, conn.Exec(t.Context(), "INSERT INTO kept VALUES (1)"))
			require.NoError(t, objects.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{}))
			createTopic(t, h.endpoints.KafkaBrokers[0])

			_, err := newHelper(t, cfg)
			require.ErrorContains(t, err, engines.ErrDataDirInUse.Error())
		}
		var n uint8
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT n FROM kept").Scan(&n))
		ok, err := objects.BucketExists(t.Context(), bucket)
		require.NoError(t, err)
		require.True(t, ok)
		require.Empty(t, readAll(t, h.endpoints.KafkaBrokers[0]))
		child := childOf(t, h.Process.Pid, cfg.DataDir)
		h.stop(t)
		gone(t, child)
	}
}

func TestNewNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := engines.New(engines.Config{ClickHouse: true, S3Port: 70000}, testSecret(), testLog(t))
	for _, part := range []string{"data dir", "s3 port 70000", "clickhouse memory", "concurrency", "start timeout", "stop grace"} {
		require.ErrorContains(t, err, part)
	}
	_, err = engines.New(engines.DefaultConfig(t.TempDir()), []byte("short"), testLog(t))
	require.ErrorContains(t, err, "secret")
}

func TestFindLibrary(t *testing.T) {
	t.Parallel()
	found, err := engines.FindLibrary("")
	require.NoError(t, err, "run npm ci")
	require.True(t, filepath.IsAbs(found))
	_, err = engines.FindLibrary("/nowhere/libchdb.so")
	require.ErrorIs(t, err, engines.ErrNoLibrary)
	own := filepath.Join(t.TempDir(), "own.so")
	require.NoError(t, os.WriteFile(own, nil, 0o600))
	found, err = engines.FindLibrary(own)
	require.NoError(t, err)
	require.Equal(t, own, found)
}

func TestStartReportsAnEngineThatCannotStart(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, t.TempDir())
	cfg.ClickHouse = true
	cfg.LibraryPath = filepath.Join(t.TempDir(), "libchdb.so")
	require.NoError(t, os.WriteFile(cfg.LibraryPath, []byte("not a library"), 0o600))
	e, err := engines.New(cfg, testSecret(), testLog(t))
	require.NoError(t, err)
	_, err = e.Start(t.Context())
	require.ErrorContains(t, err, "start clickhouse")
	require.ErrorContains(t, err, cfg.LibraryPath, "the child's own words")
	require.Empty(t, e.Health())
}

func TestStartReportsAPortThatIsTaken(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) // answers 200 to everything
	t.Cleanup(other.Close)                                                                     // after the parallel subtests
	port := other.Listener.Addr().(*net.TCPAddr).Port
	for name, choose := range map[string]func(*engines.Config){
		engines.NameS3:         func(c *engines.Config) { c.S3, c.S3Port = true, port },
		engines.NameKafka:      func(c *engines.Config) { c.Kafka, c.KafkaPort = true, port },
		engines.NameClickHouse: func(c *engines.Config) { c.ClickHouse, c.ClickHousePort = true, port },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t, t.TempDir())
			choose(&cfg)
			_, err := newHelper(t, cfg)
			require.ErrorContains(t, err, name)
			require.ErrorContains(t, err, "address already in use")
		})
	}
}
