// Package uploadcli is the work behind `vitascope upload FILE...`: a tus client
// that goes on after cut connections, restarted servers and its own interruption,
// then says where the media can be watched, embedded and analysed.
//
// Where an upload stands is kept per server, file, size and modification time in
// a small file under the user's cache folder, never with the token. A Client is
// for one goroutine.
package uploadcli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// What --wait may wait for.
const (
	WaitPlayable = "playable" // the first rung plays
	WaitReady    = "ready"    // the whole ladder is there
)

// ErrMediaFailed is in the error of a media that arrived but could not be
// processed; the text around it says why.
var ErrMediaFailed = errors.New("the server could not process the file")

// Options says what to upload, where to and how to tell about it.
type Options struct {
	Server   string // http(s)://host[:port]
	Token    string // API token, vs_…
	StateDir string // where interrupted uploads are noted; see DefaultStateDir
	Wait     string // WaitPlayable, WaitReady or "" for not waiting
	SHA256   bool   // print each file's SHA-256
	// ChunkBytes is the size of one request. Default 16 MiB.
	ChunkBytes int64
	// Patience is how long to keep trying without progress. Default 2 min.
	Patience time.Duration
	// Pause is how long to wait before the second try; it doubles up to 10 s.
	// Default 500 ms.
	Pause time.Duration
	// Settle is how long to wait for the video's shape, which the embed code holds.
	// Default 15 s.
	Settle time.Duration
	Out    io.Writer // results
	Status io.Writer // progress
	TTY    bool      // whether Status is a terminal, and may get a progress bar
}

// Client uploads files to one server.
type Client struct {
	o    Options
	base *url.URL
	http *http.Client
}

// New checks the options and talks to nobody yet.
func New(o Options) (*Client, error) {
	if !strings.Contains(o.Server, "://") {
		o.Server = "http://" + o.Server
	}
	base, err := url.Parse(strings.TrimRight(o.Server, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("server %q: want http(s)://host[:port]", o.Server)
	}
	if o.Token == "" {
		return nil, errors.New("no API token: make one in the dashboard's settings, then pass --token or set VITASCOPE_TOKEN")
	}
	if o.Wait != "" && o.Wait != WaitPlayable && o.Wait != WaitReady {
		return nil, fmt.Errorf("wait %q: want %s or %s", o.Wait, WaitPlayable, WaitReady)
	}
	if o.ChunkBytes <= 0 {
		o.ChunkBytes = 16 << 20
	}
	if o.Patience <= 0 {
		o.Patience = 2 * time.Minute
	}
	if o.Pause <= 0 {
		o.Pause = 500 * time.Millisecond
	}
	if o.Settle <= 0 {
		o.Settle = 15 * time.Second
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() // the standard library's own
	transport.DialContext = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	transport.ResponseHeaderTimeout = 15 * time.Minute // the last chunk's answer waits for the file to be put together
	return &Client{o: o, base: base, http: &http.Client{Transport: transport}}, nil
}

// Upload uploads files one after the other. A file that fails does not stop the
// next one; the error holds all failures.
func (c *Client) Upload(ctx context.Context, files []string) error {
	defer c.http.CloseIdleConnections()
	var errs []error
	for _, file := range files {
		err := c.uploadFile(ctx, file)
		if ctx.Err() != nil {
			return errors.Join(append(errs, fmt.Errorf("%s: interrupted; run the same command again to go on from there", file))...)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
		}
		if errors.Is(err, errToken) || errors.Is(err, errAway) {
			break // the next file would fail alike
		}
	}
	return errors.Join(errs...)
}

func (c *Client) uploadFile(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return plainPathError(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return plainPathError(err)
	case info.IsDir():
		return errors.New("is a folder; name the files in it")
	case !info.Mode().IsRegular():
		return errors.New("is not a regular file")
	case info.Size() == 0:
		return errors.New("is empty (0 bytes): there is nothing to upload")
	}
	if c.o.SHA256 {
		if err := c.printSum(f, path); err != nil {
			return err
		}
	}
	media, err := c.send(ctx, f, info)
	if err != nil {
		return err
	}
	if now, err := f.Stat(); err == nil && (now.Size() != info.Size() || !now.ModTime().Equal(info.ModTime())) {
		fmt.Fprintf(c.o.Status, "%s changed while it was uploaded: media %s may be damaged\n", path, media)
	}
	return c.report(ctx, media)
}

func (c *Client) printSum(f *os.File, path string) error {
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return plainPathError(err)
	}
	fmt.Fprintf(c.o.Out, "%s  %s\n", hex.EncodeToString(sum.Sum(nil)), path)
	return nil
}

// send brings the file to the server, from where an earlier run stopped, and
// returns its media's id.
func (c *Client) send(ctx context.Context, f *os.File, info os.FileInfo) (media string, err error) {
	state, err := c.openState(f.Name(), info)
	if err != nil {
		return "", err
	}
	up := &transfer{Client: c, file: f, size: info.Size(), name: filepath.Base(f.Name())}
	if up.location, up.media = state.Location, state.MediaID; up.location != "" {
		err := up.ask(ctx)
		switch {
		case errors.Is(err, errGone):
			up.location = "" // finished, abandoned or deleted: a new upload
		case err != nil:
			return "", err
		default:
			fmt.Fprintf(c.o.Status, "Resuming %s at %s of %s\n", up.name, humanize.IBytes(uint64(up.offset)), humanize.IBytes(uint64(up.size)))
		}
	}
	if up.location == "" {
		if err := up.create(ctx); err != nil {
			return "", err
		}
		state.Location, state.MediaID = up.location, up.media
		if err := state.save(); err != nil {
			fmt.Fprintf(c.o.Status, "This upload cannot be resumed by a later run: %v\n", err)
		}
	}
	up.progress = newProgress(c.o.Status, c.o.TTY, up.name, up.size)
	if err := up.run(ctx); err != nil {
		up.progress.stop()
		if errors.Is(err, errAway) || errors.Is(err, errTryAgain) {
			err = fmt.Errorf("%w; run the same command again to go on from there", err)
		}
		return "", err
	}
	up.progress.finish()
	state.remove()
	return up.media, nil
}

// plainPathError leaves out what the caller says anyway.
func plainPathError(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}
