package jit

import (
	"fmt"
	"strconv"
)

// Names that the playlists give their files; a server resolves them next to the
// playlist.
const InitName = "init.mp4"

// SegmentName is the URI of segment n, counted from 0, in a media playlist.
func SegmentName(n int) string { return strconv.Itoa(n) + ".m4s" }

// Playlist returns the media playlist of a track. It panics if there is no such
// track.
//
// Segment durations are differences of boundaries rounded to microseconds, so they
// add up to the length of the track. All tracks name the same target duration.
func (x *Index) Playlist(trackNumber int) []byte {
	return append(x.playlist(trackNumber, "VOD\n", x.Segments(trackNumber)), "#EXT-X-ENDLIST\n"...)
}

// GrowingPlaylist is Playlist while only the first segments of the track can be
// served: it has no end, who plays it asks for it again, and playback starts at its
// beginning. It panics if there is no such track, or there are fewer segments.
func (x *Index) GrowingPlaylist(trackNumber, segments int) []byte {
	return x.playlist(trackNumber, "EVENT\n#EXT-X-START:TIME-OFFSET=0\n", segments)
}

func (x *Index) playlist(trackNumber int, kind string, segments int) []byte {
	t := x.tracks[trackNumber]
	b := make([]byte, 0, 200+32*segments)
	b = fmt.Appendf(b, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:%d\n", x.targetDuration())
	b = append(b, "#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:"...)
	b = append(append(b, kind...), "#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	b = fmt.Appendf(b, "#EXT-X-MAP:URI=%q\n", InitName)
	for n := range segments {
		us := t.microseconds(n)
		b = fmt.Appendf(b, "#EXTINF:%d.%06d,\n%s\n", us/1_000_000, us%1_000_000, SegmentName(n))
	}
	return b
}

// VideoPlaylist is the playlist of the video track. It panics without one.
func (x *Index) VideoPlaylist() []byte {
	if !x.HasVideo() {
		panic("jit: the index has no video track")
	}
	return x.Playlist(0)
}

// AudioPlaylist is the playlist of audio track n, counted from 0. It panics if
// there is no such track.
func (x *Index) AudioPlaylist(n int) []byte {
	if x.HasVideo() {
		n++
	}
	return x.Playlist(n)
}

// microseconds is the duration of segment n.
func (t *track) microseconds(n int) int64 {
	const us = 1_000_000
	s := &t.segments[n]
	return rescale(s.to, t.timescale, us) - rescale(s.from, t.timescale, us)
}

// targetDuration is in whole seconds, the longest segment of any track rounded to the
// nearest, as RFC 8216bis section 4.4.3.1 has it: sound is cut at the frame after a
// picture's cut, and is not to make a target of six seconds one of seven. It is never
// less than what segments are planned for, so that a short source that is one rung
// among others names the same as they do.
func (x *Index) targetDuration() int {
	longest := int64(0)
	for _, t := range x.tracks {
		for n := range t.segments {
			longest = max(longest, t.microseconds(n))
		}
	}
	return int(max(targetSeconds, (longest+500_000)/1_000_000))
}
