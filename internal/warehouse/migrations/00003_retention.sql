-- +goose NO TRANSACTION
-- +goose Up

-- For how many days an account keeps views and what led to them; 0 or no row is
-- for ever. The newest row of an account counts.
CREATE TABLE IF NOT EXISTS retention
(
    account_id String,
    days UInt32,
    set_at DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(set_at)
ORDER BY account_id
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
