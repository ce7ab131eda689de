package av

import (
	"bytes"
	"image"
	_ "image/gif" // formats that image.Decode knows
	_ "image/png"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"

	"github.com/vitascope/vitascope/transcode/child"
)

// maxPicture bounds a picture's file.
const maxPicture = 32 << 20

// stillPoster makes a poster of a JPEG, PNG, GIF or WebP: decoded, made as small as
// other posters and encoded anew, so that nothing of the file remains. It is decoded
// by Go's own packages, in the sandbox all the same.
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
	config, _, err := image.DecodeConfig(bytes.NewReader(raw))
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
	w, h := picture.Bounds().Dx(), picture.Bounds().Dy()
	if short := min(w, h); short > posterSide {
		w, h = max(1, w*posterSide/short), max(1, h*posterSide/short)
	}
	made := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(made, made.Bounds(), image.White, image.Point{}, draw.Src) // under what is transparent
	draw.CatmullRom.Scale(made, made.Bounds(), picture, picture.Bounds(), draw.Over, nil)
	if err := emitImage(s, child.Image{Kind: child.ImagePoster}, made, posterQuality); err != nil {
		return err
	}
	return s.Emit(child.Event{Done: &child.Done{}})
}
