package av

/*
#cgo pkg-config: libavutil
#include <math.h>
#include <stdlib.h>
#include <libavutil/dict.h>
#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>

typedef struct {
	int64_t pts, duration;
	int interlaced, space, primaries, transfer, range, depth;
	const char *space_name, *primaries_name, *transfer_name;
} vs_info;

static void vs_frame_info(const void *p, vs_info *info) {
	const AVFrame *f = p;
	info->pts = f->best_effort_timestamp;
	info->duration = f->pkt_duration;
	info->interlaced = f->interlaced_frame;
	info->space = f->colorspace;
	info->primaries = f->color_primaries;
	info->transfer = f->color_trc;
	info->range = f->color_range;
	info->space_name = av_color_space_name(f->colorspace);
	info->primaries_name = av_color_primaries_name(f->color_primaries);
	info->transfer_name = av_color_transfer_name(f->color_trc);
	const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
	info->depth = d ? d->comp[0].depth : 0;
}

// vs_peak is the largest magnitude in a frame of planar floats.
static float vs_peak(const void *p) {
	const AVFrame *f = p;
	float peak = 0;
	for (int c = 0; c < f->ch_layout.nb_channels; c++) {
		const float *s = (const float *)f->extended_data[c];
		for (int i = 0; i < f->nb_samples; i++) {
			float v = fabsf(s[i]);
			if (v > peak) peak = v;
		}
	}
	return peak;
}
// vs_metadata is a value that a filter wrote into a frame, or null.
static const char *vs_metadata(const void *p, const char *key) {
	const AVDictionaryEntry *e = av_dict_get(((const AVFrame *)p)->metadata, key, NULL, 0);
	return e ? e->value : NULL;
}
*/
import "C"

import (
	"math"
	"unsafe"

	"github.com/asticode/go-astiav"
)

// noPTS is FFmpeg's AV_NOPTS_VALUE.
const noPTS = math.MinInt64

// frameInfo is what go-astiav does not tell about a decoded frame.
type frameInfo struct {
	// pts is FFmpeg's best guess, in the stream's time base, or noPTS.
	pts        int64
	duration   int64
	interlaced bool
	depth      int
	color      colorimetry
}

// colorimetry is how numbers in a picture mean light, in FFmpeg's names.
type colorimetry struct {
	space, primaries, transfer string
	spaceKnown                 bool
	fullRange                  bool
}

// hdr reports a transfer of PQ or HLG.
func (c colorimetry) hdr() bool { return c.transfer == "smpte2084" || c.transfer == "arib-std-b67" }

func infoOf(f *astiav.Frame) frameInfo {
	var i C.vs_info
	C.vs_frame_info(f.UnsafePointer(), &i)
	return frameInfo{
		pts: int64(i.pts), duration: int64(i.duration), interlaced: i.interlaced != 0, depth: int(i.depth),
		color: colorimetry{
			space: C.GoString(i.space_name), primaries: C.GoString(i.primaries_name), transfer: C.GoString(i.transfer_name),
			spaceKnown: i.space != C.AVCOL_SPC_UNSPECIFIED && i.space != C.AVCOL_SPC_RESERVED,
			fullRange:  i._range == C.AVCOL_RANGE_JPEG,
		},
	}
}

// peakOf is the largest magnitude in an audio frame of planar floats.
func peakOf(f *astiav.Frame) float32 { return float32(C.vs_peak(f.UnsafePointer())) }

// frameMetadata is what a filter wrote into a frame under key, empty for nothing.
func frameMetadata(f *astiav.Frame, key string) string {
	name := C.CString(key)
	defer C.free(unsafe.Pointer(name))
	return C.GoString(C.vs_metadata(f.UnsafePointer(), name))
}
