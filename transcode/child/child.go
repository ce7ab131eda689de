// Package child is the boundary between Vitascope's servers and the program
// that touches media from strangers, vitascope-media.
//
// A server starts one child per job with [Runner.Run]. The child gets the job
// as one JSON line on its standard input, reads the media over an inherited
// socket (descriptor 3) on which the server answers byte ranges, writes its
// results into its working directory and tells about them as JSON lines on its
// standard output.
//
// A decoder that is taken over holds one file and one empty folder. The layers
// around it, each of which suffices against most of what it could try:
//
//   - An empty environment, no descriptors but those above, death with the server.
//   - Namespaces of its own for users, network (without an interface),
//     processes, System V IPC and host name. Where the server is root the child
//     is nobody on the machine too. The job folder is its root folder.
//   - no_new_privs, and no capability.
//   - Landlock: its folder, to read and write; nothing to execute; from Linux
//     6.7 on no TCP, from 6.12 on no signal or abstract socket beyond it.
//   - seccomp: the system calls of Go's runtime, glibc's threads and files. No
//     process, socket, trace, mount, key or new executable memory.
//   - Resource limits set before the job is sent, and memory in use watched: by the
//     server, and by the kernel where there is a cgroup for it.
//
// The second is made here, those after it by package confine in the child, once
// its libraries are loaded and before anything else. Where one is missing no
// child runs ([ErrNoSandbox]), unless [Config.Insecure] asks to go without.
// [Runner.SelfTest] has a child try. Not prevented: a child sees
// the clock and the machine's load, and may use up its limits.
//
// The server trusts nothing the child says: events are checked against the
// job, files are opened through [os.Root], lines, files and the total output
// are bounded.
//
// [Session] is the other side of the same protocol, used by the child.
// A Runner may be used by many goroutines at once; a Session belongs to the
// child's one job.
package child

import (
	"math"
	"time"
)

// Operations a [Job] can name.
const (
	OpProbe  = "probe"
	OpEncode = "encode"
	// OpClip makes what Encode says from a moment on, up to its ToSegment and without
	// sound, on a timeline that starts there: a preview, or a poster.
	OpClip = "clip"
	// OpPicture makes a poster of an input that is a picture.
	OpPicture  = "picture"
	OpSelfTest = "self_test"
)

// Job is what a child is started for: one operation on one input.
type Job struct {
	Op string `json:"op"`
	// InputSize is the size of the media in bytes; Runner.Run fills it in.
	InputSize int64 `json:"input_size"`
	// Duration is the media's duration as probed, zero when not yet known.
	// It sets the limits and the scale of progress.
	Duration time.Duration `json:"duration_ns,omitempty"`
	// Span is how much of the media this job works through, zero for all of it. It
	// takes Duration's place in the limits.
	Span time.Duration `json:"span_ns,omitempty"`
	// Threads is how many threads decoding, filters and each encoder may use; zero
	// for as many as there are processors. Who is given a number is in no hurry, and
	// stands back for other processes.
	Threads int `json:"threads,omitempty"`
	// Opening says that the first segment is waited for after all: who is given Threads
	// stands back from then on.
	Opening bool `json:"opening,omitempty"`
	// Encode is required by OpEncode and OpClip. Clip is required by OpClip alone.
	Encode *EncodeSpec `json:"encode,omitempty"`
	Clip   *ClipSpec   `json:"clip,omitempty"`
	// SelfTest is required by OpSelfTest.
	SelfTest *SelfTestSpec `json:"self_test,omitempty"`
}

// Rational is a ratio of two whole numbers, such as a frame rate of 30000/1001.
type Rational struct {
	Num int `json:"num"`
	Den int `json:"den"`
}

// Float64 is the value of r, zero when r has no denominator.
func (r Rational) Float64() float64 {
	if r.Den == 0 {
		return 0
	}
	return float64(r.Num) / float64(r.Den)
}

