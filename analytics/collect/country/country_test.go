package country_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/analytics/collect/country"
)

func TestTheInstalledTableKnowsCountries(t *testing.T) {
	t.Parallel()
	path, err := country.Find("")
	require.NoError(t, err)
	table, err := country.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, table.Close()) })
	for addr, want := range map[string]string{
		"8.8.8.8":                   "US",
		"::ffff:8.8.8.8":            "US",
		"193.0.6.139":               "NL", // RIPE NCC
		"2001:67c:2e8:22::c100:68b": "NL",
		"127.0.0.1":                 "",
		"192.168.1.1":               "",
	} {
		require.Equal(t, want, table.Of(netip.MustParseAddr(addr)), addr)
	}
	require.Empty(t, table.Of(netip.Addr{}))
}
