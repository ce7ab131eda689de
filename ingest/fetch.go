package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"github.com/vitascope/vitascope/internal/fault"
)

// What keeps an address from being fetched. None tells more of our own network than
// the address itself does.
var (
	errFetchAddress = fault.New(fault.Invalid, "import-address", "An import needs an http:// or https:// address without a user name.")
	errFetchNetwork = fault.New(fault.Invalid, "import-network", "This address leads into a network that imports may not reach.")
	errFetchAway    = fault.New(fault.Invalid, "import-unreachable", "No file could be fetched from this address.")
	errFetchSize    = fault.New(fault.Invalid, "import-size-unknown", "The server there does not say how large the file is. Download it, then upload it.")
	errFetchChanged = fault.New(fault.Invalid, "import-changed", "The file at this address changed while it was fetched.")
)

const (
	maxRedirects = 5
	// fetchAnswer is how long a server may take to begin its answer, and fetchStall
	// how long it may then send nothing.
	fetchAnswer, fetchStall = 20 * time.Second, time.Minute
	fetchBurst              = 1 << 20
)

// fetcher reads files from addresses that strangers name. What it connects to is
// checked when it is dialled, after every name is resolved and on every redirect, so
// that no name can lead to this machine or its networks.
type fetcher struct {
	client *http.Client
	rate   *rate.Limiter // of all fetches together
}

// newFetcher also reaches the networks in allowed.
func newFetcher(allowed []*net.IPNet, bytesPerSecond int64) *fetcher {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		return mayDial(address, allowed)
	}}
	return &fetcher{
		client: &http.Client{
			Transport: &http.Transport{
				DialContext:         dialer.DialContext, // and no proxy: it would dial for us
				TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: fetchAnswer,
				MaxResponseHeaderBytes: 64 << 10, DisableCompression: true, DisableKeepAlives: true,
			},
			CheckRedirect: func(r *http.Request, via []*http.Request) error {
				if len(via) > maxRedirects {
					return errFetchAway
				}
				return checkAddress(r.URL)
			},
		},
		rate: rate.NewLimiter(rate.Limit(bytesPerSecond), fetchBurst),
	}
}

func checkAddress(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return errFetchAddress
	}
	return nil
}

// special are networks that are not of the public Internet, beside those that
// net/netip knows (RFC 6890, and prefixes that embed an IPv4 address).
var special = func() []netip.Prefix {
	var out []netip.Prefix
	for _, p := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16"} {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}()

func mayDial(address string, allowed []*net.IPNet) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return errFetchNetwork
	}
	ip := at.Addr().Unmap()
	if slices.ContainsFunc(allowed, func(n *net.IPNet) bool { return n.Contains(ip.AsSlice()) }) {
		return nil
	}
	if ip.Zone() != "" || !ip.IsGlobalUnicast() || ip.IsPrivate() || slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return errFetchNetwork
	}
	return nil
}

// fetched is a file, or the rest of one, as it arrives.
type fetched struct {
	io.ReadCloser
	size int64  // of the whole file
	tag  string // identifies its version, empty when the server does not
	name string
}

// open asks for the file from byte off on; of a file with tag, only that version.
func (f *fetcher) open(ctx context.Context, address string, off int64, tag string) (*fetched, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errFetchAddress
	}
	if err := checkAddress(u); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		cancel()
		return nil, errFetchAddress
	}
	r.Header.Set("User-Agent", "Vitascope-Import/1")
	r.Header.Set("Accept-Encoding", "identity")
	if off > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", off))
		if tag != "" {
			r.Header.Set("If-Range", tag)
		}
	}
	res, err := f.client.Do(r)
	if err != nil {
		cancel()
		if known, ok := errors.AsType[*fault.Error](err); ok {
			return nil, known
		}
		return nil, fault.Wrap(fault.Invalid, err, errFetchAway.Code, "%s", errFetchAway.Detail)
	}
	got := &fetched{size: res.ContentLength, tag: strongTag(res.Header.Get("Etag")), name: fileName(res)}
	switch {
	case off > 0 && (res.StatusCode == http.StatusOK || res.StatusCode == http.StatusRequestedRangeNotSatisfiable):
		err = errFetchChanged // or it cannot be taken up again, which ends alike
	case off > 0 && res.StatusCode == http.StatusPartialContent:
		if got.size, err = rangeSize(res.Header.Get("Content-Range"), off); tag != "" && got.tag != tag {
			err = errFetchChanged
		}
	case res.StatusCode != http.StatusOK:
		err = fault.New(fault.Invalid, errFetchAway.Code, "The server there answers with status %d.", res.StatusCode)
	case got.size < 0:
		err = errFetchSize
	}
	if err != nil {
		_ = res.Body.Close()
		cancel()
		return nil, err
	}
	got.ReadCloser = &patient{ctx: ctx, cancel: cancel, body: res.Body, rate: f.rate, watch: time.AfterFunc(fetchStall, cancel)}
	return got, nil
}

// strongTag returns an entity tag that stands for the bytes themselves.
func strongTag(tag string) string {
	if len(tag) > 256 || !strings.HasPrefix(tag, `"`) {
		return ""
	}
	return tag
}

// rangeSize reads the whole size from "bytes off-last/size".
func rangeSize(header string, off int64) (int64, error) {
	span, size, _ := strings.Cut(strings.TrimPrefix(header, "bytes "), "/")
	first, _, _ := strings.Cut(span, "-")
	from, err := strconv.ParseInt(first, 10, 64)
	whole, err2 := strconv.ParseInt(size, 10, 64)
	if err != nil || err2 != nil || from != off {
		return 0, errFetchChanged
	}
	return whole, nil
}

// fileName is what the server calls the file, else the end of its address.
func fileName(res *http.Response) string {
	if _, params, err := mime.ParseMediaType(res.Header.Get("Content-Disposition")); err == nil && params["filename"] != "" {
		return params["filename"]
	}
	if base := path.Base(res.Request.URL.Path); base != "/" && base != "." {
		return base
	}
	return res.Request.URL.Hostname()
}

// patient ends a body that stalls, and holds all of them to a rate.
type patient struct {
	ctx    context.Context
	cancel context.CancelFunc
	body   io.ReadCloser
	rate   *rate.Limiter
	watch  *time.Timer
}

func (p *patient) Read(b []byte) (int, error) {
	p.watch.Reset(fetchStall)
	n, err := p.body.Read(b[:min(len(b), fetchBurst)])
	if n > 0 {
		p.watch.Stop() // waiting for the rate is not the server's stalling
		if wait := p.rate.WaitN(p.ctx, n); wait != nil && err == nil {
			err = wait
		}
	}
	return n, err
}

func (p *patient) Close() error {
	p.watch.Stop()
	p.cancel()
	return p.body.Close()
}
