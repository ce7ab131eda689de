-- +goose Up
-- What a marketer sets on a media and what comes of it. Origins read the actions and
-- the running experiment from the object that is made of these rows, as with access.
ALTER TABLE media_settings ADD COLUMN actions TEXT NOT NULL DEFAULT ''; -- JSON list; empty: none

CREATE TABLE leads (
  id         TEXT   PRIMARY KEY,
  account_id TEXT   NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  media_id   TEXT   NOT NULL, -- no reference: people stay known when the video goes
  action_id  TEXT   NOT NULL, -- the gate that asked
  email      TEXT   NOT NULL, -- as it was written
  email_key  TEXT   NOT NULL, -- in lower case: what makes it the same
  first_name TEXT   NOT NULL DEFAULT '',
  last_name  TEXT   NOT NULL DEFAULT '',
  company    TEXT   NOT NULL DEFAULT '',
  phone      TEXT   NOT NULL DEFAULT '',
  consent    TEXT   NOT NULL DEFAULT '', -- the words that were agreed to
  page       TEXT   NOT NULL DEFAULT '', -- where the player was, without query and fragment
  view_id    TEXT   NOT NULL DEFAULT '', -- empty when the viewer opted out of being tracked
  created_ms BIGINT NOT NULL,
  CONSTRAINT leads_once UNIQUE (account_id, media_id, action_id, email_key)
);
CREATE INDEX leads_newest ON leads (account_id, created_ms, id);
CREATE INDEX leads_by_email ON leads (account_id, email_key);

-- What is to be told to webhooks: written with the change it tells of, taken out once
-- a delivery to each endpoint is queued.
CREATE TABLE outbox (
  id         TEXT   PRIMARY KEY, -- the webhook-id of its deliveries
  account_id TEXT   NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  type       TEXT   NOT NULL,
  subject    TEXT   NOT NULL, -- id of what it tells of
  data       TEXT   NOT NULL, -- JSON object; empty: made when it is taken out
  created_ms BIGINT NOT NULL
);
CREATE INDEX outbox_oldest ON outbox (created_ms, id);

CREATE TABLE webhook_endpoints (
  id               TEXT    PRIMARY KEY,
  account_id       TEXT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  url              TEXT    NOT NULL,
  name             TEXT    NOT NULL,
  types            TEXT    NOT NULL DEFAULT '', -- separated by spaces; empty: all
  sealed           BLOB    NOT NULL, -- the signing secret
  sealed_before    BLOB,             -- the one before a rotation
  before_ends_ms   BIGINT  NOT NULL DEFAULT 0,
  enabled          BOOLEAN NOT NULL DEFAULT TRUE,
  disabled_reason  TEXT    NOT NULL DEFAULT '',
  failures         INTEGER NOT NULL DEFAULT 0, -- in a row
  failing_since_ms BIGINT  NOT NULL DEFAULT 0,
  paused_until_ms  BIGINT  NOT NULL DEFAULT 0, -- the circuit is open until then
  created_ms       BIGINT  NOT NULL
);
CREATE INDEX webhook_endpoints_by_account ON webhook_endpoints (account_id, created_ms);

CREATE TABLE webhook_deliveries (
  id           TEXT    PRIMARY KEY,
  endpoint_id  TEXT    NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
  account_id   TEXT    NOT NULL,
  message_id   TEXT    NOT NULL,
  type         TEXT    NOT NULL,
  subject      TEXT    NOT NULL,
  payload      TEXT    NOT NULL,
  state        TEXT    NOT NULL,
  attempts     INTEGER NOT NULL DEFAULT 0,
  status       INTEGER NOT NULL DEFAULT 0, -- HTTP, of the last attempt; 0: no answer
  problem      TEXT    NOT NULL DEFAULT '',
  took_ms      BIGINT  NOT NULL DEFAULT 0,
  created_ms   BIGINT  NOT NULL,
  next_ms      BIGINT  NOT NULL DEFAULT 0,
  finished_ms  BIGINT  NOT NULL DEFAULT 0,
  CONSTRAINT webhook_deliveries_once UNIQUE (endpoint_id, message_id),
  CONSTRAINT webhook_deliveries_state_known CHECK (state IN ('pending', 'delivered', 'failed'))
);
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (endpoint_id, created_ms, id);
CREATE INDEX webhook_deliveries_by_subject ON webhook_deliveries (account_id, subject);

CREATE TABLE experiments (
  id               TEXT    PRIMARY KEY,
  account_id       TEXT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  media_id         TEXT    NOT NULL REFERENCES media (id) ON DELETE CASCADE, -- the one that pages embed
  name             TEXT    NOT NULL,
  kind             TEXT    NOT NULL,
  goal             TEXT    NOT NULL,
  arms             TEXT    NOT NULL, -- JSON list; the first is what there was before
  planned_visitors INTEGER NOT NULL, -- for each arm
  state            TEXT    NOT NULL,
  winner           TEXT    NOT NULL DEFAULT '', -- key of the arm that was applied
  created_ms       BIGINT  NOT NULL,
  ended_ms         BIGINT  NOT NULL DEFAULT 0,
  CONSTRAINT experiments_kind_known CHECK (kind IN ('media', 'poster', 'cta')),
  CONSTRAINT experiments_goal_known CHECK (goal IN ('plays', 'conversions')),
  CONSTRAINT experiments_state_known CHECK (state IN ('running', 'ended'))
);
CREATE UNIQUE INDEX experiments_one_running ON experiments (media_id) WHERE state = 'running';
CREATE INDEX experiments_newest ON experiments (account_id, created_ms, id);
