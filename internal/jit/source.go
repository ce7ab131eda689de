package jit

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Source is an uploaded file, typically an object in S3. Implementations must be
// safe for concurrent use when the index is served concurrently.
type Source interface {
	// ReadAt reads len(p) bytes at off, as io.ReaderAt does.
	ReadAt(ctx context.Context, p []byte, off int64) (int, error)
	// Size is the number of bytes there are, for a growing file: so far.
	Size() int64
}

// RangeOpener is a Source that can also stream a byte range; segments are then
// copied without holding their payload in memory.
type RangeOpener interface {
	// OpenRange returns n bytes from off; the caller closes the reader.
	OpenRange(ctx context.Context, off, n int64) (io.ReadCloser, error)
}

// ErrNeedMore is matched by a [*NeedMore]: the file has not grown far enough.
var ErrNeedMore = errors.New("jit: the file must grow before it can be indexed")

// NeedMore is returned by [Early] while the sample tables have not arrived.
type NeedMore struct {
	Size int64 // bytes that must be there before another attempt can do better
	// TablesLast: the media data comes before the tables.
	TablesLast bool
}

// Error says how far the file must grow.
func (e *NeedMore) Error() string { return fmt.Sprintf("%v to %d bytes", ErrNeedMore, e.Size) }

// Is makes errors.Is(err, ErrNeedMore) true.
func (e *NeedMore) Is(target error) bool { return target == ErrNeedMore }

// Reason is a stable code for why a source cannot be served as it is.
type Reason string

// The reasons.
const (
	NotMP4           Reason = "not-mp4"           // no box structure, or no moov box
	Truncated        Reason = "truncated"         // the file ends before its boxes do
	Malformed        Reason = "malformed"         // boxes or tables contradict each other
	TooLarge         Reason = "too-large"         // more samples, boxes or fragments than the limits
	NoMedia          Reason = "no-media"          // neither video nor audio
	VideoCodec       Reason = "video-codec"       // not H.264
	VideoFormat      Reason = "video-format"      // H.264, but not 8-bit 4:2:0 Baseline, Main or High
	Interlaced       Reason = "interlaced"        // fields rather than frames
	HDR              Reason = "hdr"               // needs tone mapping
	Rotated          Reason = "rotated"           // display matrix is not the identity
	PictureSize      Reason = "picture-size"      // above 8192 a side or 36 megapixels
	AudioCodec       Reason = "audio-codec"       // not AAC
	AudioFormat      Reason = "audio-format"      // AAC, but not LC or HE, or an unnamed layout
	Encrypted        Reason = "encrypted"         // common encryption
	ExternalData     Reason = "external-data"     // media data in another file
	SampleEntries    Reason = "sample-entries"    // the format changes mid-stream
	EditList         Reason = "edit-list"         // several edits, or a changed rate
	EditHidden       Reason = "edit-hidden"       // the edit cuts inside a GOP: hidden frames would show
	Timestamps       Reason = "timestamps"        // decode times do not increase
	KeyframeGap      Reason = "keyframe-gap"      // more than 12 s without a closed keyframe
	KeyframesUnknown Reason = "keyframes-unknown" // no sync table, and not every frame is a keyframe
	FrameRate        Reason = "frame-rate"        // above 240 frames a second
	Duration         Reason = "duration"          // longer than 12 h, or nothing at all
	TrackLengths     Reason = "track-lengths"     // tracks start or end more than 12 s apart
	Scattered        Reason = "scattered"         // a segment would need too many reads
	Overlapping      Reason = "overlapping"       // samples share bytes
)

// Unservable says why a source cannot be served as it is. The caller logs it and
// falls back to encoding; it is no statement about whether the file can be decoded.
type Unservable struct {
	Reason Reason // stable code
	Detail string // one sentence with the facts
}

// Error returns code and sentence.
func (e *Unservable) Error() string { return "jit: " + string(e.Reason) + ": " + e.Detail }

func refuse(reason Reason, format string, args ...any) error {
	return &Unservable{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// Limits on what is served. The first three are the media limits of the whole
// product; the others bound memory and the cost of a request.
const (
	maxSeconds     = 12 * 60 * 60
	maxSide        = 8192
	maxPixels      = 36_000_000
	maxMoov        = 48 << 20  // 12 h of 30 frames/s with one audio track is about 45 MB
	maxMoof        = 8 << 20   // one fragment's tables
	maxFragments   = 40_000    // each costs a read
	maxSamples     = 4_000_000 // of all tracks: 12 h of 30 frames/s with AAC is 3.3 million
	maxTracks      = 32
	maxBoxes       = 20_000     // in one container
	maxTimescale   = 10_000_000 // ticks a second; keeps products of two of them and 12 h in 63 bits
	maxFrameRate   = 240
	maxKeyframeGap = 12 // seconds
	maxApart       = 12 // seconds between starts, or ends, of tracks
	maxSpans       = 1024
	maxSegment     = 1 << 30 // bytes
	maxTicks       = int64(1) << 52
)