// ProbeResult is what the child found in a media it can play.
type ProbeResult struct {
	// Container is FFmpeg's short name of the format, such as "mov,mp4,...".
	Container string `json:"container"`
	// DurationMS is the presentation's length in milliseconds, above zero.
	DurationMS int64 `json:"duration_ms"`
	// DurationEstimated says that DurationMS was guessed from a bit rate, so
	// a shorter decoded result does not mean that something is missing.
	DurationEstimated bool `json:"duration_estimated,omitempty"`
	// Start is where the presentation starts on the container's timeline: time
	// zero of the output.
	Start time.Duration `json:"start_ns,omitempty"`
	// Unseekable tells why the picture has to be decoded from its beginning;
	// empty when decoding can start at keyframes in the middle.
	Unseekable string        `json:"unseekable,omitempty"`
	Video      *VideoStream  `json:"video,omitempty"`
	Audio      []AudioStream `json:"audio,omitempty"`
	// Texts are the subtitle tracks that hold text, not pictures.
	Texts []TextStream `json:"texts,omitempty"`
	// Chapters are in order, at most MaxChapters of them.
	Chapters []Chapter `json:"chapters,omitempty"`
}

// VideoStream describes the picture that will be shown.
type VideoStream struct {
	Codec string `json:"codec"`
	// Width and Height are those of the coded picture, in pixels.
	Width  int `json:"width"`
	Height int `json:"height"`
	// DisplayWidth and DisplayHeight are what a viewer sees: turned by
	// Rotation and stretched in width to square pixels.
	DisplayWidth  int `json:"display_width"`
	DisplayHeight int `json:"display_height"`
	// Rotation is the clockwise turn needed to show the picture upright, in
	// degrees: 0, 90, 180 or 270.
	Rotation          int      `json:"rotation"`
	SampleAspectRatio Rational `json:"sample_aspect_ratio"`
	// FrameRate is the average; zero when the container does not tell.
	FrameRate      Rational `json:"frame_rate"`
	PixelFormat    string   `json:"pixel_format"`
	BitDepth       int      `json:"bit_depth"`
	Interlaced     bool     `json:"interlaced"`
	ColorSpace     string   `json:"color_space"`
	ColorTransfer  string   `json:"color_transfer"`
	ColorPrimaries string   `json:"color_primaries"`
	FullRange      bool     `json:"full_range"`
	// HDR says that the transfer is PQ or HLG.
	HDR bool `json:"hdr"`
}

// AudioStream describes one audio track.
type AudioStream struct {
	Codec      string `json:"codec"`
	Channels   int    `json:"channels"`
	SampleRate int    `json:"sample_rate"`
	// Language is the track's tag as found, cut to letters; often empty.
	Language string `json:"language,omitempty"`
	// Title is the track's name as found, cut to 200 bytes; often empty.
	Title string `json:"title,omitempty"`
	// Default marks the track that the file wants played, Described one that
	// tells what is to be seen.
	Default   bool `json:"default,omitempty"`
	Described bool `json:"described,omitempty"`
}

// TextStream describes one subtitle track.
type TextStream struct {
	Codec string `json:"codec"`
	// Language and Title are as in AudioStream.
	Language string `json:"language,omitempty"`
	Title    string `json:"title,omitempty"`
	// Default marks the track that the file wants shown, Forced one that is shown
	// even to those who understand the sound, Captions one that also tells of
	// sounds.
	Default  bool `json:"default,omitempty"`
	Forced   bool `json:"forced,omitempty"`
	Captions bool `json:"captions,omitempty"`
}

// MaxChapters bounds the chapters of a media.
const MaxChapters = 500

// Chapter is a named moment of the presentation, up to the next one.
type Chapter struct {
	StartMS int64 `json:"start_ms"`
	// Title is as found, cut to 200 bytes; it may be empty.
	Title string `json:"title"`
}

