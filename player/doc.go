// Package player is the public face of a video: the HLS origin, the embed
// configuration that starts a view, the iframe and watch pages, and the files
// of the browser player in player/web.
//
// It needs the object store and the deployment's secret. The catalog is asked
// only about media that nothing has been published of yet, so published videos
// keep playing while catalog, event log and warehouse are away.
//
// Paths of objects are taken apart and rebuilt: only the shapes that the
// packager writes reach the store. Published objects never change, so they are
// served immutable and kept in memory when small; concurrent requests for one
// cold object cost one read of the store. What moves (the newest publication,
// the poster) is found through the media's pointer, which is at most
// [PointerAge] old.
//
// A source that is H.264 and AAC in MP4 or MOV is first published as it is: its
// playlists, init segments and the headers of its segments are made here on demand
// from a stored index, and their payload comes from byte ranges of the source
// (package jit). They are as immutable as stored objects and cached as they are.
//
// HLS is RFC 8216bis. A Handler is safe for concurrent use.
package player
