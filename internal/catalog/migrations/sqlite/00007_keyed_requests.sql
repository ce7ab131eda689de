-- +goose Up
-- Requests that were sent with an Idempotency-Key, and what came of them: a repeat is
-- answered from here. Package idempotency says what is kept.
CREATE TABLE keyed_requests (
  account_id  TEXT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  request_key TEXT    NOT NULL, -- as the client chose it
  fingerprint TEXT    NOT NULL, -- hash of who asked for what
  holder      TEXT    NOT NULL, -- the attempt that may say what came of it
  expires_ms  BIGINT  NOT NULL, -- until then the attempt has the key to itself, or its answer is kept
  status      INTEGER NOT NULL DEFAULT 0, -- HTTP; 0: still running
  headers     TEXT    NOT NULL DEFAULT '', -- JSON object
  body        BLOB,             -- null: the answer was not one to keep
  CONSTRAINT keyed_requests_once PRIMARY KEY (account_id, request_key)
);
CREATE INDEX keyed_requests_by_end ON keyed_requests (expires_ms);
