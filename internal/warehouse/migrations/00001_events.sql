-- +goose NO TRANSACTION
-- +goose Up

-- Every event of every accepted beacon: the truth the other tables are made
-- from. (view_id, seq) names a batch, idx an event in it; partition and offset
-- say which record of the log brought it. Times are the server's clock.
-- The deduplication window (here and below) is how many inserted blocks the
-- table remembers by insert_deduplication_token: a batch the sink repeats after
-- a crash must still be among them. Inserts are synced, because the sink's
-- position is kept here too: power loss must not take rows and leave the position.
CREATE TABLE IF NOT EXISTS events
(
    account_id LowCardinality(String),
    media_id String,
    view_id UUID,
    seq UInt32,
    idx UInt16,
    kind LowCardinality(String),
    at DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
    received_at DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
    partition UInt16,
    offset UInt64 CODEC(DoubleDelta, LZ4),
    visitor String,
    page_url String,
    referrer String,
    utm_source LowCardinality(String),
    utm_medium LowCardinality(String),
    utm_campaign LowCardinality(String),
    language LowCardinality(String),
    player_width UInt16,
    player_height UInt16,
    country LowCardinality(String),
    device LowCardinality(String),
    browser LowCardinality(String),
    os LowCardinality(String),
    bot Bool,
    duration_ms UInt32,
    pos_ms UInt32,
    from_ms UInt32,
    to_ms UInt32,
    rate Float32,
    repeat Bool,
    autoplay Bool,
    took_ms UInt32,
    code LowCardinality(String),
    fatal Bool,
    message String
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (account_id, media_id, view_id, seq, idx)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- One row per view once merged, engagement and quality together. Each batch
-- adds a partial row; every column merges in any order (sum, min, max), so
-- readers group by the key and aggregate.
CREATE TABLE IF NOT EXISTS views
(
    account_id LowCardinality(String),
    media_id String,
    view_id UUID,
    started_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_seen_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    visitor SimpleAggregateFunction(max, String),
    page_url SimpleAggregateFunction(max, String),
    referrer SimpleAggregateFunction(max, String),
    utm_source SimpleAggregateFunction(max, String),
    utm_medium SimpleAggregateFunction(max, String),
    utm_campaign SimpleAggregateFunction(max, String),
    language SimpleAggregateFunction(max, String),
    country SimpleAggregateFunction(max, String),
    device SimpleAggregateFunction(max, String),
    browser SimpleAggregateFunction(max, String),
    os SimpleAggregateFunction(max, String),
    bot SimpleAggregateFunction(max, UInt8),
    duration_ms SimpleAggregateFunction(max, UInt32),
    batches SimpleAggregateFunction(sum, UInt64),
    loads SimpleAggregateFunction(sum, UInt64),
    plays SimpleAggregateFunction(sum, UInt64),
    autoplays SimpleAggregateFunction(sum, UInt64),
    pauses SimpleAggregateFunction(sum, UInt64),
    seeks SimpleAggregateFunction(sum, UInt64),
    ends SimpleAggregateFunction(sum, UInt64),
    watched_ms SimpleAggregateFunction(sum, UInt64),
    rewatched_ms SimpleAggregateFunction(sum, UInt64),
    max_watched_to_ms SimpleAggregateFunction(max, UInt32),
    startups SimpleAggregateFunction(sum, UInt64),
    startup_ms SimpleAggregateFunction(sum, UInt64),
    rebuffers SimpleAggregateFunction(sum, UInt64),
    rebuffer_ms SimpleAggregateFunction(sum, UInt64),
    errors SimpleAggregateFunction(sum, UInt64),
    fatal_errors SimpleAggregateFunction(sum, UInt64)
)
ENGINE = AggregatingMergeTree
ORDER BY (account_id, media_id, view_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    index_granularity = 1024;

-- Heatmaps: +1 at the first second an interval covers, -1 after the last, so a
-- running sum over cell counts how often each second was watched and costs the
-- same whatever the number of intervals. kind is first or repeat. Views of bots
-- are left out.
CREATE TABLE IF NOT EXISTS heat
(
    account_id LowCardinality(String),
    media_id String,
    kind LowCardinality(String),
    cell UInt32,
    delta Int64
)
ENGINE = SummingMergeTree(delta)
ORDER BY (account_id, media_id, kind, cell)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    index_granularity = 1024;

-- Where each partition of the log stands: the newest batch begun and the newest
-- done. epoch counts how often the log began anew below offsets already read;
-- version is epoch and first as one number, so that the newest row stays.
CREATE TABLE IF NOT EXISTS sink_batches
(
    topic LowCardinality(String),
    partition UInt16,
    state LowCardinality(String),
    version UInt64,
    epoch UInt32,
    first UInt64,
    last UInt64,
    holder String,
    at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (topic, partition, state)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
