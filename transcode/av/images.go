package av

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"io"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/vitascope/vitascope/transcode/child"
)

// Sizes and qualities of pictures.
const (
	posterSide    = 720 // short side at most
	posterQuality = 85
	posterFrames  = 16 // frames compared to find a representative one
	tileQuality   = 70
)

// posterWindow picks the frames from which the poster is chosen: those from
// 10 to 20 % of a media that is long enough for its start to be a fade-in. Of
// sparse ones, keyframes, there may be few: those from 10 % on, and the first, in case
// there is no other; no more than are compared, as each is scaled.
func posterWindow(duration time.Duration, sparse bool) string {
	if duration < 3*time.Second {
		return "null"
	}
	from, to := duration/10, duration/5
	if sparse {
		return fmt.Sprintf("select='(eq(n,0)+gte(t,%.3f))*lt(selected_n,%d)'", from.Seconds(), posterFrames)
	}
	return fmt.Sprintf("trim=start=%.3f:end=%.3f,fps=fps=%d/%d",
		from.Seconds(), to.Seconds(), posterFrames*1000, max(1, (to-from).Milliseconds()))
}

// images collects the poster and the storyboard's tiles.
type images struct {
	session *child.Session
	spec    *child.EncodeSpec

	posterDone bool
	first      *image.RGBA // stands in when no frame falls into the window
	sheet      *image.RGBA
	tiles      int
	tileW      int
	tileH      int
}

// displayed is the size of a frame as it is to be seen.
func displayed(f *astiav.Frame, t turn, in *input) (int, int) {
	return displaySize(f.Width(), f.Height(), in.format.GuessSampleAspectRatio(in.video, f), t)
}

func (i *images) posterSize(f *astiav.Frame, t turn, in *input) (int, int) {
	w, h := displayed(f, t, in)
	if short := min(w, h); short > posterSide {
		w, h = w*posterSide/short, h*posterSide/short
	}
	return even(w), even(h)
}

func (i *images) tileSize(f *astiav.Frame, t turn, in *input) (int, int) {
	w, h := displayed(f, t, in)
	width := i.spec.Storyboard.TileWidth
	return even(width), min(even((h*width+w/2)/max(1, w)), 4*width)
}

func even(n int) int { return max(2, n&^1) }

// rgb copies a frame of packed RGB.
func rgb(f *astiav.Frame) (*image.RGBA, error) {
	w, h := f.Width(), f.Height()
	packed := make([]byte, w*h*3)
	if _, err := f.ImageCopyToBuffer(packed, 1); err != nil {
		return nil, fmt.Errorf("copy picture: %w", err)
	}
	picture := image.NewRGBA(image.Rect(0, 0, w, h))
	for from, to := 0, 0; from < len(packed); from, to = from+3, to+4 {
		copy(picture.Pix[to:to+3], packed[from:from+3])
		picture.Pix[to+3] = 0xff
	}
	return picture, nil
}

// poster takes the chosen frame. More come when the window is longer than
// what is compared at once; the first is kept.
func (i *images) poster(f *astiav.Frame) error {
	if i.posterDone {
		return nil
	}
	picture, err := rgb(f)
	if err != nil {
		return err
	}
	return i.emitPoster(picture)
}

func (i *images) emitPoster(picture *image.RGBA) error {
	i.posterDone = true
	return emitImage(i.session, child.Image{Kind: child.ImagePoster}, picture, posterQuality)
}

// tile adds a thumbnail to the sheet.
func (i *images) tile(f *astiav.Frame) error {
	spec := i.spec.Storyboard
	if i.tiles >= spec.MaxTiles {
		return nil
	}
	picture, err := rgb(f)
	if err != nil {
		return err
	}
	if i.sheet == nil {
		i.first = picture
		i.tileW, i.tileH = f.Width(), f.Height()
		rows := (spec.MaxTiles + spec.Columns - 1) / spec.Columns
		i.sheet = image.NewRGBA(image.Rect(0, 0, min(spec.Columns, spec.MaxTiles)*i.tileW, rows*i.tileH))
	}
	at := image.Pt(i.tiles%spec.Columns*i.tileW, i.tiles/spec.Columns*i.tileH)
	draw.Draw(i.sheet, image.Rectangle{Min: at, Max: at.Add(image.Pt(i.tileW, i.tileH))}, picture, image.Point{}, draw.Src)
	i.tiles++
	return nil
}

func (i *images) finish() error {
	if i.spec.Poster && !i.posterDone && i.first != nil {
		if err := i.emitPoster(i.first); err != nil {
			return err
		}
	}
	if i.sheet == nil {
		return nil
	}
	columns := i.spec.Storyboard.Columns
	rows := (i.tiles + columns - 1) / columns
	used := i.sheet.SubImage(image.Rect(0, 0, min(i.tiles, columns)*i.tileW, rows*i.tileH))
	return emitImage(i.session, child.Image{Kind: child.ImageStoryboard, Tiles: i.tiles, TileHeight: i.tileH}, used, tileQuality)
}

func emitImage(s *child.Session, e child.Image, picture image.Image, quality int) error {
	e.File = e.Kind + ".jpg"
	e.Width, e.Height = picture.Bounds().Dx(), picture.Bounds().Dy()
	_, err := write(e.File, func(w io.Writer) error {
		return jpeg.Encode(w, picture, &jpeg.Options{Quality: quality})
	})
	if err != nil {
		return err
	}
	return s.Emit(child.Event{Image: &e})
}

// waveform is the poster of media without a picture: peaks over time.
type waveform struct {
	peaks []float32 // one per 1024 samples
}

const (
	waveWidth, waveHeight = 1280, 720
	waveBar, waveGap      = 6, 4
)

func (w *waveform) add(peak float32) { w.peaks = append(w.peaks, min(peak, 1)) }

func (w *waveform) emit(s *child.Session) error {
	picture := image.NewRGBA(image.Rect(0, 0, waveWidth, waveHeight))
	draw.Draw(picture, picture.Bounds(), image.NewUniform(color.RGBA{0x14, 0x18, 0x22, 0xff}), image.Point{}, draw.Src)
	bar := image.NewUniform(color.RGBA{0x6e, 0xa8, 0xfe, 0xff})
	bars := waveWidth / (waveBar + waveGap)
	for b := range bars {
		peak := float32(0)
		from := b * len(w.peaks) / bars
		for _, p := range w.peaks[from:min(len(w.peaks), max(from+1, (b+1)*len(w.peaks)/bars))] {
			peak = max(peak, p)
		}
		half := max(2, int(peak*waveHeight*0.4))
		x := b * (waveBar + waveGap)
		draw.Draw(picture, image.Rect(x, waveHeight/2-half, x+waveBar, waveHeight/2+half), bar, image.Point{}, draw.Src)
	}
	return emitImage(s, child.Image{Kind: child.ImagePoster}, picture, posterQuality)
}
