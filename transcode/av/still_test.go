package av_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/transcode/child"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

// telephone is a JPEG of 1600x900 with the EXIF that a telephone writes: the turn, a
// description and the place. Its top left quarter is red, its top right one green.
func telephone(t *testing.T, orientation uint16) []byte {
	t.Helper()
	picture := image.NewRGBA(image.Rect(0, 0, 1600, 900))
	draw.Draw(picture, image.Rect(0, 0, 800, 450), image.NewUniform(color.RGBA{R: 255, A: 255}), image.Point{}, draw.Src)
	draw.Draw(picture, image.Rect(800, 0, 1600, 450), image.NewUniform(color.RGBA{G: 255, A: 255}), image.Point{}, draw.Src)
	var plain bytes.Buffer
	require.NoError(t, jpeg.Encode(&plain, picture, nil))

	entry := func(tag, kind uint16, count uint32, value []byte) []byte {
		e := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, tag), kind), count)
		return append(append(e, value...), make([]byte, 4-len(value))...)
	}
	u32 := func(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }
	const directory = 8 + 2 + 3*12 + 4
	const place = "the garden at home\x00"
	tiff := append([]byte("II*\x00\x08\x00\x00\x00"), 3, 0)
	tiff = append(tiff, entry(0x010e, 2, uint32(len(place)), u32(directory))...)
	tiff = append(tiff, entry(0x0112, 3, 1, binary.LittleEndian.AppendUint16(nil, orientation))...)
	tiff = append(tiff, entry(0x8825, 4, 1, u32(directory+uint32(len(place))))...)
	tiff = append(append(tiff, 0, 0, 0, 0), place...)
	tiff = append(append(tiff, 1, 0), entry(0x0001, 2, 2, []byte("N\x00"))...)
	tiff = append(tiff, 0, 0, 0, 0)
	exif := append([]byte("Exif\x00\x00"), tiff...)
	marker := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(exif)+2))
	return append(append([]byte{0xff, 0xd8}, append(marker, exif...)...), plain.Bytes()[2:]...)
}

func poster(t *testing.T, content []byte) (image.Image, []byte) {
	t.Helper()
	out, err := mediatest.Run(t, child.Job{Op: child.OpPicture}, file(t, "upload", content))
	require.NoError(t, err)
	raw, err := os.ReadFile(filepath.Join(out.Dir, out.Images[child.ImagePoster].File))
	require.NoError(t, err)
	made, err := jpeg.Decode(bytes.NewReader(raw))
	require.NoError(t, err)
	return made, raw
}

// TestAnUploadedPictureIsShownUprightAndTellsNothing has a picture in each of EXIF's
// orientations, named by where its row 0 and column 0 are seen (CIPA DC-008, 4.6.4).
func TestAnUploadedPictureIsShownUprightAndTellsNothing(t *testing.T) {
	t.Parallel()
	wide, high := image.Pt(1280, 720), image.Pt(720, 1280)
	for orientation, want := range []struct {
		size       image.Point
		red, green string
	}{
		0: {wide, "top left", "top right"}, // no such value
		1: {wide, "top left", "top right"},
		2: {wide, "top right", "top left"},
		3: {wide, "bottom right", "bottom left"},
		4: {wide, "bottom left", "bottom right"},
		5: {high, "top left", "bottom left"},
		6: {high, "top right", "bottom right"},
		7: {high, "bottom right", "top right"},
		8: {high, "bottom left", "top left"},
		9: {wide, "top left", "top right"},
	} {
		t.Run(fmt.Sprintf("orientation %d", orientation), func(t *testing.T) {
			t.Parallel()
			made, raw := poster(t, telephone(t, uint16(orientation)))
			require.Equal(t, want.size, made.Bounds().Size())
			seen := map[string]string{}
			for name, at := range map[string]image.Point{
				"top left": want.size.Div(4), "bottom right": want.size.Div(4).Mul(3),
				"top right":   image.Pt(want.size.X*3/4, want.size.Y/4),
				"bottom left": image.Pt(want.size.X/4, want.size.Y*3/4),
			} {
				switch r, g, _, _ := made.At(at.X, at.Y).RGBA(); {
				case r > 0xe000 && g < 0x2000:
					seen["red"] = name
				case g > 0xe000 && r < 0x2000:
					seen["green"] = name
				}
			}
			require.Equal(t, map[string]string{"red": want.red, "green": want.green}, seen)
			require.NotContains(t, string(raw), "Exif")
			require.NotContains(t, string(raw), "garden")
		})
	}
	t.Run("with EXIF that is cut off", func(t *testing.T) {
		t.Parallel()
		whole := telephone(t, 6)
		at := bytes.Index(whole, []byte("II*\x00"))
		copy(whole[at+4:], "\xff\xff\xff\x7f") // the directory lies outside
		made, _ := poster(t, whole)
		require.Equal(t, wide, made.Bounds().Size())
	})
}
