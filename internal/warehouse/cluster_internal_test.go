package warehouse

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDDLForAClusterIsReplicatedAndNothingIsLeftOut(t *testing.T) {
	t.Parallel()
	require.Equal(t, `CREATE TABLE IF NOT EXISTS t ON CLUSTER 'main'
(a UInt8)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', version)
ORDER BY a
SETTINGS replicated_deduplication_window = 10000;
DROP TABLE IF EXISTS u ON CLUSTER 'main';
ALTER TABLE v ON CLUSTER 'main'
    ADD COLUMN b String;
`, onCluster(`CREATE TABLE IF NOT EXISTS t
(a UInt8)
ENGINE = ReplacingMergeTree(version)
ORDER BY a
SETTINGS non_replicated_deduplication_window = 10000;
DROP TABLE IF EXISTS u;
ALTER TABLE v
    ADD COLUMN b String;
`, "main"))
	files, err := migrationFiles("main")
	require.NoError(t, err)
	plain, err := migrationFiles("")
	require.NoError(t, err)
	names, err := fs.Glob(plain, "*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			for _, begin := range []string{"CREATE ", "ALTER ", "DROP ", "RENAME ", "TRUNCATE "} {
				require.False(t, strings.HasPrefix(line, begin) && !strings.Contains(line, " ON CLUSTER 'main'"), "%s: %s", name, line)
			}
			require.False(t, strings.HasPrefix(line, "ENGINE = ") && !strings.HasPrefix(line, "ENGINE = Replicated"), "%s: %s", name, line)
		}
		require.NotContains(t, string(text), "non_replicated")
	}
}
