package child

import (
	"errors"
	"fmt"
	"slices"
)

// Code names why a media cannot be played. Codes are stable: they are stored,
// shown by the API and matched by clients.
type Code string

// The codes, each with the sentence that [Code.Sentence] gives to people.
const (
	EmptyFile            Code = "empty_file"
	UnsupportedContainer Code = "unsupported_container"
	NotAVideo            Code = "not_a_video"
	TruncatedFile        Code = "truncated_file"
	NoStreams            Code = "no_streams"
	ZeroDuration         Code = "zero_duration"
	TooLargePicture      Code = "too_large_picture"
	TooManyStreams       Code = "too_many_streams"
	TooLong              Code = "too_long"
	UnsupportedCodec     Code = "unsupported_codec"
	DecodeFailed         Code = "decode_failed"
	DecoderCrashed       Code = "decoder_crashed"
	LimitExceeded        Code = "limit_exceeded"
)

// Limits on what is accepted, checked on headers before anything is decoded.
const (
	// MaxPixels and MaxSide bound a picture, MaxStreams a container.
	MaxPixels  = 36_000_000
	MaxSide    = 8192
	MaxStreams = 32
	// MaxDurationSeconds is twelve hours.
	MaxDurationSeconds = 12 * 3600
)

// Sentence says in plain words what is wrong and, where there is a remedy,
// what to do. It is safe to show to anyone.
func (c Code) Sentence() string {
	switch c {
	case EmptyFile:
		return "The file is empty."
	case UnsupportedContainer:
		return "This is not a video or audio file that can be read. Upload MP4, MOV, WebM, MKV, AVI, MPEG-TS, MP3 or a similar file."
	case NotAVideo:
		return "This is a picture, not a video."
	case TruncatedFile:
		return "The file ends too early: a part of it is missing. Export or copy it again and upload the whole file."
	case NoStreams:
		return "The file has neither a picture nor a sound track."
	case ZeroDuration:
		return "The file has no duration: there is nothing in it to play."
	case TooLargePicture:
		return "The picture is too large: at most 36 megapixels and 8192 pixels a side are accepted."
	case TooManyStreams:
		return "The file has more than 32 tracks."
	case TooLong:
		return "The file is longer than 12 hours."
	case UnsupportedCodec:
		return "The file is encoded in a format that is not supported. Convert it to H.264 with AAC and upload it again."
	case DecodeFailed:
		return "The file is damaged: its content could not be decoded."
	case DecoderCrashed:
		return "The file could not be decoded: it is damaged, or made to do harm."
	case LimitExceeded:
		return "Decoding the file took more time or memory than a file of its length may."
	}
	return "The file could not be processed."
}

// Retryable tells whether the same file might go through another time. Only
// caps that depend on how busy the machine is are worth another try.
func (c Code) Retryable() bool { return c == LimitExceeded }

// Codes returns all codes.
func Codes() []Code {
	return []Code{
		EmptyFile, UnsupportedContainer, NotAVideo, TruncatedFile, NoStreams, ZeroDuration,
		TooLargePicture, TooManyStreams, TooLong, UnsupportedCodec, DecodeFailed, DecoderCrashed, LimitExceeded,
	}
}

func (c Code) known() bool { return slices.Contains(Codes(), c) }

// MediaError says that the media, not the machinery, ended a job. Any other
// error from [Runner.Run] is about the machinery and may pass.
type MediaError struct {
	Code Code
	// Detail is for the log.
	Detail string
}

// Refuse makes a MediaError with a detail for the log.
func Refuse(code Code, format string, args ...any) *MediaError {
	return &MediaError{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Error gives code and detail.
func (e *MediaError) Error() string {
	if e.Detail == "" {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Detail
}

// ErrProtocol is returned when a child says something it must not, such as a
// file name outside its job folder.
var ErrProtocol = errors.New("media child broke the protocol")
