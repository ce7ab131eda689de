package av

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/Eyevinn/mp4ff/av1"
	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/Eyevinn/mp4ff/mp4"
)

// initHEVC writes the init segment of an encoder's parameter sets, as initAVC does.
func (p *packager) initHEVC(extradata []byte, hidden int64) error {
	var sets [3][][]byte // VPS, SPS, PPS
	for _, unit := range avc.ExtractNalusFromByteStream(extradata) {
		switch hevc.GetNaluType(unit[0]) {
		case hevc.NALU_VPS:
			sets[0] = append(sets[0], unit)
		case hevc.NALU_SPS:
			sets[1] = append(sets[1], unit)
		case hevc.NALU_PPS:
			sets[2] = append(sets[2], unit)
		}
	}
	if len(sets[0]) == 0 || len(sets[1]) == 0 || len(sets[2]) == 0 {
		return fmt.Errorf("package %s: encoder gave no parameter sets", p.rendition)
	}
	sps, err := hevc.ParseSPSNALUnit(sets[1][0])
	if err != nil {
		return fmt.Errorf("package %s: %w", p.rendition, err)
	}
	segment := mp4.CreateEmptyInit()
	trak := segment.AddEmptyTrack(uint32(p.timescale), "video", "und")
	if err := trak.SetHEVCDescriptor("hvc1", sets[0], sets[1], sets[2], nil, true); err != nil {
		return fmt.Errorf("package %s: %w", p.rendition, err)
	}
	p.video = true
	return p.init(segment, hidden, hevc.CodecString("hvc1", sps))
}

// initAV1 writes the init segment of AV1 (AV1 in ISOBMFF 1.2) from the encoder's
// sequence header. Frames come in the order in which they are shown.
func (p *packager) initAV1(sequence []byte, width, height int) error {
	config, err := av1Config(sequence)
	if err != nil {
		return fmt.Errorf("package %s: %w", p.rendition, err)
	}
	segment := mp4.CreateEmptyInit()
	trak := segment.AddEmptyTrack(uint32(p.timescale), "video", "und")
	trak.Tkhd.Width, trak.Tkhd.Height = mp4.Fixed32(width<<16), mp4.Fixed32(height<<16)
	trak.Mdia.Minf.Stbl.Stsd.AddChild(mp4.CreateVisualSampleEntryBox("av01", uint16(width), uint16(height), &mp4.Av1CBox{CodecConfRec: config}))
	p.video, p.av1 = true, true
	tier := "M"
	if config.SeqTier0 == 1 {
		tier = "H"
	}
	return p.init(segment, 0, fmt.Sprintf("av01.%d.%02d%s.08", config.SeqProfile, config.SeqLevelIdx0, tier))
}

// av1Config describes 8-bit 4:2:0, by the first fields of a sequence header OBU
// (AV1 5.5.1), which is our own encoder's.
func av1Config(obu []byte) (av1.CodecConfRec, error) {
	const sequenceHeader = 1
	if len(obu) < 6 || obu[0]>>3&15 != sequenceHeader || obu[0]&0x06 != 2 || obu[1] > 127 {
		return av1.CodecConfRec{}, errors.New("encoder gave no sequence header")
	}
	r := bits.NewReader(bytes.NewReader(obu[2:]))
	config := av1.CodecConfRec{
		Version: 1, SeqProfile: byte(r.Read(3)), ChromaSubsamplingX: 1, ChromaSubsamplingY: 1, ConfigOBUs: obu,
	}
	// A still picture, a reduced header, timing: none of these are asked for. Of the
	// display delay, the count and the number of operating points nothing is needed.
	if r.Read(3) != 0 {
		return av1.CodecConfRec{}, errors.New("sequence header is not of a video")
	}
	r.Read(1 + 5 + 12)
	config.SeqLevelIdx0 = byte(r.Read(5))
	if config.SeqLevelIdx0 > 7 {
		config.SeqTier0 = byte(r.Read(1))
	}
	if err := r.AccError(); err != nil {
		return av1.CodecConfRec{}, fmt.Errorf("sequence header: %w", err)
	}
	return config, nil
}

// temporalDelimiter is the OBU that starts each frame of a stream, and that frames
// in a file go without.
var temporalDelimiter = []byte{0x12, 0x00}

// sampleOf is a frame as it lies in a file.
func (p *packager) sampleOf(data []byte) []byte {
	if p.av1 {
		return bytes.Clone(bytes.TrimPrefix(data, temporalDelimiter))
	}
	return avc.ConvertByteStreamToNaluSample(data)
}
