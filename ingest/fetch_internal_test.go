package ingest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyPublicAddressesAreDialled(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"127.0.0.1:80", "10.1.2.3:80", "172.16.0.1:80", "192.168.1.1:443", "169.254.169.254:80", "100.64.0.1:80", "0.0.0.0:80",
		"224.0.0.1:80", "255.255.255.255:80", "240.0.0.1:80", "198.18.0.1:80", "[::1]:80", "[::]:80", "[fe80::1%eth0]:80", "[fc00::1]:80", "[ff02::1]:80",
		"[::ffff:127.0.0.1]:80", "[::ffff:10.0.0.1]:80", "[64:ff9b::a00:1]:80", "[2002:7f00:1::1]:80", "[2001:db8::1]:80", "localhost:80", ""} {
		require.ErrorIs(t, mayDial(at, nil), errFetchNetwork, at)
	}
	for _, at := range []string{"93.184.215.14:443", "[2606:4700::1111]:80"} {
		require.NoError(t, mayDial(at, nil), at)
	}
	_, ten, err := net.ParseCIDR("10.0.0.0/8")
	require.NoError(t, err)
	require.NoError(t, mayDial("10.1.2.3:80", []*net.IPNet{ten}))
	require.ErrorIs(t, mayDial("127.0.0.1:80", []*net.IPNet{ten}), errFetchNetwork)
}

func TestRedirectsAreCheckedAndBounded(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
	})
	mux.HandleFunc("/inside", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://[::1]:1/", http.StatusFound)
	})
	mux.HandleFunc("/streamed", func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	_, loopback, err := net.ParseCIDR("127.0.0.1/32")
	require.NoError(t, err)
	f := newFetcher([]*net.IPNet{loopback}, 64<<20)
	for path, want := range map[string]error{"/loop": errFetchAway, "/file": errFetchAddress, "/inside": errFetchNetwork, "/streamed": errFetchSize} {
		_, err := f.open(t.Context(), server.URL+path, 0, "")
		require.ErrorIs(t, err, want, path)
	}
	for _, address := range []string{"ftp://example.com/x", "http://user:pass@example.com/x", "//example.com/x", "http://", "file:///etc/passwd", "\x00"} {
		_, err := f.open(t.Context(), address, 0, "")
		require.ErrorIs(t, err, errFetchAddress, address)
	}
	_, err = newFetcher(nil, 64<<20).open(t.Context(), server.URL+"/streamed", 0, "")
	require.ErrorIs(t, err, errFetchNetwork)
}
