-- +goose Up
-- The multivariant playlist of the newest publication; empty before the first, and
-- for those of releases that knew it by its number.
ALTER TABLE media ADD COLUMN multivariant_key TEXT NOT NULL DEFAULT '';
-- What the newest publication holds: the source, a rung that still grows, complete
-- rungs, or the whole ladder.
ALTER TABLE media ADD COLUMN extent TEXT NOT NULL DEFAULT '' CONSTRAINT media_extent_known CHECK (extent IN ('', 'source', 'growing', 'rungs', 'whole'));

CREATE TABLE plans (
  media_id   TEXT    NOT NULL REFERENCES media (id) ON DELETE CASCADE,
  generation INTEGER NOT NULL,
  plan       TEXT    NOT NULL, -- JSON of transcode.Plan: fixed before the first chunk
  PRIMARY KEY (media_id, generation)
);

CREATE TABLE chunks (
  media_id      TEXT    NOT NULL REFERENCES media (id) ON DELETE CASCADE,
  generation    INTEGER NOT NULL,
  part          TEXT    NOT NULL, -- of the plan: renditions that are made together
  chunk         INTEGER NOT NULL,
  attempt       BIGINT  NOT NULL, -- the later has the higher number
  output_prefix TEXT    NOT NULL, -- the folder of the attempt that made it
  outputs       TEXT    NOT NULL, -- JSON of transcode's outputs: segments, digests of init segments
  done          BOOLEAN NOT NULL, -- FALSE: what there is so far
  updated_at    TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (media_id, generation, part, chunk)
);
