package av

import (
	"bytes"
	"unicode/utf8"

	"github.com/vitascope/vitascope/transcode/child"
)

// sniffBytes is how much of the start of a file is looked at.
const sniffBytes = 4096

// formatAllowList names FFmpeg's demuxers that may run. Whatever opens further
// inputs (hls, dash, concat, sdp, image2) or reads text is left out.
const formatAllowList = "mov,matroska,mpegts,mpeg,avi,flv,mp3,aac,flac,wav,w64,aiff,caf,ogg,asf,mxf,ivf,amr,ac3,eac3"

// codecAllowList names FFmpeg's decoders that may run.
const codecAllowList = "h264,hevc,libdav1d,av1,vp8,vp9,libvpx,libvpx-vp9,mpeg4,mpeg2video,mpeg1video,h263,flv," +
	"msmpeg4,msmpeg4v2,msmpeg4v1,wmv1,wmv2,wmv3,vc1,theora,libtheora,mjpeg,prores,dnxhd,dvvideo,ffv1,huffyuv,ffvhuff,rawvideo,png,qtrle,svq3,vp6,vp6f," +
	"aac,aac_latm,mp3float,mp3,mp2float,mp2,mp1float,ac3,eac3,dca,truehd,mlp,opus,libopus,vorbis,libvorbis,flac,alac,wmav1,wmav2,wmapro," +
	"amrnb,amrwb,libopencore_amrnb,libopencore_amrwb,adpcm_ms,adpcm_ima_wav,adpcm_ima_qt,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be," +
	"pcm_u8,pcm_s8,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,pcm_alaw,pcm_mulaw,pcm_bluray,pcm_dvd"

type signature struct {
	offset int
	magic  string
}

func (s signature) matches(head []byte) bool {
	return len(head) >= s.offset+len(s.magic) && string(head[s.offset:s.offset+len(s.magic)]) == s.magic
}

// pictures start like this: JPEG, PNG, GIF, TIFF, JPEG XL, and HEIF's brands.
var pictures = []signature{
	{0, "\xff\xd8\xff"}, {0, "\x89PNG\r\n\x1a\n"}, {0, "GIF87a"}, {0, "GIF89a"},
	{0, "II*\x00"}, {0, "MM\x00*"}, {8, "WEBP"}, {0, "\xff\x0a"}, {0, "\x00\x00\x00\x0cJXL "},
	{4, "ftypheic"}, {4, "ftypheix"}, {4, "ftypmif1"}, {4, "ftypavif"}, {4, "ftypavis"},
}

// refuseByHead looks at the start of a file and refuses what is certainly no
// media: pictures, and any text, playlists among it, whatever its name was.
func refuseByHead(head []byte) error {
	for _, s := range pictures {
		if s.matches(head) {
			return child.Refuse(child.NotAVideo, "starts like a still picture")
		}
	}
	if bytes.HasPrefix(head, []byte("BM")) && len(head) > 14 && bytes.Equal(head[6:10], []byte{0, 0, 0, 0}) {
		return child.Refuse(child.NotAVideo, "starts like a bitmap")
	}
	if isText(head) {
		return child.Refuse(child.UnsupportedContainer, "is a text")
	}
	return nil
}

// isText reports whether head is text in UTF-8 or UTF-16. No container of the
// allow-list starts with so many bytes without a control character.
func isText(head []byte) bool {
	if bytes.HasPrefix(head, []byte("\xff\xfe")) && len(head) > 3 && head[3] == 0 || bytes.HasPrefix(head, []byte("\xfe\xff\x00")) {
		return true
	}
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(head, []byte("#EXTM3U")) || bytes.HasPrefix(head, []byte("ffconcat ")) || bytes.HasPrefix(head, []byte("<?xml")) {
		return true
	}
	for i := 0; i < len(head); {
		r, n := utf8.DecodeRune(head[i:])
		if r == utf8.RuneError && n <= 1 {
			return len(head)-i < utf8.UTFMax && len(head) == sniffBytes // a rune cut by the edge
		}
		if r < 0x20 && r != '\n' && r != '\r' && r != '\t' && r != '\f' && r != 0x1b || r == 0x7f {
			return false
		}
		i += n
	}
	return len(head) > 0
}
