package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// Chunk is what one job of a ladder made: some segments of the renditions of one
// part of its plan.
type Chunk struct {
	bun.BaseModel `bun:"table:chunks,alias:c"`

	MediaID      string    `bun:"media_id,pk"`
	Generation   int       `bun:"generation,pk"`
	Part         string    `bun:"part,pk"`
	Chunk        int       `bun:"chunk,pk"`
	Attempt      int64     `bun:"attempt"` // a later attempt has a higher number
	OutputPrefix string    `bun:"output_prefix"`
	Outputs      string    `bun:"outputs"` // JSON of package transcode
	Done         bool      `bun:"done"`    // false: what there is so far
	UpdatedAt    time.Time `bun:"updated_at"`
}

// PutPlan records how a generation is encoded, unless that is known already.
func (db *DB) PutPlan(ctx context.Context, idb bun.IDB, media string, generation int, plan []byte) error {
	_, err := idb.ExecContext(ctx, `INSERT INTO plans (media_id, generation, plan) VALUES (?, ?, ?)
		ON CONFLICT (media_id, generation) DO NOTHING`, media, generation, string(plan))
	if err != nil {
		return fmt.Errorf("put plan of media %s: %w", media, err)
	}
	return nil
}

// Plan returns how a generation is encoded, or ErrNotFound before that is known.
func (db *DB) Plan(ctx context.Context, media string, generation int) ([]byte, error) {
	var plan string
	err := db.NewSelect().Table("plans").Column("plan").Where("media_id = ? AND generation = ?", media, generation).Scan(ctx, &plan)
	return []byte(plan), notFound(err, "plan of media", media)
}

// ReportChunk records what there is of a chunk, or returns ErrConflict when the
// chunk is done or, c being no more than so far, has been reported by a later
// attempt. Whoever gets nil for a chunk that is done has made it; nobody else has.
func (db *DB) ReportChunk(ctx context.Context, idb bun.IDB, c *Chunk) error {
	c.UpdatedAt = time.Now().UTC()
	res, err := idb.ExecContext(ctx, `INSERT INTO chunks (media_id, generation, part, chunk, attempt, output_prefix, outputs, done, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (media_id, generation, part, chunk) DO UPDATE SET attempt = EXCLUDED.attempt, output_prefix = EXCLUDED.output_prefix,
			outputs = EXCLUDED.outputs, done = EXCLUDED.done, updated_at = EXCLUDED.updated_at
		WHERE NOT chunks.done AND (EXCLUDED.done OR chunks.attempt <= EXCLUDED.attempt)`,
		c.MediaID, c.Generation, c.Part, c.Chunk, c.Attempt, c.OutputPrefix, c.Outputs, c.Done, c.UpdatedAt)
	return affectedOne(res, err)(fmt.Sprintf("chunk %d of %s of media %s", c.Chunk, c.Part, c.MediaID))
}

// ChunkDone tells whether a chunk has been made.
func (db *DB) ChunkDone(ctx context.Context, media string, generation int, part string, chunk int) (bool, error) {
	done, err := db.NewSelect().Model((*Chunk)(nil)).
		Where("media_id = ? AND generation = ? AND part = ? AND chunk = ? AND done", media, generation, part, chunk).Exists(ctx)
	if err != nil {
		return false, fmt.Errorf("chunk %d of %s of media %s: %w", chunk, part, media, err)
	}
	return done, nil
}

// ChunksDone returns which chunks of each part of a generation have been made.
func (db *DB) ChunksDone(ctx context.Context, media string, generation int) (map[string]map[int]bool, error) {
	var rows []Chunk
	err := db.NewSelect().Model(&rows).Column("part", "chunk").
		Where("media_id = ? AND generation = ? AND done", media, generation).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("chunks of media %s: %w", media, err)
	}
	done := map[string]map[int]bool{}
	for _, r := range rows {
		if done[r.Part] == nil {
			done[r.Part] = map[int]bool{}
		}
		done[r.Part][r.Chunk] = true
	}
	return done, nil
}

// Chunks returns what there is of a part, in order.
func (db *DB) Chunks(ctx context.Context, media string, generation int, part string) ([]Chunk, error) {
	var rows []Chunk
	err := db.NewSelect().Model(&rows).Where("media_id = ? AND generation = ? AND part = ?", media, generation, part).
		OrderExpr("chunk").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("chunks of %s of media %s: %w", part, media, err)
	}
	return rows, nil
}
