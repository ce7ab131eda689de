package blob

import (
	"fmt"
	"path"
)

// MediaPrefix is the folder of everything that belongs to one media, with a
// trailing slash.
func MediaPrefix(account, media string) string {
	return "accounts/" + account + "/media/" + media + "/"
}

// GenerationPrefix is the folder of one generation of a media, with a trailing
// slash. A generation is one uploaded source and what was made of it.
func GenerationPrefix(account, media string, generation int) string {
	return fmt.Sprintf("%sg%d/", MediaPrefix(account, media), generation)
}

// SourceKey names the uploaded original of a generation.
func SourceKey(account, media string, generation int) string {
	return GenerationPrefix(account, media, generation) + "source"
}

// UploadPrefix is the folder of what an upload keeps until its source is whole,
// with a trailing slash.
func UploadPrefix(account, media string, generation int) string {
	return GenerationPrefix(account, media, generation) + "upload/"
}

// OutputPrefix is the folder that one attempt of one job writes into, with a
// trailing slash. The attempt fences late writers: a worker that wakes after its
// job was given away cannot overwrite what the other one made.
func OutputPrefix(account, media string, generation int, attempt string) string {
	return GenerationPrefix(account, media, generation) + "a" + attempt + "/"
}

// SourceFolder is the folder under an OutputPrefix in which a source is served as
// it is, with a trailing slash: SourceIndex lies in it, and its tracks 0, 1 and so
// on seem to.
const SourceFolder = "source/"

// SourceIndex is the name of a source's index in its SourceFolder.
const SourceIndex = "index.jit"

// PublicationPrefix is the folder of a publication's playlists, made by one attempt
// of one job, with a trailing slash.
func PublicationPrefix(account, media string, generation int, attempt string, publication int) string {
	return fmt.Sprintf("%sp%d/", OutputPrefix(account, media, generation, attempt), publication)
}

// Multivariant is the name of a publication's multivariant playlist in its folder;
// the media playlist of a rendition is <rendition>/index.m3u8 there.
const Multivariant = "multivariant.m3u8"

// NewestPlaylist is how multivariant playlists name the media playlist of a rendition
// that is shown while it grows, and afterwards, relative to the media's folder: what
// lies under that name in the newest publication of the generation. No object lies
// there.
func NewestPlaylist(generation int, rendition string) string {
	return fmt.Sprintf("g%d/newest/playlists/%s/index.m3u8", generation, rendition)
}

// Relative returns key as seen from the media's folder, which is how pointers
// and playlists name objects ("g1/a1/v360/index.m3u8").
func Relative(account, media, key string) string {
	prefix := MediaPrefix(account, media)
	if len(key) > len(prefix) && key[:len(prefix)] == prefix {
		return key[len(prefix):]
	}
	return path.Base(key)
}

// PointerKey names the one mutable object of a media: which publication is newest.
func PointerKey(media string) string { return "pointers/" + media + ".json" }

// CaptionKey names a caption track, whole. A track that is changed has a new id.
func CaptionKey(account, media, id string) string {
	return MediaPrefix(account, media) + "captions/" + id + ".vtt"
}

// CaptionOriginalKey names a caption track as it was uploaded. It is never served
// to viewers.
func CaptionOriginalKey(account, media, id string) string {
	return MediaPrefix(account, media) + "captions/" + id + ".original"
}

// CaptionFolder is where a caption track lies in segments for a media of a
// duration, with a trailing slash.
func CaptionFolder(account, media, id string, durationMS int64) string {
	return fmt.Sprintf("%scaptions/%s/d%d/", MediaPrefix(account, media), id, durationMS)
}

// PosterKey names a poster that someone chose or uploaded.
func PosterKey(account, media, id string) string {
	return MediaPrefix(account, media) + "posters/" + id + "/poster.jpg"
}

// PosterUploadKey names an uploaded picture until a poster is made of it.
func PosterUploadKey(account, media, id string) string {
	return MediaPrefix(account, media) + "posters/" + id + "/upload"
}
