package av

/*
#cgo pkg-config: libavcodec libavformat
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

static int vs_reorder(const void *p) { return ((const AVCodecContext *)p)->has_b_frames; }
static int vs_disposition(const void *p) { return ((const AVStream *)p)->disposition; }
static unsigned vs_chapters(const void *p) { return ((const AVFormatContext *)p)->nb_chapters; }

// vs_discard has the demuxer leave a stream out.
static void vs_discard(void *p) { ((AVStream *)p)->discard = AVDISCARD_ALL; }

// vs_chapter gives start in microseconds and title, which may be null.
static const char *vs_chapter(const void *p, unsigned n, int64_t *start) {
	const AVChapter *c = ((const AVFormatContext *)p)->chapters[n];
	*start = av_rescale_q(c->start, c->time_base, AV_TIME_BASE_Q);
	const AVDictionaryEntry *title = av_dict_get(c->metadata, "title", NULL, 0);
	return title ? title->value : NULL;
}
*/
import "C"

import (
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/asticode/go-astiav"
)

// What go-astiav does not tell of FFmpeg's structures is read from them here. Its
// types hold the pointer to FFmpeg's as their first field; Go and FFmpeg versions
// are pinned, and a test of each reading would notice a change.

func native[T astiav.CodecContext | astiav.Stream | astiav.FormatContext | astiav.Packet](of *T) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(of))
}

// reorder is by how many frames an open encoder's output is decoded before it is
// shown.
func reorder(c *astiav.CodecContext) int { return int(C.vs_reorder(native(c))) }

// disposition is what a file says a stream is for.
type disposition int

func dispositionOf(s *astiav.Stream) disposition { return disposition(C.vs_disposition(native(s))) }

func (d disposition) isDefault() bool { return d&C.AV_DISPOSITION_DEFAULT != 0 }

// describes tells of a track for those who do not see.
func (d disposition) describes() bool {
	return d&(C.AV_DISPOSITION_VISUAL_IMPAIRED|C.AV_DISPOSITION_DESCRIPTIONS) != 0
}

func (d disposition) isForced() bool { return d&C.AV_DISPOSITION_FORCED != 0 }

// captions tells of a text that is also about sounds.
func (d disposition) captions() bool {
	return d&(C.AV_DISPOSITION_HEARING_IMPAIRED|C.AV_DISPOSITION_CAPTIONS) != 0
}

// chapter is a named moment on the file's own timeline.
type chapter struct {
	start time.Duration
	title string
}

// chaptersOf are the file's first chapters.
func chaptersOf(f *astiav.FormatContext, most int) []chapter {
	var found []chapter
	for n := range min(uint(C.vs_chapters(native(f))), uint(most)) {
		var start C.int64_t
		title := C.GoString(C.vs_chapter(native(f), C.uint(n), &start))
		found = append(found, chapter{
			start: time.Duration(start) * time.Microsecond,
			title: strings.ToValidUTF8(title[:min(len(title), maxTitle)], ""),
		})
	}
	return found
}

// only has the demuxer leave out all other streams.
func (in *input) only(kept []*astiav.Stream) {
	for _, s := range in.format.Streams() {
		if !slices.ContainsFunc(kept, func(k *astiav.Stream) bool { return k.Index() == s.Index() }) {
			C.vs_discard(native(s))
		}
	}
}
