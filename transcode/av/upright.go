package av

import (
	"bytes"
	"image"
	"image/color"

	"github.com/bep/imagemeta"
	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"
)

// exifFormats are the formats of pictures that may carry EXIF, by the names that
// image.DecodeConfig gives them.
var exifFormats = map[string]imagemeta.ImageFormat{"jpeg": imagemeta.JPEG, "png": imagemeta.PNG, "webp": imagemeta.WebP}

// maxTags bounds what is read of a picture's metadata; the orientation is among the
// first of them.
const maxTags = 1000

// orientation is EXIF's for a picture's file, 1 to 8, and 1 where it tells none: one
// whose metadata is damaged is shown as it lies.
func orientation(raw []byte, format string) int {
	of, ok := exifFormats[format]
	if !ok {
		return 1
	}
	found := 1
	isOrientation := func(t imagemeta.TagInfo) bool { return t.Namespace == "IFD0" && t.Tag == "Orientation" }
	_, err := imagemeta.Decode(imagemeta.Options{
		R: bytes.NewReader(raw), ImageFormat: of, Sources: imagemeta.EXIF, LimitNumTags: maxTags,
		ShouldHandleTag: isOrientation,
		HandleTag: func(t imagemeta.TagInfo) error {
			if n, ok := t.Value.(uint16); ok && n >= 1 && n <= 8 && isOrientation(t) {
				found = int(n)
			}
			return imagemeta.ErrStopWalking
		},
	})
	if err != nil {
		return 1
	}
	return found
}

// fit scales a picture to its poster's size, turned upright, on white.
func fit(picture image.Image, orientation int) *image.RGBA {
	w, h := picture.Bounds().Dx(), picture.Bounds().Dy()
	wide, high := w, h
	if orientation >= 5 { // a quarter turn, with or without a mirror
		wide, high = h, w
	}
	if short := min(wide, high); short > posterSide {
		wide, high = max(1, wide*posterSide/short), max(1, high*posterSide/short)
	}
	made := image.NewRGBA(image.Rect(0, 0, wide, high))
	draw.Draw(made, made.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src) // under what is transparent
	if orientation == 1 {
		draw.CatmullRom.Scale(made, made.Bounds(), picture, picture.Bounds(), draw.Over, nil)
		return made
	}
	draw.CatmullRom.Transform(made, turning(picture.Bounds(), made.Bounds(), orientation), picture, picture.Bounds(), draw.Over, nil)
	return made
}

// turning maps points of a picture to those of its poster. With x and y from 0 to 1
// in the picture, EXIF's orientations (CIPA DC-008, 4.6.4 A) say where each is seen.
func turning(from, to image.Rectangle, orientation int) f64.Aff3 {
	// Per orientation: seen x = a*x + b*y + c, seen y = d*x + e*y + f.
	seen := map[int][6]float64{
		2: {-1, 0, 1, 0, 1, 0}, 3: {-1, 0, 1, 0, -1, 1}, 4: {1, 0, 0, 0, -1, 1},
		5: {0, 1, 0, 1, 0, 0}, 6: {0, -1, 1, 1, 0, 0}, 7: {0, -1, 1, -1, 0, 1}, 8: {0, 1, 0, -1, 0, 1},
	}[orientation]
	w, h := float64(from.Dx()), float64(from.Dy())
	wide, high := float64(to.Dx()), float64(to.Dy())
	a, b, c := wide*seen[0]/w, wide*seen[1]/h, wide*seen[2]
	d, e, f := high*seen[3]/w, high*seen[4]/h, high*seen[5]
	x, y := float64(from.Min.X), float64(from.Min.Y)
	return f64.Aff3{a, b, c - a*x - b*y, d, e, f - d*x - e*y}
}