// EncodeSpec says what one decoding pass makes. Every name and number in it
// was chosen by the server: no text of a user reaches an encoder.
type EncodeSpec struct {
	// Rungs are the video renditions, largest first: each is scaled from the
	// one before it. They share FrameRate and GOPFrames, so that their
	// segments have the same boundaries.
	Rungs     []Rung   `json:"rungs,omitempty"`
	FrameRate Rational `json:"frame_rate"`
	// Timescale is the unit of the rungs' times, per second, of which a frame lasts a
	// whole number. Zero leaves it to the frame rate.
	Timescale int `json:"timescale,omitempty"`
	// GOPFrames is the distance between keyframes; every one is an IDR.
	GOPFrames int `json:"gop_frames"`
	// SegmentGOPs is the length of a media segment in GOPs, FirstGOPs that of the
	// first one, which may be short for a fast start; zero means SegmentGOPs.
	SegmentGOPs int `json:"segment_gops"`
	FirstGOPs   int `json:"first_gops,omitempty"`
	// Cuts are the frames at which segments start, ascending from zero, in place of
	// SegmentGOPs: an IDR is forced there, and GOPFrames counts from each.
	Cuts []int64 `json:"cuts,omitempty"`
	// FromSegment and ToSegment bound the segments to make of Rungs: a chunk. ToSegment
	// is the first that is not wanted; zero is the end of the media. Sound, texts and
	// images are of the whole media always.
	FromSegment int `json:"from_segment,omitempty"`
	ToSegment   int `json:"to_segment,omitempty"`
	// Audio are the audio renditions that are wanted.
	Audio []AudioSpec `json:"audio,omitempty"`
	// Loudness brings each of Audio to the same loudness; nil leaves them as they are.
	Loudness *LoudnessSpec `json:"loudness,omitempty"`
	// Texts are the subtitle tracks that are wanted, as WebVTT.
	Texts []TextSpec `json:"texts,omitempty"`
	// Poster asks for one JPEG that stands for the media: a frame, or the
	// waveform when there is no video.
	Poster bool `json:"poster,omitempty"`
	// Storyboard asks for a JPEG of thumbnails; nil for none.
	Storyboard *StoryboardSpec `json:"storyboard,omitempty"`
}

// SegmentStart is the frame at which segment n starts, counted from 0;
// math.MaxInt64 when there is no such segment, the one before it going on to the end.
func (s *EncodeSpec) SegmentStart(n int) int64 {
	switch {
	case n <= 0:
		return 0
	case len(s.Cuts) > 0 && n < len(s.Cuts):
		return s.Cuts[n]
	case len(s.Cuts) > 0:
		return math.MaxInt64
	}
	first := s.FirstGOPs
	if first == 0 {
		first = s.SegmentGOPs
	}
	return int64(s.GOPFrames) * int64(first+(n-1)*s.SegmentGOPs)
}

// Codecs of a [Rung].
const (
	CodecH264 = ""     // High profile
	CodecHEVC = "hevc" // Main profile
	CodecAV1  = "av1"  // Main profile
)

