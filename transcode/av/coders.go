package av

import (
	"fmt"
	"strconv"

	"github.com/vitascope/vitascope/transcode/child"
)

// videoCoder is how a rung of a codec is encoded.
type videoCoder struct {
	name    string // FFmpeg's, of the encoder
	options func(x *rungEncoder) map[string]string
	init    func(x *rungEncoder) error // writes the init segment
	// restarts says that a keyframe cannot be asked for: where segments do not start
	// at multiples of the GOP, each has an encoder of its own.
	restarts bool
}

// videoCoders are chosen by Rung.Codec. All make closed GOPs of constant length with
// a keyframe where a segment starts.
var videoCoders = map[string]videoCoder{
	child.CodecH264: {name: "libx264", options: x264Options, init: func(x *rungEncoder) error {
		return x.out.initAVC(x.ctx.ExtraData(), x.perUnit*int64(reorder(x.ctx)))
	}},
	child.CodecHEVC: {name: "libx265", options: x265Options, init: func(x *rungEncoder) error {
		return x.out.initHEVC(x.ctx.ExtraData(), x.perUnit*x265Reorder)
	}},
	child.CodecAV1: {name: "libsvtav1", options: svtOptions, restarts: true, init: func(x *rungEncoder) error {
		return x.out.initAV1(x.ctx.ExtraData(), x.rung.Width, x.rung.Height)
	}},
}

func x264Options(x *rungEncoder) map[string]string {
	return map[string]string{
		"preset":  "veryfast",
		"profile": "high",
		"crf":     strconv.Itoa(x.rung.CRF),
		"maxrate": strconv.Itoa(x.rung.MaxBitrateBPS),
		"bufsize": strconv.Itoa(x.rung.MaxBitrateBPS * 3 / 2),
		"x264-params": fmt.Sprintf("keyint=%d:min-keyint=%d:scenecut=0:open-gop=0:force-cfr=1:vbv-init=%v:"+
			"colorprim=bt709:transfer=bt709:colormatrix=bt709:range=tv", x.spec.GOPFrames, x.spec.GOPFrames, bufferAtStart(x)),
		"forced-idr": "1",
	}
}

// bufferAtStart is how full the decoder's buffer is when the encoder starts: x264's
// own default at the start of a media, and what x264 keeps it near where an encoder goes
// on with pictures that the rate caps. Were it full there, each would spend it once
// more, and chunks in a row exceed the rate.
func bufferAtStart(x *rungEncoder) float64 {
	if x.first+x.sent > 0 {
		return 0.5
	}
	return 0.9
}

// x265Reorder is by how many frames decoding is ahead with the options below;
// FFmpeg's wrapper does not tell.
const x265Reorder = 2

func x265Options(x *rungEncoder) map[string]string {
	kbps := x.rung.MaxBitrateBPS / 1000
	return map[string]string{
		"preset":     "veryfast",
		"forced-idr": "1",
		"x265-params": fmt.Sprintf("log-level=error:crf=%d:vbv-maxrate=%d:vbv-bufsize=%d:keyint=%d:min-keyint=%d:scenecut=0:open-gop=0:"+
			"bframes=3:b-pyramid=1:repeat-headers=0:pools=%d:frame-threads=1:colorprim=bt709:transfer=bt709:colormatrix=bt709:range=limited",
			x.rung.CRF, kbps, kbps*3/2, x.spec.GOPFrames, x.spec.GOPFrames, threads()),
	}
}

func svtOptions(x *rungEncoder) map[string]string {
	return map[string]string{
		"preset":        "9",
		"crf":           strconv.Itoa(x.rung.CRF),
		"svtav1-params": fmt.Sprintf("lp=%d:mbr=%d:scd=0", threads(), x.rung.MaxBitrateBPS/1000),
	}
}
