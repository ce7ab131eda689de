-- +goose Up
-- What an audio rendition is chosen by, and the I-frame playlist of a video one.
ALTER TABLE renditions ADD COLUMN language TEXT NOT NULL DEFAULT ''; -- BCP 47
ALTER TABLE renditions ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE renditions ADD COLUMN channels INTEGER NOT NULL DEFAULT 0;
ALTER TABLE renditions ADD COLUMN is_default BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE renditions ADD COLUMN described BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE renditions ADD COLUMN iframe_bandwidth_bps BIGINT NOT NULL DEFAULT 0; -- 0: no such playlist

ALTER TABLE media ADD COLUMN poster_chosen BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE media ADD COLUMN preview_key TEXT NOT NULL DEFAULT '';
ALTER TABLE media ADD COLUMN chapters TEXT NOT NULL DEFAULT ''; -- JSON; empty: none
ALTER TABLE media ADD COLUMN chapters_edited BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE captions (
  media_id   TEXT      NOT NULL REFERENCES media (id) ON DELETE CASCADE,
  language   TEXT      NOT NULL, -- BCP 47
  file_id    TEXT      NOT NULL, -- names its objects; a new text has a new one
  label      TEXT      NOT NULL,
  kind       TEXT      NOT NULL,
  is_default BOOLEAN   NOT NULL DEFAULT FALSE,
  origin     TEXT      NOT NULL,
  cues       INTEGER   NOT NULL,
  size_bytes BIGINT    NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (media_id, language),
  CONSTRAINT captions_kind_known CHECK (kind IN ('captions', 'subtitles')),
  CONSTRAINT captions_origin_known CHECK (origin IN ('upload', 'source'))
);
