package transcode

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"strings"
	"time"

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
// and what is told about them is kept for the chunk's row.
type uploader struct {
	service *Service
	media   catalog.Media
	plan    *Plan
	part    *Part
	chunk   int
	attempt string
	prefix  string

	made     outputs
	texts    []text
	base     float64 // progress of the media without this chunk
	reported time.Time
	shown    bool // something has been offered for showing before the chunk is done
	length   float64
}

func newUploader(s *Service, m catalog.Media, plan *Plan, part *Part, chunk int, number string) *uploader {
	return &uploader{
		service: s, media: m, plan: plan, part: part, chunk: chunk, attempt: number, prefix: outputPrefix(m, number),
		made: outputs{Renditions: map[string]*madeSegments{}, Images: map[string]child.Image{}},
	}
}

// Handle stores the file of an event before it returns.
func (u *uploader) Handle(ctx context.Context, e child.Event, file *os.File) error {
	switch {
	case e.Init != nil:
		return u.init(ctx, e.Init, file)
	case e.Segment != nil:
		r := u.made.Renditions[e.Segment.Rendition]
		if len(r.Segments) == 0 {
			r.First = e.Segment.N
		}
		r.Segments = append(r.Segments, [2]int64{e.Segment.Duration, e.Segment.Bytes})
		r.Iframes = append(r.Iframes, e.Segment.Iframes)
		if err := u.put(ctx, e.Segment.File, file); err != nil {
			return err
		}
		return u.grown(ctx, r)
	case e.Image != nil:
		u.made.Images[e.Image.Kind] = *e.Image
		return u.put(ctx, e.Image.File, file)
	case e.Text != nil:
		return u.takeText(ctx, *e.Text, file)
	case e.Progress != nil:
		u.progress(ctx, e.Progress.Fraction)
	case e.Done != nil:
		if left := e.Done.LevelLeft; left != "" {
			u.service.log.InfoContext(ctx, "loudness is left as it is", "media_id", u.media.ID, "reason", left)
		}
		u.made.DurationMS, u.made.Damaged = e.Done.DurationMS, e.Done.Damaged
	}
	return nil
}

func (u *uploader) init(ctx context.Context, i *child.Init, file *os.File) error {
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return fmt.Errorf("read %s: %w", i.File, err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read %s: %w", i.File, err)
	}
	u.made.Renditions[i.Rendition] = &madeSegments{Codecs: i.Codecs, Timescale: i.Timescale, Digest: hex.EncodeToString(sum.Sum(nil))}
	return u.put(ctx, i.File, file)
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

// growth is by how much what is shown must grow to be shown anew: there are few
// publications, and who watches from the start never waits.
const growth = 1.25

// grown offers what there is so far of an early part for showing.
func (u *uploader) grown(ctx context.Context, r *madeSegments) error {
	if !u.part.Early {
		return nil
	}
	ticks := int64(0)
	for _, s := range r.Segments {
		ticks += s[0]
	}
	length := float64(ticks) / float64(r.Timescale)
	if u.length > 0 && length < growth*u.length {
		return nil
	}
	u.length, u.shown = length, true
	err := u.service.db.ReportChunk(ctx, u.service.db, u.row(false))
	if err != nil {
		return ignoreConflict(err) // someone else's counts: whose, the end will show
	}
	return u.service.advance(ctx, u.media, u.plan, u.attempt)
}

// row describes what has been made.
func (u *uploader) row(done bool) *catalog.Chunk {
	text, err := json.Marshal(u.made)
	if err != nil {
		panic(err) // numbers and strings
	}
	return &catalog.Chunk{
		MediaID: u.media.ID, Generation: u.media.Generation, Part: u.part.Name, Chunk: u.chunk,
		Attempt: attemptNumber(u.attempt), OutputPrefix: u.prefix, Outputs: string(text), Done: done,
	}
}

// findProgress reads how far the other chunks are.
func (u *uploader) findProgress(ctx context.Context) error {
	done, err := u.service.db.ChunksDone(ctx, u.media.ID, u.media.Generation)
	u.base = u.plan.progress(done)
	return err
}

// progress is for watching only: when it cannot be recorded, work goes on.
func (u *uploader) progress(ctx context.Context, fraction float64) {
	if time.Since(u.reported) < progressEvery {
		return
	}
	u.reported = time.Now()
	if err := u.service.db.UpdateProgress(ctx, u.media.ID, u.media.Generation, u.base+u.plan.share(u.part)*fraction); err != nil {
		u.service.log.WarnContext(ctx, "progress not recorded", slog.String("media_id", u.media.ID), "err", err)
	}
}

// finish checks that all is there, and stores the storyboard's index.
func (u *uploader) finish(ctx context.Context) error {
	for _, r := range u.part.Spec.Rungs {
		if u.made.Renditions[r.Name] == nil {
			return fmt.Errorf("%w: rendition %s is missing", child.ErrProtocol, r.Name)
		}
	}
	image, ok := u.made.Images[child.ImageStoryboard]
	if !ok || u.part.Spec.Storyboard == nil {
		return nil
	}
	vtt := storyboardVTT(*u.part.Spec.Storyboard, image, u.plan.duration())
	return u.service.store.PutBytes(ctx, u.prefix+storyboardName, vtt, typeVTT)
}

// The names of images in an attempt's folder.
const (
	posterName     = "poster.jpg"
	storyboardName = "storyboard.vtt"
)

// imageKeys are those of the poster and the storyboard, empty for what there is not.
func (o *outputs) imageKeys(prefix string) (poster, storyboard string) {
	if _, ok := o.Images[child.ImagePoster]; ok {
		poster = prefix + posterName
	}
	if _, ok := o.Images[child.ImageStoryboard]; ok {
		storyboard = prefix + storyboardName
	}
	return poster, storyboard
}

// playlistKey is a rendition's media playlist in its folder.
func playlistKey(folder string) string { return path.Join(folder, "index.m3u8") }
