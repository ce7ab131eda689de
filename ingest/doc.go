// Package ingest receives media files: tus 1.0 uploads that survive any cut,
// become one object in S3, and hand over to probing.
//
// # Guarantees
//
// A byte that was acknowledged (a 204 with its Upload-Offset) is never asked for
// again, whatever is killed: HEAD never answers a smaller offset. Chunks may have
// any size from one byte. The media's row is created before the first byte; its
// step from uploading to probing and the probe job commit together, once, however
// often the end of an upload is repeated.
//
// # How bytes are kept
//
// The file is cut at fixed offsets into the parts of one S3 multipart upload, so a
// part has the same content whoever writes it and whenever: a late or repeated
// write changes nothing. What a request leaves over in front of a boundary is kept
// as an object named after the bytes it holds, "<from>-<to>", and is removed only
// after the part that covers it is stored. The offset is the reach of whole parts
// from the start, then of such pieces; no counter can disagree with the bytes.
// tusd's own S3 store is not used because it deletes a leftover before its bytes
// are stored elsewhere and cuts parts wherever requests ended, so that a kill can
// lose acknowledged bytes or leave a hole between parts.
//
// Parts of an S3 upload cannot be read before its end. Of an MP4 or MOV that is served
// as it is and has its tables in front of its media, all bytes are therefore kept as
// such objects too until the end, written while they come, so that it plays before it
// has arrived: when playback could begin a job is asked to show it. Of these alone
// every byte is written twice. See package arriving.
//
// Putting parts together takes the longer the larger the file is. Of a source with its
// tables behind its media the first parts and the tables, some 128 MiB at most, are kept as
// such objects too, so that it plays from its first minute while that goes on: the job
// is asked for at the last byte. The tables are kept before the parts in which they lie;
// pieces that reach the end of a part which is not there count for no offset.
//
// A Service is safe for concurrent use. Requests for one upload take turns; see
// Config.SharedLocks for several processes.
//
// Source: tus resumable upload protocol 1.0.0 (core, creation,
// creation-with-upload, termination), https://tus.io/protocols/resumable-upload.
package ingest
