-- +goose Up
-- What an account may keep, checked before the first byte of an upload. An account
-- without a row may keep what fits.
CREATE TABLE quotas (
  account_id TEXT   PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
  max_bytes  BIGINT NOT NULL, -- of the originals together
  max_files  BIGINT NOT NULL,
  CONSTRAINT quotas_not_negative CHECK (max_bytes >= 0 AND max_files >= 0)
);
