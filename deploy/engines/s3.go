package engines

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
)

const (
	s3HealthPath = "/_health" // masks a bucket of that name, which S3 does not allow anyway
	// s3MaxCopyBytes is S3's own limit for one CopyObject. versitygw refuses
	// every copy when it is not set.
	s3MaxCopyBytes = 5 << 30
	// s3MaxParts is S3's own limit of parts per upload.
	s3MaxParts = 10_000
	// s3MaxRequests bounds requests in flight, of the product's own roles.
	s3MaxRequests = 1024
	// s3FileOperations bounds the threads that wait for the disk.
	s3FileOperations = 128
	// s3DrainGrace is how long requests in hand may take at a stop.
	s3DrainGrace = 2 * time.Second
	// s3SlotTimeout is longer than an earlier gateway takes to stop.
	s3SlotTimeout = 15 * time.Second
)

// s3Gateway is versitygw over two folders.
type s3Gateway struct {
	objects, meta string
	sidecar       bool
	addr          string
	creds         credentials
}

// newS3Gateway chooses the address. The gateway listens by itself and cannot
// tell a port chosen by the system, so a free one is found beforehand.
func newS3Gateway(cfg Config, creds credentials) (*s3Gateway, error) {
	addr, err := loopbackAddr(cfg.S3Port)
	if err != nil {
		return nil, fmt.Errorf("choose s3 port: %w", err)
	}
	return &s3Gateway{
		objects: cfg.path("s3", "objects"), meta: cfg.path("s3", "meta"), sidecar: cfg.S3Sidecar,
		addr: addr, creds: creds,
	}, nil
}

func (g *s3Gateway) name() string { return NameS3 }

func (g *s3Gateway) release() {}

// s3Slot holds the one gateway that a process can have: versitygw is made of
// package variables and lives in the process's working directory.
var s3Slot = make(chan struct{}, 1)

// run serves until ctx ends. It does not wait long for versitygw to stop, which
// takes 10 s when a client holds a connection that it has never used; clients
// with spare connections are common, and the product's are done by now.
func (g *s3Gateway) run(ctx context.Context, ready func()) error {
	select {
	case s3Slot <- struct{}{}:
	case <-ctx.Done():
		return nil
	case <-time.After(s3SlotTimeout):
		return errors.New("another S3 gateway runs in this process")
	}
	serving, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	listening := make(chan struct{}, 1)
	go func() {
		defer func() { <-s3Slot }()
		ended <- g.serve(serving, func() { listening <- struct{}{} })
	}()
	// Before it listens, an answer would come from another server that has
	// taken the port.
	select {
	case err := <-ended:
		return err
	case <-listening:
	}
	answered := make(chan error, 1)
	go func() { answered <- pollUntil(serving, g.probe) }()
	select {
	case err := <-ended:
		cancel()
		<-answered
		return err
	case err := <-answered:
		if err == nil {
			ready()
		}
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(s3DrainGrace):
		return nil
	}
}

// serve runs the gateway. posix.New moves the process into the objects folder,
// where its relative paths lead; serve moves it back.
func (g *s3Gateway) serve(ctx context.Context, listening func()) error {
	cwd, err := os.Getwd()
	if err != nil {
		return err
	}
	defer func() { _ = os.Chdir(cwd) }() // it may be gone by now, and nothing is lost
	backend, err := g.backend()
	if err != nil {
		return err
	}
	defer backend.Shutdown()
	return embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess: g.creds.s3Access, RootUserSecret: g.creds.s3Secret, Region: s3Region,
		Ports: []string{g.addr}, MaxConnections: 2 * s3MaxRequests, MaxRequests: s3MaxRequests,
		MultipartMaxParts: s3MaxParts, Quiet: true, KeepAlive: true, HealthPath: s3HealthPath,
		S3Options: []s3api.Option{s3api.WithOnListen(listening)},
		// The default is the same, but says so on standard output.
		IAMService: auth.NewIAMServiceSingle(auth.Account{
			Access: g.creds.s3Access, Secret: g.creds.s3Secret, Role: auth.RoleAdmin,
		}),
	})
}

// backend opens the folders.
func (g *s3Gateway) backend() (*syncedPosix, error) {
	for _, dir := range []string{g.objects, g.meta} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make s3 folder: %w", err)
		}
	}
	opts := posix.PosixOpts{Concurrency: s3FileOperations, CopyObjectThreshold: s3MaxCopyBytes}
	opts.SetNewDirPerm(0o700)
	opts.SetNewFilePerm(0o600)
	sidecar, err := g.useSidecar()
	if err != nil {
		return nil, err
	}
	var storer meta.MetadataStorer = meta.XattrMeta{}
	if sidecar {
		if storer, err = meta.NewSideCar(g.meta); err != nil {
			return nil, fmt.Errorf("open s3 metadata folder: %w", err)
		}
		opts.SideCarDir = g.meta
	}
	p, err := posix.New(g.objects, storer, opts)
	if err != nil {
		return nil, fmt.Errorf("open s3 objects folder: %w", err)
	}
	if err := resumeJoins(g.objects, opts.SideCarDir, storer); err != nil {
		return nil, err
	}
	return &syncedPosix{Posix: p, objects: g.objects, sidecar: opts.SideCarDir}, nil
}

// useSidecar tells whether metadata lives in files. Objects whose metadata is
// there already must not be read without it.
func (g *s3Gateway) useSidecar() (bool, error) {
	begun, err := os.ReadDir(g.meta)
	if err != nil {
		return false, fmt.Errorf("read s3 metadata folder: %w", err)
	}
	return g.sidecar || len(begun) > 0 || (meta.XattrMeta{}).Test(g.objects) != nil, nil
}

func (g *s3Gateway) probe(ctx context.Context) error {
	return getOK(ctx, "http://"+g.addr+s3HealthPath)
}

// loopbackAddr returns 127.0.0.1:port, with a free port for 0.
func loopbackAddr(port int) (string, error) {
	addr := net.JoinHostPort("127.0.0.1", fmt.Sprint(port))
	if port != 0 {
		return addr, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// pollUntil calls probe every few milliseconds until it succeeds or ctx ends.
func pollUntil(ctx context.Context, probe func(context.Context) error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// getOK asks url once and wants status 200. It leaves no connection behind.
func getOK(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Close = true
	transport := &http.Transport{Proxy: nil, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", res.Status)
	}
	return nil
}
