-- +goose NO TRANSACTION
-- +goose Up

-- The batch of the event was packed as the viewer left. A row of a release that
-- did not know reads as one of a viewer who stayed.
ALTER TABLE events ADD COLUMN IF NOT EXISTS leaving Bool;
