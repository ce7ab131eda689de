package av

import (
	"bytes"
	"image"
	_ "image/gif" // formats that image.Decode knows
	_ "image/png"

	_ "golang.org/x/image/webp"

	"github.com/vitascope/vitascope/transcode/child"
)

// maxPicture bounds a picture's file.
const maxPicture = 32 << 20

// stillPoster makes a poster of a JPEG, PNG, GIF or WebP: decoded, made as small as
// other posters, turned upright and encoded anew, so that nothing of the file remains,
// such as where it was taken. It is decoded by Go's own packages, in the sandbox all
// the same.
func stillPoster(s *child.Session) error {
	if s.InputSize() > maxPicture {
		return child.Refuse(child.TooLargePicture, "%d bytes", s.InputSize())
	}
	raw := make([]byte, s.InputSize())
	n, err := readFull(s, raw, 0)
	if err != nil {
		return err
	}
	raw = raw[:n]
	config, format, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return child.Refuse(child.DecodeFailed, "picture: %v", err)
	}
	if config.Width < 1 || config.Height < 1 {
		return child.Refuse(child.DecodeFailed, "%dx%d", config.Width, config.Height)
	}
	if err := checkPicture(config.Width, config.Height); err != nil {
		return err
	}
	picture, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return child.Refuse(child.DecodeFailed, "picture: %v", err)
	}
	made := fit(picture, orientation(raw, format))
	if err := emitImage(s, child.Image{Kind: child.ImagePoster}, made, posterQuality); err != nil {
		return err
	}
	return s.Emit(child.Event{Done: &child.Done{}})
}
