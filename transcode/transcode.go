// Package transcode turns uploaded sources into HLS: it probes a source, makes
// its ladder and publishes what is made.
//
// Two kinds of job on River do the work. A probe job first tries to make the source
// playable as it is: H.264 and AAC in MP4 or MOV are indexed by a few range reads
// (package jit), and publication 1 is the source itself, which the player's origin
// cuts into segments on demand. Then a child probes the source, and its facts are
// recorded or the media fails with a reason. That order saves some 0.2 s of the
// child's probe, against 10 ms for indexing ten minutes; a source that the probe or
// an encode refuses afterwards is withdrawn from viewers.
//
// Such a source whose tables come first is shown while it is still being uploaded:
// ingest asks for that with a job of its own once playback could begin. It makes the
// same publication 1 of the bytes that have arrived, and playlists that grow with
// them; when the upload ends, the probe finds it there. An upload that is given up
// takes it back.
//
// The probe leads to a [Plan], which is kept: parts of the ladder, each cut into
// chunks on segment boundaries, each chunk a job that any worker takes. A chunk is
// decoded once, from the keyframe before it, scaled in a cascade, and encoded to all
// rungs of its part, exact to the frame, on the timeline of the media; its init
// segments are those of the other chunks, which is checked. Rungs up to 1080p are one
// part, each larger one its own; sound, texts and images are one job, or two where the
// sound is waited for. Sources in which one cannot seek are one chunk, and the reason is
// logged.
//
// Of a source that does not play yet the lowest rung is a part of its own and comes
// first, with the sound: both are shown while they grow, by media playlists without an
// end, which players ask for again. Until the first segments of both are shown, nothing
// else of the media is enqueued, so that they have the processors to themselves.
// Complete rungs follow, and the last publication, with the whole ladder, makes the
// media ready.
//
// A source that plays is the highest rung of its ladder when its rate is that of a
// rung and its frames lie on the ladder's grid; the other rungs are then cut at its
// keyframes, with an IDR each 2 s in between, so that all are aligned (Apple's rule
// 8.22). Otherwise the encoded rungs take its place: who began with it goes on with it.
//
// Media is only ever decoded in vitascope-media, a child process: see package
// child. What a job makes goes to the object store as it comes, playlists too, under a
// prefix of the job's attempt, so a late worker cannot touch another's output. The
// catalog decides whose chunk counts, and who publishes: each publication is a
// compare-and-set of its number, then the pointer is written, then the media's state.
// Every step may run twice.
//
// Output follows Apple's HLS authoring specification: H.264 High and AAC-LC in
// CMAF, an IDR every 2 s, 6 s segments aligned over all rungs, the first one of 2 s for
// a fast start, demuxed audio, I-frame playlists, and measured rates.
//
// docs/inputs.md tells which input becomes what, and names all failure codes.
//
// # Apple's rules that are not met
//
// A test holds this list equal to what real output breaks.
//
//   - 1.4, 1.13: a source that is a rung has the profile and the keyframes that
//     it came with, at most 6.5 s apart, and its ladder is cut there. What is encoded
//     is of High profile with an IDR each 2 s.
//   - 6.2: I-frame playlists name the keyframes that there are, one each 2 s, not 1 s.
//   - 9.10: there is one variant of the top size. A second one would cost as much
//     again, for viewers whose bandwidth lies between two rungs that are close.
//   - 12.4: segments have one address for all viewers, so that shared caches can hold
//     them. Signed playback puts a time limit on it.
//
// # Concurrency
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
	"github.com/vitascope/vitascope/internal/jit"
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
	// Threads is how many threads each encode may use, 1 to 64, default 1: several
	// encodes at once need less of the processors than one with several threads. What
	// makes a media playable uses all there are.
	Threads int
	// KeepLoudness leaves sound as loud as it is. Otherwise each audio track is
	// brought to -16 LUFS (EBU R 128), its peaks limited.
	KeepLoudness bool
	// ExtraCodecs are codecs in which the ladder is made besides H.264: hevc, av1.
	// Each costs several times as much. Players choose what they can decode.
	ExtraCodecs []string
	// Indexes is shared with the player of the same process, if there is one.
	Indexes *jit.Recent
}

// Service works probe and encode jobs.
type Service struct {
	db     *catalog.DB
	store  *blob.Store
	jobs   *jobs.Client
	runner *child.Runner
	log    *slog.Logger

	insecure bool // Config.InsecureMedia
	threads  int
	loudness bool // whether it is brought to the same
	codecs   []string
	indexes  *jit.Recent
}

// New makes a Service and registers its workers with client, which must not run
// yet. Jobs are worked by client.Run.
func New(cfg Config, db *catalog.DB, store *blob.Store, client *jobs.Client, log *slog.Logger) (*Service, error) {
	if err := checkCodecs(cfg.ExtraCodecs); err != nil {
		return nil, err
	}
	binary, err := FindMediaBinary(cfg.MediaBinary)
	if err != nil {
		return nil, err
	}
	runner, err := child.NewRunner(child.Config{Binary: binary, Temp: cfg.TempDir, Insecure: cfg.InsecureMedia}, log)
	if err != nil {
		return nil, fmt.Errorf("transcode: %w", err)
	}
	s := &Service{
		db: db, store: store, jobs: client, runner: runner, log: log,
		insecure: cfg.InsecureMedia, threads: max(1, cfg.Threads), loudness: !cfg.KeepLoudness, codecs: cfg.ExtraCodecs,
		indexes: cfg.Indexes,
	}
	jobs.AddWorker(client, &earlyWorker{service: s})
	jobs.AddWorker(client, &probeWorker{service: s})
	jobs.AddWorker(client, &encodeWorker{service: s})
	jobs.AddWorker(client, &presentWorker{service: s})
	jobs.AddWorker(client, &posterWorker{service: s})
	jobs.AddWorker(client, &previewWorker{service: s})
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
