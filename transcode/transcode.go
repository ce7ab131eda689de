// Package transcode turns uploaded sources into HLS: it probes a source, makes
// its ladder and publishes what is made.
//
// Two kinds of job on River do the work. A probe job first tries to make the source
// playable as it is: H.264 and AAC in MP4 or MOV are indexed by a few range reads
// (package jit), and publication 1 is the source itself, which the player's origin
// cuts into segments on demand. Then a child probes the source, and its facts are
// recorded or the media fails with a reason. That order saves some 0.2 s of the
// child's probe, against 10 ms for indexing ten minutes; a source that the probe or
// an encode refuses afterwards is withdrawn from viewers. Encode jobs each decode the source once. Where the source plays already, the first makes all rungs
// up to 1080p, the audio, the poster and the storyboard in one pass; else it makes
// the lowest rung of these, to be playable soon, and the next the others. Each
// larger rung has a job of its own. The last publication makes the media ready.
//
// The source is in the first publication alone and the encoded rungs take its place:
// its segments are cut at its own keyframes, after a short first one, and theirs
// each 6 s, so that they would not be aligned (Apple's rule 8.22). Who began with it
// goes on with it.
//
// Media is only ever decoded in vitascope-media, a child process: see package
// child. Its segments go to the object store as they come, under a prefix of the
// job's attempt, so a late worker cannot touch another's output. Publishing is a
// compare-and-set of the publication number in the catalog, then the multivariant
// playlist, then the pointer, then the media's state; every step may run twice.
//
// Output follows Apple's HLS authoring specification: H.264 High and AAC-LC in
// CMAF, an IDR every 2 s, 6 s segments aligned over all rungs, demuxed audio, and
// measured rates. Not met: I-frame playlists (6.1) and a second variant at the top
// resolution (9.10), which are not made; BANDWIDTH adds the peaks of picture and
// sound, which may lie in different segments, so it can exceed the measured peak.
//
// A Service is safe for concurrent use.
package transcode

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/internal/jobs"
	"github.com/vitascope/vitascope/transcode/child"
)

// Config is what a Service needs to know.
type Config struct {
	// MediaBinary is the path of the vitascope-media program. Empty means beside
	// this program or in PATH, as FindMediaBinary looks for it.
	MediaBinary string
	// TempDir holds the job folders, each at most some 100 MB. Empty means the
	// system's.
	TempDir string
	// InsecureMedia lets media be decoded even where a layer of the sandbox is
	// missing, with those that there are. See CheckSandbox.
	InsecureMedia bool
}

// Service works probe and encode jobs.
type Service struct {
	db     *catalog.DB
	store  *blob.Store
	jobs   *jobs.Client
	runner *child.Runner
	log    *slog.Logger

	insecure bool // Config.InsecureMedia
}

// New makes a Service and registers its workers with client, which must not run
// yet. Jobs are worked by client.Run.
func New(cfg Config, db *catalog.DB, store *blob.Store, client *jobs.Client, log *slog.Logger) (*Service, error) {
	binary, err := FindMediaBinary(cfg.MediaBinary)
	if err != nil {
		return nil, err
	}
	runner, err := child.NewRunner(child.Config{Binary: binary, Temp: cfg.TempDir, Insecure: cfg.InsecureMedia}, log)
	if err != nil {
		return nil, fmt.Errorf("transcode: %w", err)
	}
	s := &Service{db: db, store: store, jobs: client, runner: runner, log: log, insecure: cfg.InsecureMedia}
	jobs.AddWorker(client, &probeWorker{service: s})
	jobs.AddWorker(client, &encodeWorker{service: s})
	return s, nil
}

// mediaProgram is the file name of the media child.
const mediaProgram = "vitascope-media"

// FindMediaBinary returns the path of vitascope-media: the explicit one, or the
// one beside this program, or the one in PATH.
func FindMediaBinary(explicit string) (string, error) {
	if explicit != "" {
		if _, err := os.Stat(explicit); err != nil {
			return "", fmt.Errorf("transcode: media program: %w", err)
		}
		return filepath.Abs(explicit)
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), mediaProgram)
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
			return beside, nil
		}
	}
	if found, err := exec.LookPath(mediaProgram); err == nil {
		return filepath.Abs(found)
	}
	return "", errors.New("transcode: " + mediaProgram + " is neither beside this program nor in PATH; build it with go build ./cmd/" + mediaProgram)
}
