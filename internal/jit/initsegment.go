package jit

import (
	"bytes"
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"
)

// Init returns the init segment of a track. It panics if there is no such track.
func (x *Index) Init(trackNumber int) ([]byte, error) {
	t := x.tracks[trackNumber]
	media := map[kind]string{video: "video", audio: "audio"}[t.kind]
	init := mp4.CreateEmptyInit()
	init.Ftyp = mp4.NewFtyp("iso6", 0, []string{"iso6", "cmfc", "mp41"})
	init.Children[0] = init.Ftyp
	trak := init.AddEmptyTrack(t.timescale, media, t.language)
	if t.kind == video {
		w, h := t.video.displayed()
		trak.Tkhd.Width, trak.Tkhd.Height = mp4.Fixed32(w<<16), mp4.Fixed32(h<<16)
		trak.Mdia.Minf.Stbl.Stsd.AddChild(t.video.sampleEntry())
	} else {
		trak.Mdia.Minf.Stbl.Stsd.AddChild(t.audio.sampleEntry())
	}
	if t.hidden() > 0 {
		edts := &mp4.EdtsBox{}
		edts.AddChild(&mp4.ElstBox{Version: 1, Entries: []mp4.ElstEntry{{MediaTime: t.hidden(), MediaRateInteger: 1}}})
		trak.AddChild(edts)
		// Readers expect the edit list between track header and media.
		trak.Children[1], trak.Children[2] = trak.Children[2], trak.Children[1]
	}
	var b bytes.Buffer
	b.Grow(1 << 10)
	if err := init.Encode(&b); err != nil {
		return nil, fmt.Errorf("encode init segment: %w", err)
	}
	return b.Bytes(), nil
}

// hidden is how far into the track presentation time zero lies: decode times are
// later by it, since they cannot be negative, and the edit list takes it off again.
func (t *track) hidden() int64 { return max(0, -t.start) }

func (v videoFormat) sampleEntry() mp4.Box {
	config := mp4.CreateUnknownBox("avcC", uint64(8+len(v.config)), v.config)
	entry := mp4.CreateVisualSampleEntryBox(v.entry, uint16(v.width), uint16(v.height), config)
	entry.CompressorName = ""
	if v.colour != nil {
		entry.AddChild(mp4.CreateUnknownBox("colr", uint64(8+len(v.colour)), v.colour))
	}
	if v.sarW != v.sarH {
		entry.AddChild(&mp4.PaspBox{HSpacing: v.sarW, VSpacing: v.sarH})
	}
	return entry
}

func (a audioFormat) sampleEntry() mp4.Box {
	rate := a.rate
	if rate > 65535 {
		rate = 0 // the field is too narrow; decoders use the configuration
	}
	return mp4.CreateAudioSampleEntryBox("mp4a", uint16(a.channels), 16, uint16(rate), mp4.CreateEsdsBox(a.config))
}
