// Package outbound makes HTTP requests to addresses that people of an account chose,
// and keeps them out of the operator's own networks.
//
// What counts is the address that is dialled, after every resolution and redirect:
// loopback, private, link-local, multicast, translated and reserved addresses (the
// special-purpose registries of IANA) are refused, and so are ports other than 80 and
// 443. An operator can let networks in. Proxies of the environment are not used, and
// nothing follows a redirect unless the caller asks for it. A Client is safe for
// concurrent use.
package outbound

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// ErrForbidden is matched by errors of requests that would have gone where none may.
var ErrForbidden = errors.New("this address is not on the public Internet")

// Config says where requests may go beside the public Internet.
type Config struct {
	// Allow are networks of the operator's that may be reached, at any port. Default
	// none.
	Allow []netip.Prefix
	// Timeout bounds a request with its answer's body. Default 15 s.
	Timeout time.Duration
	// Redirects is how many are followed. Default 0.
	Redirects int
}

// New returns a client.
func New(cfg Config) *http.Client {
	if cfg.Timeout == 0 {
		cfg.Timeout = 15 * time.Second
	}
	public := ssrf.New()
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second, Control: func(network, address string, c syscall.RawConn) error {
		if at, err := netip.ParseAddrPort(address); err == nil && contains(cfg.Allow, at.Addr()) {
			return nil
		}
		if err := public.Safe(network, address, c); err != nil {
			return fmt.Errorf("%w: %w", ErrForbidden, err)
		}
		return nil
	}}
	transport := &http.Transport{
		DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: cfg.Timeout,
		MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
	}
	return &http.Client{Transport: transport, Timeout: cfg.Timeout, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > cfg.Redirects {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

// contains tells whether one of the networks has the address, however it is written.
func contains(networks []netip.Prefix, addr netip.Addr) bool {
	addr = addr.WithZone("").Unmap()
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// CheckURL tells early, in words for people, that a URL cannot be one to call. What it
// lets pass is checked again when it is dialled.
func CheckURL(text string, allow []netip.Prefix) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Opaque != "":
		return errors.New("it must be a whole address, such as https://example.com/hooks")
	case u.User != nil:
		return errors.New("it must not carry a name and password")
	case u.Fragment != "":
		return errors.New("it must not have a fragment")
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || r > 0x7e }):
		return errors.New("it must be written in plain ASCII without spaces")
	}
	if port := u.Port(); port != "" && port != "80" && port != "443" && len(allow) == 0 {
		return errors.New("only the ports 80 and 443 are called")
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		if !contains(allow, addr) && ssrf.New(ssrf.WithAnyPort()).SafeAddr(addr.WithZone("")) != nil {
			return ErrForbidden
		}
	}
	return nil
}
