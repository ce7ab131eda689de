// Package av does the media work of a vitascope-media child: it probes and
// encodes one input with FFmpeg's libraries (5.1, through go-astiav) and writes
// CMAF segments (ISO/IEC 23000-19) with mp4ff. It is the only package that
// imports go-astiav, and only cmd/vitascope-media imports it.
//
// The input is hostile until decoded. The container is decided once, by
// content, from an allow-list; playlists, still pictures and text are refused
// before FFmpeg sees them; no protocol can be opened, the input is read through
// a callback; pictures, streams and duration are bounded from headers, before
// decoding. What gets past this meets the limits of package child.
//
// A file cut short is refused when less than 95 % of its declared media bytes
// are there (MP4 and MOV, by their boxes): a viewer would otherwise see a video
// that silently ends early. A smaller loss, such as a recorder's last moments,
// is played up to where it ends.
//
// Timeline: presentation time zero is the earliest start of the chosen streams,
// and the offset between picture and sound is kept: sound that starts later is
// preceded by silence, a picture that starts later is held from its first
// frame. Output frames lie on a constant grid, whose frame n is the same whether
// the media is encoded as a whole or in chunks. Decode times start at zero and
// composition offsets are never negative; an edit list in the init segment takes
// off what lies before time zero: for pictures, the frames by which decoding is
// ahead; for sound, the encoder's priming of 1024 samples. Less the edit, the first
// frame of each segment is shown at the sum of the durations before it.
package av

/*
#cgo pkg-config: libavutil
#cgo CFLAGS: -D_GNU_SOURCE
#include <pthread.h>

// vs_small_stacks makes 2 MiB the stack of threads yet to be made. Thread
// stacks count as private memory in full, and 8 MiB each would eat the budget.
static int vs_small_stacks(void) {
	pthread_attr_t attr;
	int ret = pthread_attr_init(&attr);
	if (ret != 0) return ret;
	ret = pthread_attr_setstacksize(&attr, 2 << 20);
	if (ret == 0) ret = pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
	return ret;
}
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/asticode/go-astiav"

	"github.com/vitascope/vitascope/transcode/child"
)

// Run does the session's job and emits its results. When the media is at fault
// it emits that and returns nil: an error means that the machinery failed.
// It changes process-wide settings (FFmpeg's log level, thread stacks, Go's
// processors, to the job's threads) and is
// meant to run once in a process.
func Run(ctx context.Context, s *child.Session) error {
	if ret := C.vs_small_stacks(); ret != 0 {
		return fmt.Errorf("set thread stacks: error %d", int(ret))
	}
	astiav.SetLogLevel(astiav.LogLevelError)
	if n := s.Job().Threads; n > 0 {
		runtime.GOMAXPROCS(min(n, runtime.NumCPU()))
	}
	var err error
	switch job := s.Job(); job.Op {
	case child.OpProbe:
		err = probe(ctx, s)
	case child.OpEncode:
		err = encode(ctx, s)
	case child.OpClip:
		err = clip(ctx, s)
	case child.OpPicture:
		err = stillPoster(s)
	default:
		return fmt.Errorf("unknown operation %q", job.Op)
	}
	var refusal *child.MediaError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &refusal):
		return s.Emit(child.Event{Failed: &child.Failed{Code: refusal.Code, Detail: refusal.Detail}})
	case errors.Is(err, errNoMemory):
		return s.Emit(child.Event{Failed: &child.Failed{Code: child.LimitExceeded, Detail: err.Error()}})
	}
	return err
}

// errNoMemory is ENOMEM from FFmpeg, which go-astiav has no name for.
const errNoMemory = astiav.Error(-12)

// threads is how many threads one codec may use.
func threads() int { return min(runtime.GOMAXPROCS(0), 4) }
