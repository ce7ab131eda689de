package jit

import (
	"encoding/binary"
)

// movie is the moov box, decoded as far as serving needs it.
type movie struct {
	timescale  uint32
	fragmented bool
	defaults   map[uint32]trex
	tracks     []*trak
}

// trex holds the defaults of a track's fragments.
type trex struct{ dur, size, flags uint32 }

// trak is one track box; the tables are the bodies of their boxes.
type trak struct {
	id        uint32
	enabled   bool
	matrix    []byte
	width     uint32 // 16.16, as displayed
	height    uint32
	edits     []edit
	handler   string
	timescale uint32
	language  string
	external  bool

	stsd, stts, ctts, stsz, stz2, stsc, stco, co64, stss []byte
}

// edit is one entry of an edit list.
type edit struct {
	duration int64 // movie ticks
	media    int64 // track ticks, -1 for an empty edit
	rate     uint32
}

var be = binary.BigEndian

func parseMovie(b []byte) (*movie, error) {
	m := &movie{defaults: map[uint32]trex{}}
	err := children(b, func(kind string, body []byte) error {
		switch kind {
		case "mvhd":
			at := fullBoxTimes(body)
			if at < 0 || len(body) < at+4 {
				return refuse(Malformed, "the mvhd box is cut")
			}
			m.timescale = be.Uint32(body[at:])
		case "cmov":
			return refuse(NotMP4, "the moov box is compressed")
		case "mvex":
			m.fragmented = true
			return m.parseExtends(body)
		case "trak":
			if len(m.tracks) == maxTracks {
				return refuse(TooLarge, "more than %d tracks", maxTracks)
			}
			t, err := parseTrak(body)
			if err != nil {
				return err
			}
			m.tracks = append(m.tracks, t)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if m.timescale == 0 || m.timescale > maxTimescale {
		return nil, refuse(Malformed, "the movie's timescale is %d", m.timescale)
	}
	return m, nil
}

// fullBoxTimes returns where the timescale or track ID stands, after version,
// flags, creation and modification time; -1 when the box is cut.
func fullBoxTimes(body []byte) int {
	if len(body) < 4 {
		return -1
	}
	if body[0] == 1 {
		return 20
	}
	return 12
}

func (m *movie) parseExtends(b []byte) error {
	return children(b, func(kind string, body []byte) error {
		if kind == "trex" && len(body) >= 24 {
			m.defaults[be.Uint32(body[4:])] = trex{dur: be.Uint32(body[12:]), size: be.Uint32(body[16:]), flags: be.Uint32(body[20:])}
		}
		return nil
	})
}

func parseTrak(b []byte) (*trak, error) {
	t := &trak{language: "und"}
	err := children(b, func(kind string, body []byte) error {
		switch kind {
		case "tkhd":
			return t.parseHeader(body)
		case "edts":
			return children(body, func(kind string, body []byte) error {
				if kind == "elst" {
					return t.parseEdits(body)
				}
				return nil
			})
		case "mdia":
			return t.parseMedia(body)
		}
		return nil
	})
	return t, err
}

func (t *trak) parseHeader(b []byte) error {
	at := fullBoxTimes(b)
	rest := at + 4 + 4 + 4 // track ID, reserved, duration
	if at == 20 {
		rest += 4
	}
	if at < 0 || len(b) < rest+60 {
		return refuse(Malformed, "a tkhd box is cut")
	}
	t.enabled = b[3]&1 != 0
	t.id = be.Uint32(b[at:])
	t.matrix = b[rest+16:][:36]
	t.width, t.height = be.Uint32(b[rest+52:]), be.Uint32(b[rest+56:])
	return nil
}

func (t *trak) parseEdits(b []byte) error {
	if len(b) < 8 {
		return refuse(Malformed, "an elst box is cut")
	}
	count, size, v1 := int64(be.Uint32(b[4:])), int64(12), b[0] == 1
	if v1 {
		size = 20
	}
	if count > 64 {
		return refuse(EditList, "the edit list has %d entries", count)
	}
	if int64(len(b)) < 8+count*size {
		return refuse(Malformed, "an elst box is cut")
	}
	t.edits = nil
	for e := b[8 : 8+count*size]; len(e) > 0; e = e[size:] {
		x := edit{duration: int64(be.Uint32(e)), media: int64(int32(be.Uint32(e[4:]))), rate: be.Uint32(e[size-4:])}
		if v1 {
			x.duration, x.media = int64(be.Uint64(e)), int64(be.Uint64(e[8:]))
		}
		if x.duration < 0 || x.duration > maxTicks || x.media < -1 || x.media > maxTicks {
			return refuse(EditList, "an edit of %d ticks starts at %d", x.duration, x.media)
		}
		t.edits = append(t.edits, x)
	}
	return nil
}

func (t *trak) parseMedia(b []byte) error {
	return children(b, func(kind string, body []byte) error {
		switch kind {
		case "mdhd":
			at := fullBoxTimes(body)
			rest := at + 4 + 4 // timescale, duration
			if at == 20 {
				rest += 4
			}
			if at < 0 || len(body) < rest+2 {
				return refuse(Malformed, "an mdhd box is cut")
			}
			t.timescale = be.Uint32(body[at:])
			t.language = language(be.Uint16(body[rest:]))
		case "hdlr":
			if len(body) < 12 {
				return refuse(Malformed, "an hdlr box is cut")
			}
			t.handler = string(body[8:12])
		case "minf":
			return children(body, func(kind string, body []byte) error {
				switch kind {
				case "dinf":
					return t.parseDataReferences(body)
				case "stbl":
					return t.parseTables(body)
				}
				return nil
			})
		}
		return nil
	})
}

// language unpacks three letters of five bits; QuickTime's own codes, which are
// below 0x400, are not named.
func language(packed uint16) string {
	if packed < 0x400 || packed == 0x7fff {
		return "und"
	}
	b := []byte{byte(packed>>10&31) + 0x60, byte(packed>>5&31) + 0x60, byte(packed&31) + 0x60}
	for _, c := range b {
		if c < 'a' || c > 'z' {
			return "und"
		}
	}
	return string(b)
}

func (t *trak) parseDataReferences(b []byte) error {
	return children(b, func(kind string, body []byte) error {
		if kind != "dref" || len(body) < 8 {
			return nil
		}
		return children(body[8:], func(_ string, entry []byte) error {
			t.external = t.external || len(entry) < 4 || entry[3]&1 == 0
			return nil
		})
	})
}

func (t *trak) parseTables(b []byte) error {
	return children(b, func(kind string, body []byte) error {
		switch kind {
		case "stsd":
			t.stsd = body
		case "stts":
			t.stts = body
		case "ctts":
			t.ctts = body
		case "stsz":
			t.stsz = body
		case "stz2":
			t.stz2 = body
		case "stsc":
			t.stsc = body
		case "stco":
			t.stco = body
		case "co64":
			t.co64 = body
		case "stss":
			t.stss = body
		}
		return nil
	})
}
