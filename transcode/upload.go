package transcode

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path"
	"strings"
	"time"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/catalog"
	"github.com/vitascope/vitascope/transcode/child"
)

// The content types of published objects.
const (
	typeMP4      = "video/mp4"
	typePlaylist = "application/vnd.apple.mpegurl"
	typeVTT      = "text/vtt"
	typeJPEG     = "image/jpeg"
)

// progressEvery is how often progress reaches the catalog.
const progressEvery = time.Second

// uploader takes a child's events: files go to the object store under prefix,
// and what is told about them is kept for the playlists.
type uploader struct {
	service *Service
	media   catalog.Media
	prefix  string
	// base and share place this pass in the media's progress.
	base, share float64

	outputs  map[string]*output
	images   map[string]child.Image
	texts    []text
	done     *child.Done
	reported time.Time
}

// Handle stores the file of an event before it returns.
func (u *uploader) Handle(ctx context.Context, e child.Event, file *os.File) error {
	switch {
	case e.Init != nil:
		u.outputs[e.Init.Rendition] = &output{init: *e.Init}
		return u.put(ctx, e.Init.File, file)
	case e.Segment != nil:
		o := u.outputs[e.Segment.Rendition]
		o.segments = append(o.segments, *e.Segment)
		return u.put(ctx, e.Segment.File, file)
	case e.Image != nil:
		u.images[e.Image.Kind] = *e.Image
		return u.put(ctx, e.Image.File, file)
	case e.Text != nil:
		return u.takeText(ctx, *e.Text, file)
	case e.Progress != nil:
		u.progress(ctx, e.Progress.Fraction)
	case e.Done != nil:
		u.done = e.Done
	}
	return nil
}

func (u *uploader) put(ctx context.Context, name string, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	kind := typeMP4
	if strings.HasSuffix(name, ".jpg") {
		kind = typeJPEG
	}
	return u.service.store.Put(ctx, u.prefix+name, file, info.Size(), kind)
}

// progress is for watching only: when it cannot be recorded, work goes on.
func (u *uploader) progress(ctx context.Context, fraction float64) {
	if time.Since(u.reported) < progressEvery {
		return
	}
	u.reported = time.Now()
	if err := u.service.db.UpdateProgress(ctx, u.media.ID, u.media.Generation, u.base+u.share*fraction); err != nil {
		u.service.log.WarnContext(ctx, "progress not recorded", slog.String("media_id", u.media.ID), "err", err)
	}
}

// finish stores playlists and the storyboard's index, and describes what was
// made as catalog rows.
func (u *uploader) finish(ctx context.Context, spec child.EncodeSpec) ([]catalog.Rendition, error) {
	var rows []catalog.Rendition
	for _, r := range spec.Rungs {
		row, err := u.rendition(ctx, r.Name, catalog.RenditionVideo)
		if err != nil {
			return nil, err
		}
		row.Width, row.Height, row.FrameRate = r.Width, r.Height, spec.FrameRate.Float64()
		rows = append(rows, row)
	}
	for _, a := range spec.Audio {
		if o := u.outputs[a.Name]; o == nil || len(o.segments) == 0 {
			continue // a track without sound
		}
		row, err := u.rendition(ctx, a.Name, catalog.RenditionAudio)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	if image, ok := u.images[child.ImageStoryboard]; ok && spec.Storyboard != nil {
		vtt := storyboardVTT(*spec.Storyboard, image, time.Duration(u.done.DurationMS)*time.Millisecond)
		if err := u.service.store.PutBytes(ctx, u.storyboardKey(), vtt, typeVTT); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (u *uploader) rendition(ctx context.Context, name, kind string) (catalog.Rendition, error) {
	o := u.outputs[name]
	if o == nil || len(o.segments) == 0 {
		return catalog.Rendition{}, fmt.Errorf("%w: rendition %s is missing", child.ErrProtocol, name)
	}
	playlist, err := mediaPlaylist(o)
	if err != nil {
		return catalog.Rendition{}, err
	}
	folder := u.prefix + name + "/"
	if err := u.service.store.PutBytes(ctx, playlistKey(folder), playlist, typePlaylist); err != nil {
		return catalog.Rendition{}, err
	}
	peak, average := o.rates()
	return catalog.Rendition{
		MediaID: u.media.ID, Generation: u.media.Generation, Name: name, Kind: kind, Codecs: o.init.Codecs,
		BandwidthBPS: peak, AverageBandwidthBPS: average, OutputPrefix: folder, SegmentCount: len(o.segments),
	}, nil
}

// playlistKey is a rendition's media playlist in its folder.
func playlistKey(folder string) string { return path.Join(folder, "index.m3u8") }

func (u *uploader) posterKey() string {
	if _, ok := u.images[child.ImagePoster]; !ok {
		return ""
	}
	return u.prefix + "poster.jpg"
}

func (u *uploader) storyboardKey() string {
	if _, ok := u.images[child.ImageStoryboard]; !ok {
		return ""
	}
	return u.prefix + "storyboard.vtt"
}

// attempt names what one run of one job writes. Job and attempt together are
// never used twice, so a late worker is fenced from every other.
func attempt(jobID int64, number int) string { return fmt.Sprintf("%d%02d", jobID, number) }

func newUploader(s *Service, m catalog.Media, attempt string) *uploader {
	return &uploader{
		service: s, media: m, prefix: blob.OutputPrefix(m.AccountID, m.ID, m.Generation, attempt),
		outputs: map[string]*output{}, images: map[string]child.Image{},
	}
}
