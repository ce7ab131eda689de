-- +goose Up
CREATE TABLE accounts (
  id         TEXT      PRIMARY KEY,
  name       TEXT      NOT NULL,
  created_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE users (
  id            TEXT      PRIMARY KEY,
  account_id    TEXT      NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  email         TEXT      NOT NULL,
  role          TEXT      NOT NULL,
  password_hash TEXT      NOT NULL DEFAULT '', -- argon2id PHC string; empty until a password is chosen
  created_at    TIMESTAMPTZ NOT NULL,
  CONSTRAINT users_email_unique UNIQUE (email),
  CONSTRAINT users_role_known CHECK (role IN ('admin', 'member'))
);

CREATE TABLE login_links (
  token_hash TEXT   PRIMARY KEY, -- SHA-256, hex: the token itself is shown once
  user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  expires_ms BIGINT NOT NULL
);

CREATE TABLE sessions (
  token_hash TEXT   PRIMARY KEY,
  data       BYTEA  NOT NULL,
  expires_ms BIGINT NOT NULL
);
CREATE INDEX sessions_expiry ON sessions (expires_ms);

CREATE TABLE api_tokens (
  id           TEXT      PRIMARY KEY,
  account_id   TEXT      NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  user_id      TEXT      NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name         TEXT      NOT NULL,
  token_hash   TEXT      NOT NULL,
  created_at   TIMESTAMPTZ NOT NULL,
  last_used_at TIMESTAMPTZ,
  CONSTRAINT api_tokens_hash_unique UNIQUE (token_hash)
);

CREATE TABLE media (
  id                TEXT      PRIMARY KEY,
  account_id        TEXT      NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  name              TEXT      NOT NULL,
  state             TEXT      NOT NULL,
  failure_code      TEXT      NOT NULL DEFAULT '',
  failure_reason    TEXT      NOT NULL DEFAULT '',
  failure_retryable BOOLEAN   NOT NULL DEFAULT FALSE,
  generation        INTEGER   NOT NULL DEFAULT 1,
  publication       INTEGER   NOT NULL DEFAULT 0, -- 0: nothing published yet
  source_key        TEXT      NOT NULL DEFAULT '',
  size_bytes        BIGINT    NOT NULL DEFAULT 0,
  uploaded_bytes    BIGINT    NOT NULL DEFAULT 0,
  duration_ms       BIGINT    NOT NULL DEFAULT 0,
  width             INTEGER   NOT NULL DEFAULT 0,
  height            INTEGER   NOT NULL DEFAULT 0,
  frame_rate        DOUBLE PRECISION NOT NULL DEFAULT 0,
  has_video         BOOLEAN   NOT NULL DEFAULT FALSE,
  has_audio         BOOLEAN   NOT NULL DEFAULT FALSE,
  progress          DOUBLE PRECISION NOT NULL DEFAULT 0, -- of the work in hand, 0 to 1
  poster_key        TEXT      NOT NULL DEFAULT '',
  storyboard_key    TEXT      NOT NULL DEFAULT '',
  created_at        TIMESTAMPTZ NOT NULL,
  updated_at        TIMESTAMPTZ NOT NULL,
  changed_ms        BIGINT    NOT NULL, -- drives the live feed: compared as a number, alike in both engines
  uploaded_at       TIMESTAMPTZ,
  playable_at       TIMESTAMPTZ,
  ready_at          TIMESTAMPTZ,
  deleted_at        TIMESTAMPTZ,
  CONSTRAINT media_state_known CHECK (state IN ('uploading', 'probing', 'playable', 'ready', 'failed'))
);
CREATE INDEX media_by_account ON media (account_id, created_at DESC, id);
CREATE INDEX media_changes ON media (account_id, changed_ms);

CREATE TABLE renditions (
  media_id              TEXT    NOT NULL REFERENCES media (id) ON DELETE CASCADE,
  generation            INTEGER NOT NULL,
  name                  TEXT    NOT NULL,
  kind                  TEXT    NOT NULL,
  codecs                TEXT    NOT NULL,
  width                 INTEGER NOT NULL DEFAULT 0,
  height                INTEGER NOT NULL DEFAULT 0,
  frame_rate            DOUBLE PRECISION NOT NULL DEFAULT 0,
  bandwidth_bps         BIGINT  NOT NULL DEFAULT 0,
  average_bandwidth_bps BIGINT  NOT NULL DEFAULT 0,
  output_prefix         TEXT    NOT NULL, -- the folder of the attempt that made it
  segment_count         INTEGER NOT NULL DEFAULT 0,
  ready_at              TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (media_id, generation, name),
  CONSTRAINT renditions_kind_known CHECK (kind IN ('video', 'audio'))
);

CREATE TABLE leases (
  resource   TEXT   PRIMARY KEY,
  holder     TEXT   NOT NULL,
  expires_ms BIGINT NOT NULL
);
