-- +goose Up
-- Who may watch a media and how its player looks. What origins read is made of these
-- rows: see package blob, Settings and PlaybackKeys.
CREATE TABLE media_settings (
  media_id      TEXT PRIMARY KEY REFERENCES media (id) ON DELETE CASCADE,
  visibility    TEXT NOT NULL DEFAULT 'public',
  domains       TEXT NOT NULL DEFAULT '', -- separated by spaces; empty: anywhere
  password_hash TEXT NOT NULL DEFAULT '', -- argon2id PHC string; empty: none
  player        TEXT NOT NULL DEFAULT '', -- JSON object; empty: as players are
  updated_at    TIMESTAMP NOT NULL,
  CONSTRAINT media_settings_visibility_known CHECK (visibility IN ('public', 'unlisted', 'signed', 'private'))
);

CREATE TABLE playback_keys (
  id         TEXT   PRIMARY KEY, -- the kid of tokens
  account_id TEXT   NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  name       TEXT   NOT NULL,
  alg        TEXT   NOT NULL,
  public_key BLOB,  -- EdDSA
  sealed     BLOB,  -- HS256: the secret, sealed
  ends_ms    BIGINT NOT NULL DEFAULT 0, -- Unix milliseconds; 0: none
  created_at TIMESTAMP NOT NULL,
  CONSTRAINT playback_keys_alg_known CHECK (alg IN ('EdDSA', 'HS256'))
);
CREATE INDEX playback_keys_by_account ON playback_keys (account_id, created_at);

CREATE TABLE share_links (
  id         TEXT   PRIMARY KEY,
  media_id   TEXT   NOT NULL REFERENCES media (id) ON DELETE CASCADE,
  name       TEXT   NOT NULL,
  expires_ms BIGINT NOT NULL,
  created_at TIMESTAMP NOT NULL
);
CREATE INDEX share_links_by_media ON share_links (media_id, created_at);
