// Package jit serves an uploaded MP4 or MOV as HLS without remuxing it: just-in-time
// packaging.
//
// [Build] reads the sample tables of the source once and gives an [Index]: which
// byte range of the source each access unit is, when it is decoded and shown, and
// where the segments are cut. The index is small (a few bytes per access unit),
// is stored as one object with [Index.Encode], and is all that a server needs
// besides the source itself: playlists, init segments and the header of each media
// segment come from the index, the payload streams from byte ranges of the source.
//
// What it guarantees:
//   - the timeline is absolute and the same as the source's after its edit list:
//     presentation time zero of the source is time zero of the segments, audio and
//     video alike (but for [Index.LeadIn]). What lies before zero, AAC priming and
//     the decode times of reordered video, is kept; since decode times cannot be
//     negative, they are later by it and the init segment's edit list takes it off;
//   - every segment starts with a closed keyframe, access units are neither changed
//     nor lost, and the size of a segment is known before its first byte is read;
//   - hostile sources cost bounded memory and time: each table is checked by
//     arithmetic before anything is allocated, and no more than 64 MiB of source
//     bytes are held at once. A source that cannot be served as it is gives
//     [*Unservable], for which the caller falls back to encoding.
//
// What is served: H.264 Baseline, Main or High, 8-bit 4:2:0, progressive, not
// rotated, with AAC-LC or HE-AAC or no audio; AAC alone too; plain and fragmented.
// Rules of Apple's HLS authoring specification that a source as uploaded cannot
// promise: IDR every 2 s (1.13; keyframes up to 12 s apart are served), peak at
// most twice the average (1.30), I-frame playlists (6.1).
//
// An Index is immutable and safe for concurrent use.
//
// Sources: ISO/IEC 14496-12 (boxes), 14496-14 and 14496-15 (AAC, H.264 in MP4),
// Apple QuickTime File Format (sound descriptions), RFC 8216, RFC 6381 (codecs).
package jit
