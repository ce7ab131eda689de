package outbound_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/outbound"
)

// TestNothingReachesOurOwnNetworks is judged by a listener, not by what is answered.
func TestNothingReachesOurOwnNetworks(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) })}
	go func() { _ = srv.Serve(listener) }()
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	client := outbound.New(outbound.Config{})
	for _, host := range []string{
		"127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost", "LOCALHOST.", "0.0.0.0", "0", "[::1]", "[::]",
		"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "10.0.0.1", "172.16.0.1", "192.168.0.1",
		"169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "[fe80::1]", "[fc00::1]", "[ff02::1]", "198.18.0.1", "192.0.2.1",
	} {
		for _, p := range []string{":" + port, ":80", ""} {
			res, err := client.Get("http://" + host + p + "/")
			if err == nil {
				require.NoError(t, res.Body.Close())
			}
			require.Error(t, err, "http://%s%s", host, p)
		}
	}
	_, err = client.Get("http://127.0.0.1:" + port)
	require.ErrorIs(t, err, outbound.ErrForbidden)
	require.Zero(t, reached.Load())
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	inner := 0
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inner++ }))
	t.Cleanup(target.Close)
	srv := httptest.NewServer(http.RedirectHandler(target.URL, http.StatusTemporaryRedirect))
	t.Cleanup(srv.Close)
	client := outbound.New(outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	res, err := client.Get(srv.URL)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusTemporaryRedirect, res.StatusCode)
	require.Zero(t, inner)
}

func TestAddressesAreCheckedEarly(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "example.com", "//example.com", "ftp://example.com", "file:///etc/passwd", "javascript:alert(1)", "http://", "https://user:secret@example.com",
		"https://example.com/#x", "https://exa mple.com", "https://example.com/\r\nX: y", "https://exämple.com", "http://127.0.0.1/", "http://[::1]:80/", "http://169.254.169.254/latest",
		"http://[fe80::1%25eth0]/", "gopher://example.com", "https:example.com", "https://example.com:8443",
	} {
		require.Error(t, outbound.CheckURL(bad, nil), "%q", bad)
	}
	for _, good := range []string{"https://example.com/hooks?x=1", "http://93.184.216.34:80/", "https://hooks.example.com:443"} {
		require.NoError(t, outbound.CheckURL(good, nil), "%q", good)
	}
	require.NoError(t, outbound.CheckURL("http://10.1.2.3/", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}))
}
