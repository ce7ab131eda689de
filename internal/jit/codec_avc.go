package jit

import "fmt"

// videoFormat is what the init segment and the multivariant playlist need.
type videoFormat struct {
	entry         string // avc1 or avc3
	config        []byte // body of avcC
	colour        []byte // body of a colr box of type nclx; nil: none
	width, height uint32 // coded picture after cropping
	sarW, sarH    uint32 // sample aspect ratio, 1:1 for square
}

// codecs returns the RFC 6381 name.
func (v videoFormat) codecs() string {
	return fmt.Sprintf("%s.%02X%02X%02X", v.entry, v.config[1], v.config[2], v.config[3])
}

// displayed returns the size at which the picture is shown, keeping its height.
func (v videoFormat) displayed() (width, height int) {
	w := uint64(v.width) * uint64(v.sarW) / uint64(v.sarH)
	return int(w+1) &^ 1, int(v.height)
}

// visualEntrySize is the size of a VisualSampleEntry before its boxes.
const visualEntrySize = 78

// onlyEntry returns the single sample entry of a sample description box.
func onlyEntry(t *trak) (kind string, body []byte, err error) {
	if len(t.stsd) < 8 {
		return "", nil, refuse(Malformed, "track %d has no sample description", t.id)
	}
	count := 0
	err = children(t.stsd[8:], func(k string, b []byte) error {
		kind, body = k, b
		count++
		return nil
	})
	if err == nil && count != 1 {
		err = refuse(SampleEntries, "track %d has %d sample entries", t.id, count)
	}
	if err == nil && t.external {
		err = refuse(ExternalData, "the media data of track %d is in another file", t.id)
	}
	return kind, body, err
}

func (t *trak) videoFormat() (videoFormat, error) {
	kind, body, err := onlyEntry(t)
	if err != nil {
		return videoFormat{}, err
	}
	switch kind {
	case "avc1", "avc3":
	case "encv":
		return videoFormat{}, refuse(Encrypted, "track %d is encrypted", t.id)
	default:
		return videoFormat{}, refuse(VideoCodec, "track %d is %q, not H.264", t.id, kind)
	}
	if len(body) < visualEntrySize {
		return videoFormat{}, refuse(Malformed, "the sample entry of track %d is cut", t.id)
	}
	v := videoFormat{entry: kind, sarW: 1, sarH: 1}
	pasp := false
	err = children(body[visualEntrySize:], func(kind string, b []byte) error {
		switch kind {
		case "avcC":
			v.config = append([]byte(nil), b[:min(len(b), 1<<16)]...)
		case "sinf":
			return refuse(Encrypted, "track %d is encrypted", t.id)
		case "colr":
			v.colour = colour(b)
		case "pasp":
			if len(b) >= 8 && be.Uint32(b) > 0 && be.Uint32(b[4:]) > 0 {
				v.sarW, v.sarH, pasp = be.Uint32(b), be.Uint32(b[4:]), true
			}
		}
		return nil
	})
	if err != nil {
		return videoFormat{}, err
	}
	set, err := v.parameterSet()
	if err != nil {
		return videoFormat{}, err
	}
	return v, v.check(t, set, pasp)
}

// colour returns the nclx form of a colr box, or nil when it has none. QuickTime's
// nclc is nclx without the range flag.
func colour(b []byte) []byte {
	switch {
	case len(b) >= 11 && string(b[:4]) == "nclx":
		return append([]byte(nil), b[:11]...)
	case len(b) >= 10 && string(b[:4]) == "nclc":
		return append([]byte("nclx"), b[4], b[5], b[6], b[7], b[8], b[9], 0)
	}
	return nil
}

// parameterSet checks the decoder configuration and returns its first sequence
// parameter set. Further ones must agree on everything that is checked.
func (v *videoFormat) parameterSet() (sps, error) {
	b := v.config
	if len(b) < 7 || b[0] != 1 {
		return sps{}, refuse(Malformed, "the H.264 configuration is cut")
	}
	count, at := int(b[5]&31), 6
	if count == 0 {
		return sps{}, refuse(VideoFormat, "the H.264 configuration has no sequence parameter set")
	}
	var first sps
	for i := range count {
		if len(b) < at+2 || len(b) < at+2+int(be.Uint16(b[at:])) {
			return sps{}, refuse(Malformed, "the H.264 configuration is cut")
		}
		unit := b[at+2:][:be.Uint16(b[at:])]
		at += 2 + len(unit)
		set, err := parseSPS(unit)
		if err != nil {
			return sps{}, err
		}
		if i == 0 {
			first = set
		} else if set != first {
			return sps{}, refuse(SampleEntries, "the parameter sets describe different pictures")
		}
	}
	if len(b) < at+1 || b[at] == 0 {
		return sps{}, refuse(VideoFormat, "the H.264 configuration has no picture parameter set")
	}
	if v.config[1] != byte(first.profile) {
		return sps{}, refuse(Malformed, "the H.264 configuration and its parameter set name different profiles")
	}
	return first, nil
}

func (v *videoFormat) check(t *trak, set sps, pasp bool) error {
	switch {
	case set.profile != 66 && set.profile != 77 && set.profile != 100:
		return refuse(VideoFormat, "H.264 profile %d", set.profile)
	case set.chroma != 1 || set.luma8 != 0 || set.chroma8 != 0:
		return refuse(VideoFormat, "chroma format %d at %d bits", set.chroma, 8+set.luma8)
	case set.interlaced:
		return refuse(Interlaced, "the stream may hold fields")
	case set.transfer == 16 || set.transfer == 18:
		return refuse(HDR, "transfer characteristics %d", set.transfer)
	case set.width == 0 || set.height == 0 || set.width > maxSide || set.height > maxSide || set.width*set.height > maxPixels:
		return refuse(PictureSize, "%d x %d", set.width, set.height)
	case t.matrix != nil && rotated(t.matrix):
		return refuse(Rotated, "the display matrix is not the identity")
	}
	v.width, v.height = set.width, set.height
	if !pasp && set.sarW > 0 && set.sarH > 0 {
		v.sarW, v.sarH = set.sarW, set.sarH
	} else if !pasp {
		v.aspectFrom(uint64(t.width>>16), uint64(t.height>>16))
	}
	if v.sarW > 16*v.sarH || v.sarH > 16*v.sarW || v.sarW > 1<<24 || v.sarH > 1<<24 {
		return refuse(PictureSize, "samples of %d:%d", v.sarW, v.sarH)
	}
	return nil
}

// aspectFrom takes the sample aspect ratio from the track's displayed size, which
// is all that some QuickTime files have; below one percent it is rounding.
func (v *videoFormat) aspectFrom(w, h uint64) {
	if w == 0 || h == 0 {
		return
	}
	num, den := uint64(v.height)*w, uint64(v.width)*h
	if num*100 > den*101 || den*100 > num*101 {
		g := gcd(num, den)
		v.sarW, v.sarH = uint32(min(num/g, 1<<25)), uint32(min(den/g, 1<<25))
	}
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// rotated tells whether a display matrix turns, mirrors or scales the picture.
func rotated(m []byte) bool {
	return be.Uint32(m) != 1<<16 || be.Uint32(m[4:]) != 0 || be.Uint32(m[12:]) != 0 || be.Uint32(m[16:]) != 1<<16
}
