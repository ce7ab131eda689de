package transcode

import (
	"fmt"
	"strings"

	"github.com/vitascope/vitascope/transcode/child"
)

// extraCodec is how rungs of a codec beside H.264 are made.
type extraCodec struct {
	codec  string
	prefix string // of the names of its renditions
	crf    int    // about as good as H.264's at its own
	rate   float64
}

// extraCodecs are those that Config.ExtraCodecs may name. The rates cap the bits, as
// shares of those of H.264.
var extraCodecs = map[string]extraCodec{
	child.CodecHEVC: {codec: child.CodecHEVC, prefix: "h", crf: 26, rate: 0.7},
	child.CodecAV1:  {codec: child.CodecAV1, prefix: "x", crf: 38, rate: 0.6},
}

// extraSide is the least short side of a rung of another codec: below, there is
// little to save.
const extraSide = 540

func checkCodecs(codecs []string) error {
	for _, c := range codecs {
		if _, ok := extraCodecs[c]; !ok {
			return fmt.Errorf("extra-codecs: %q is neither hevc nor av1", c)
		}
	}
	return nil
}

// addCodecs adds the ladder in other codecs, each rung a part of its own: their
// encoders need much memory, and what plays everywhere comes first.
func (p *Plan) addCodecs(codecs []string) {
	if p.Probe.Video == nil {
		return
	}
	base := p.part(partExtra).Spec
	base.Poster, base.Storyboard, base.Audio, base.Texts = false, nil, nil, nil
	for _, name := range codecs {
		c := extraCodecs[name]
		rungs := Ladder(p.Probe.Video.DisplayWidth, p.Probe.Video.DisplayHeight)
		for i, r := range rungs {
			if i+1 < len(rungs) && min(r.Width, r.Height) < extraSide {
				continue
			}
			r.Codec, r.CRF, r.Name = c.codec, c.crf, c.prefix+strings.TrimPrefix(r.Name, "v")
			r.MaxBitrateBPS = int(float64(r.MaxBitrateBPS) * c.rate)
			spec := base
			spec.Rungs = []child.Rung{r}
			part := Part{Name: r.Name, Spec: spec, Chunks: p.divide(spec, false)}
			p.Parts = append(p.Parts, part)
		}
	}
}
