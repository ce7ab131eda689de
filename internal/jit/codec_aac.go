package jit

import (
	"bytes"
	"fmt"

	"github.com/Eyevinn/mp4ff/aac"
)

// audioFormat is what the init segment and the multivariant playlist need.
type audioFormat struct {
	config   []byte // AudioSpecificConfig
	object   uint32 // audio object type as signalled: 2, 5 or 29
	rate     uint32 // of the output, in Hz
	channels uint32
}

// codecs returns the RFC 6381 name.
func (a audioFormat) codecs() string { return fmt.Sprintf("mp4a.40.%d", a.object) }

func (t *trak) audioFormat() (audioFormat, error) {
	kind, body, err := onlyEntry(t)
	if err != nil {
		return audioFormat{}, err
	}
	switch kind {
	case "mp4a":
	case "enca":
		return audioFormat{}, refuse(Encrypted, "track %d is encrypted", t.id)
	default:
		return audioFormat{}, refuse(AudioCodec, "track %d is %q, not AAC", t.id, kind)
	}
	// QuickTime's versions 1 and 2 have 16 and 36 more bytes before the boxes.
	at := 28
	if len(body) >= at {
		at += map[uint16]int{1: 16, 2: 36}[be.Uint16(body[8:])]
	}
	if len(body) < at {
		return audioFormat{}, refuse(Malformed, "the sample entry of track %d is cut", t.id)
	}
	var esds []byte
	err = children(body[at:], func(kind string, b []byte) error {
		switch kind {
		case "esds":
			esds = b
		case "sinf":
			return refuse(Encrypted, "track %d is encrypted", t.id)
		case "wave": // QuickTime's wrapping
			return children(b, func(kind string, b []byte) error {
				if kind == "esds" {
					esds = b
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return audioFormat{}, err
	}
	config, err := decoderConfig(esds)
	if err != nil {
		return audioFormat{}, err
	}
	return parseAudioConfig(config)
}

// decoderConfig finds the AudioSpecificConfig in an esds box (ISO/IEC 14496-1,
// 7.2.6: an ES descriptor around a decoder configuration around its specifics).
func decoderConfig(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, refuse(Malformed, "there is no AAC configuration")
	}
	es, ok := descriptor(b[4:], 3)
	if !ok || len(es) < 3 {
		return nil, refuse(Malformed, "the AAC configuration is cut")
	}
	flags, at := es[2], 3
	if flags&0x80 != 0 {
		at += 2
	}
	if flags&0x40 != 0 && len(es) > at {
		at += 1 + int(es[at])
	}
	if flags&0x20 != 0 {
		at += 2
	}
	dec, ok := descriptor(es[min(at, len(es)):], 4)
	if !ok || len(dec) < 13 {
		return nil, refuse(Malformed, "the AAC configuration is cut")
	}
	if dec[0] != 0x40 { // audio by ISO/IEC 14496-3
		return nil, refuse(AudioCodec, "an mp4a track of object type 0x%02x", dec[0])
	}
	config, ok := descriptor(dec[13:], 5)
	if !ok || len(config) < 2 || len(config) > 64 {
		return nil, refuse(Malformed, "the AAC configuration has %d bytes", len(config))
	}
	return append([]byte(nil), config...), nil
}

// descriptor returns the body of the first descriptor with the tag.
func descriptor(b []byte, tag byte) ([]byte, bool) {
	for range 16 {
		if len(b) < 2 {
			return nil, false
		}
		size, at := 0, 1
		for range 4 {
			if at >= len(b) {
				return nil, false
			}
			c := b[at]
			size, at = size<<7|int(c&0x7f), at+1
			if c&0x80 == 0 {
				break
			}
		}
		if size > len(b)-at {
			return nil, false
		}
		if b[0] == tag {
			return b[at : at+size], true
		}
		b = b[at+size:]
	}
	return nil, false
}

func parseAudioConfig(config []byte) (audioFormat, error) {
	asc, err := aac.DecodeAudioSpecificConfig(bytes.NewReader(config))
	if err != nil || asc.SamplingFrequency <= 0 {
		return audioFormat{}, refuse(AudioFormat, "AAC object type %d", config[0]>>3)
	}
	a := audioFormat{config: config, object: uint32(asc.ObjectType), rate: uint32(asc.SamplingFrequency)}
	if asc.ExtensionFrequency > 0 {
		a.rate = uint32(asc.ExtensionFrequency)
	}
	switch c := asc.ChannelConfiguration; {
	case c >= 1 && c <= 6:
		a.channels = uint32(c)
	case c == 7:
		a.channels = 8
	default:
		return audioFormat{}, refuse(AudioFormat, "AAC channel configuration %d", c)
	}
	if a.object == aac.HEAACv2 {
		a.channels = 2 // parametric stereo over a mono core
	}
	if a.rate < 7350 || a.rate > 96000 {
		return audioFormat{}, refuse(AudioFormat, "AAC at %d Hz", a.rate)
	}
	return a, nil
}