// Rung is one video rendition.
type Rung struct {
	// Codec is one of the Codec constants.
	Codec string `json:"codec,omitempty"`
	// Name is the rendition's name and its folder in the job folder.
	Name   string `json:"name"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	// CRF is x264's constant rate factor, 0 to 51.
	CRF int `json:"crf"`
	// MaxBitrateBPS caps the bit rate, over a buffer of 1.5 seconds.
	MaxBitrateBPS int `json:"max_bitrate_bps"`
}

// AudioSpec is one audio rendition, stereo AAC-LC at 48 kHz.
type AudioSpec struct {
	Name string `json:"name"`
	// Track is the number of the source's track in ProbeResult.Audio.
	Track      int `json:"track,omitempty"`
	BitrateBPS int `json:"bitrate_bps"`
}

// ClipSpec is where a clip starts in the presentation.
type ClipSpec struct {
	From time.Duration `json:"from_ns"`
}

// LoudnessSpec is how loud sound is to be.
type LoudnessSpec struct {
	// TargetLUFS is the integrated loudness (EBU R 128) that tracks are brought to.
	TargetLUFS float64 `json:"target_lufs"`
	// Most is how much of each track is measured before it is encoded: all of it, or as
	// much as Most in windows spread evenly over it.
	Most time.Duration `json:"most_ns"`
}

// TextSpec is one subtitle track.
type TextSpec struct {
	Name string `json:"name"`
	// Track is the number of the source's track in ProbeResult.Texts.
	Track int `json:"track"`
}

// StoryboardSpec is a sheet of thumbnails taken at equal distances.
type StoryboardSpec struct {
	TileWidth int           `json:"tile_width"`
	Interval  time.Duration `json:"interval_ns"`
	Columns   int           `json:"columns"`
	// MaxTiles bounds the sheet: later frames are left out.
	MaxTiles int `json:"max_tiles"`
}

// Event is one line from the child. Exactly one field is set.
type Event struct {
	Probe    *ProbeResult `json:"probe,omitempty"`
	Init     *Init        `json:"init,omitempty"`
	Segment  *Segment     `json:"segment,omitempty"`
	Image    *Image       `json:"image,omitempty"`
	Text     *Text        `json:"text,omitempty"`
	Progress *Progress    `json:"progress,omitempty"`
	Done     *Done        `json:"done,omitempty"`
	Failed   *Failed      `json:"failed,omitempty"`
	SelfTest *Escape      `json:"self_test,omitempty"`
}

// ends tells whether a child has no more to say after e.
func (e Event) ends() bool {
	return e.Done != nil || e.Failed != nil || e.Probe != nil || e.SelfTest != nil
}

// Init announces a rendition's initialization segment.
type Init struct {
	Rendition string `json:"rendition"`
	// File is a path inside the job folder, as in the other events.
	File string `json:"file"`
	// Codecs is the RFC 6381 string of the sample entry, avc1.PPCCLL or mp4a.40.2.
	Codecs string `json:"codecs"`
	// Timescale is the unit of the rendition's segment durations, per second.
	Timescale int `json:"timescale"`
}

// Segment announces a finished media segment.
type Segment struct {
	Rendition string `json:"rendition"`
	// N counts from zero, or the chunk's FromSegment, without gaps.
	N int `json:"n"`
	// Duration is exact, in the rendition's timescale: for how long the segment
	// is presented, without an encoder's priming.
	Duration int64  `json:"duration"`
	Bytes    int64  `json:"bytes"`
	File     string `json:"file"`
	// Iframes are the segment's pictures that decode alone, in order; none of a
	// rendition of sound.
	Iframes []Iframe `json:"iframes,omitempty"`
}

// Iframe is where a picture that decodes alone lies in its segment: the bytes from
// Offset on, Bytes of them, are a fragment's header with this picture alone.
type Iframe struct {
	// At is when it is shown, after the segment's start, in the rendition's timescale.
	At     int64 `json:"at"`
	Offset int64 `json:"offset"`
	Bytes  int64 `json:"bytes"`
}

// Kinds of [Image].
const (
	ImagePoster     = "poster"
	ImageStoryboard = "storyboard"
)

// Image announces a JPEG.
type Image struct {
	Kind   string `json:"kind"`
	File   string `json:"file"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	// Tiles and TileHeight describe a storyboard: tiles lie row by row.
	Tiles      int `json:"tiles,omitempty"`
	TileHeight int `json:"tile_height,omitempty"`
}

// Text announces a subtitle track, whole, in WebVTT. A track without text is not
// announced.
type Text struct {
	Name string `json:"name"`
	File string `json:"file"`
}

// Progress tells how much of the media has been worked through.
type Progress struct {
	// Fraction is 0 to 1.
	Fraction float64 `json:"fraction"`
}

// Done ends an encode that went well.
type Done struct {
	// DurationMS is where the longest of the encoded tracks ends, in milliseconds
	// from the start of the media.
	DurationMS int64 `json:"duration_ms"`
	// Damaged counts packets that did not decode and were left out.
	Damaged int `json:"damaged,omitempty"`
	// LevelLeft says, for the log, why sound was not brought to the LoudnessSpec: it
	// could not be measured.
	LevelLeft string `json:"level_left,omitempty"`
}

// Failed ends a job that the media does not allow.
type Failed struct {
	Code Code `json:"code"`
	// Detail is for the log: FFmpeg's words, bounded. Viewers see Code.Sentence.
	Detail string `json:"detail,omitempty"`
}
