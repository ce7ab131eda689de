package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// The kinds of rendition.
const (
	RenditionVideo = "video"
	RenditionAudio = "audio"
)

// Rendition is one finished rung of the ladder or one audio track.
type Rendition struct {
	bun.BaseModel `bun:"table:renditions,alias:r"`

	MediaID             string    `bun:"media_id,pk"`
	Generation          int       `bun:"generation,pk"`
	Name                string    `bun:"name,pk"` // "v720", "a0", or "source" while that is served as it is
	Kind                string    `bun:"kind"`    // RenditionVideo or RenditionAudio
	Codecs              string    `bun:"codecs"`  // RFC 6381
	Width               int       `bun:"width"`
	Height              int       `bun:"height"`
	FrameRate           float64   `bun:"frame_rate"`
	BandwidthBPS        int       `bun:"bandwidth_bps"`         // peak segment rate
	AverageBandwidthBPS int       `bun:"average_bandwidth_bps"` // over the whole rendition
	OutputPrefix        string    `bun:"output_prefix"`         // object folder, with trailing slash
	SegmentCount        int       `bun:"segment_count"`
	Language            string    `bun:"language"`             // BCP 47, empty when unknown; of audio, as the next four
	Label               string    `bun:"label"`                // what a menu shows
	Channels            int       `bun:"channels"`             // 0 for video
	IsDefault           bool      `bun:"is_default"`           // plays unless another is chosen
	Described           bool      `bun:"described"`            // tells what is to be seen
	IframeBandwidthBPS  int       `bun:"iframe_bandwidth_bps"` // peak of the I-frame playlist; 0 when there is none
	ReadyAt             time.Time `bun:"ready_at"`
}

// PutRendition records a finished rendition, replacing an earlier attempt's.
func (db *DB) PutRendition(ctx context.Context, idb bun.IDB, r *Rendition) error {
	r.ReadyAt = time.Now().UTC()
	_, err := idb.NewInsert().Model(r).On("CONFLICT (media_id, generation, name) DO UPDATE").
		Set("kind = EXCLUDED.kind").Set("codecs = EXCLUDED.codecs").
		Set("width = EXCLUDED.width").Set("height = EXCLUDED.height").Set("frame_rate = EXCLUDED.frame_rate").
		Set("bandwidth_bps = EXCLUDED.bandwidth_bps").Set("average_bandwidth_bps = EXCLUDED.average_bandwidth_bps").
		Set("output_prefix = EXCLUDED.output_prefix").Set("segment_count = EXCLUDED.segment_count").
		Set("language = EXCLUDED.language").Set("label = EXCLUDED.label").Set("channels = EXCLUDED.channels").
		Set("is_default = EXCLUDED.is_default").Set("described = EXCLUDED.described").
		Set("iframe_bandwidth_bps = EXCLUDED.iframe_bandwidth_bps").
		Set("ready_at = EXCLUDED.ready_at").Exec(ctx)
	if err != nil {
		return fmt.Errorf("put rendition %s of media %s: %w", r.Name, r.MediaID, err)
	}
	return nil
}

// RemoveRendition forgets a rendition that no publication is made of any more.
func (db *DB) RemoveRendition(ctx context.Context, idb bun.IDB, media string, generation int, name string) error {
	_, err := idb.NewDelete().Model((*Rendition)(nil)).
		Where("media_id = ? AND generation = ? AND name = ?", media, generation, name).Exec(ctx)
	if err != nil {
		return fmt.Errorf("remove rendition %s of media %s: %w", name, media, err)
	}
	return nil
}

// Renditions returns the finished renditions of a generation, video before audio,
// smallest first.
func (db *DB) Renditions(ctx context.Context, idb bun.IDB, media string, generation int) ([]Rendition, error) {
	var list []Rendition
	err := idb.NewSelect().Model(&list).Where("media_id = ? AND generation = ?", media, generation).
		OrderExpr("kind DESC, width * height, length(name), name").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("renditions of media %s: %w", media, err)
	}
	return list, nil
}
