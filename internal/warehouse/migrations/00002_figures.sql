-- +goose NO TRANSACTION
-- +goose Up

-- The rest of beacon schema version 1. A row of the first release reads as one
-- whose player said nothing of these. page is page_url without query and
-- fragment, referrer_host the host of referrer.
ALTER TABLE events
    ADD COLUMN IF NOT EXISTS identity String AFTER visitor,
    ADD COLUMN IF NOT EXISTS page String AFTER page_url,
    ADD COLUMN IF NOT EXISTS referrer_host String AFTER referrer,
    ADD COLUMN IF NOT EXISTS utm_term LowCardinality(String) AFTER utm_campaign,
    ADD COLUMN IF NOT EXISTS utm_content LowCardinality(String) AFTER utm_term,
    ADD COLUMN IF NOT EXISTS variant LowCardinality(String) AFTER utm_content,
    ADD COLUMN IF NOT EXISTS screen_width UInt16 AFTER language,
    ADD COLUMN IF NOT EXISTS screen_height UInt16 AFTER screen_width,
    ADD COLUMN IF NOT EXISTS bot_reason LowCardinality(String) AFTER bot,
    ADD COLUMN IF NOT EXISTS opted_out Bool AFTER bot_reason,
    ADD COLUMN IF NOT EXISTS muted Bool,
    ADD COLUMN IF NOT EXISTS fullscreen Bool,
    ADD COLUMN IF NOT EXISTS hidden Bool,
    ADD COLUMN IF NOT EXISTS height UInt16,
    ADD COLUMN IF NOT EXISTS bitrate_bps UInt64,
    ADD COLUMN IF NOT EXISTS shift LowCardinality(String),
    ADD COLUMN IF NOT EXISTS played_ms UInt32,
    ADD COLUMN IF NOT EXISTS frames UInt64,
    ADD COLUMN IF NOT EXISTS dropped_frames UInt64,
    ADD COLUMN IF NOT EXISTS upscale_avg_pct Float32,
    ADD COLUMN IF NOT EXISTS upscale_max_pct Float32,
    ADD COLUMN IF NOT EXISTS downscale_avg_pct Float32,
    ADD COLUMN IF NOT EXISTS downscale_max_pct Float32,
    ADD COLUMN IF NOT EXISTS receipt UInt64,
    ADD COLUMN IF NOT EXISTS requests UInt32,
    ADD COLUMN IF NOT EXISTS failed UInt32,
    ADD COLUMN IF NOT EXISTS bytes UInt64,
    ADD COLUMN IF NOT EXISTS ttfb_ms UInt64,
    ADD COLUMN IF NOT EXISTS buffer_ms UInt64,
    ADD COLUMN IF NOT EXISTS throughput_bps UInt64,
    ADD COLUMN IF NOT EXISTS severity LowCardinality(String),
    ADD COLUMN IF NOT EXISTS action_type LowCardinality(String),
    ADD COLUMN IF NOT EXISTS action_id String,
    ADD COLUMN IF NOT EXISTS action_verb LowCardinality(String),
    ADD COLUMN IF NOT EXISTS content String;

-- Derived tables of the first release; POST /v1/stats/rebuilds fills the new ones
-- from events.
DROP TABLE IF EXISTS views;
DROP TABLE IF EXISTS heat;

-- One row per view once merged, engagement and quality together. Each batch
-- adds a partial row; every column merges in any order (sum, min, max, append),
-- so readers say FINAL.
--
-- opened_at is the time in the view's id, which the server issued when the
-- player was shown (UUID version 7): it is the same in every batch of a view, no
-- viewer's clock has a part in it, and it is the time by which views are counted.
-- first_lo[i], first_hi[i] are the seconds one interval covered, half-open, for
-- the first time; again_lo, again_hi those it covered again. A filtered heatmap
-- is their sum over the views that pass. What arrives with the marks of a bot
-- is kept apart from what else arrives for the same view.
CREATE TABLE IF NOT EXISTS views
(
    account_id LowCardinality(String),
    media_id String CODEC(ZSTD(1)),
    opened_at DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
    view_id UUID,
    bot UInt8,
    started_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')) CODEC(DoubleDelta, LZ4),
    last_seen_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(DoubleDelta, LZ4),
    visitor SimpleAggregateFunction(max, String),
    identity SimpleAggregateFunction(max, String),
    page_url SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    page SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    referrer SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    referrer_host SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    utm_source SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    utm_medium SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    utm_campaign SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    utm_term SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    utm_content SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    variant SimpleAggregateFunction(max, LowCardinality(String)),
    language SimpleAggregateFunction(max, LowCardinality(String)),
    country SimpleAggregateFunction(max, LowCardinality(String)),
    device SimpleAggregateFunction(max, LowCardinality(String)),
    browser SimpleAggregateFunction(max, LowCardinality(String)),
    os SimpleAggregateFunction(max, LowCardinality(String)),
    bot_reason SimpleAggregateFunction(max, LowCardinality(String)),
    opted_out SimpleAggregateFunction(max, UInt8),
    duration_ms SimpleAggregateFunction(max, UInt32) CODEC(T64, LZ4),
    player_width SimpleAggregateFunction(max, UInt16),
    player_height SimpleAggregateFunction(max, UInt16),
    screen_width SimpleAggregateFunction(max, UInt16),
    screen_height SimpleAggregateFunction(max, UInt16),
    batches SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    loads SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    plays SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    autoplays SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    pauses SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    seeks SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    ends SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    rate_changes SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    watched_ms SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    rewatched_ms SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    playing_ms SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    muted_ms SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    fullscreen_ms SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    hidden_ms SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    max_watched_to_ms SimpleAggregateFunction(max, UInt32) CODEC(T64, LZ4),
    first_lo SimpleAggregateFunction(groupArrayArray, Array(UInt32)),
    first_hi SimpleAggregateFunction(groupArrayArray, Array(UInt32)),
    again_lo SimpleAggregateFunction(groupArrayArray, Array(UInt32)),
    again_hi SimpleAggregateFunction(groupArrayArray, Array(UInt32)),
    first_spans SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    again_spans SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    startups SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    startup_ms SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    played_at_ms SimpleAggregateFunction(min, Int64) DEFAULT 9223372036854775807,
    rebuffers SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    rebuffer_ms SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    seek_waits SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    seek_wait_ms SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    upshifts SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    downshifts SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    top_height SimpleAggregateFunction(max, UInt16),
    errors SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    fatal_errors SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    business_errors SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    error_code SimpleAggregateFunction(max, LowCardinality(String)),
    sampled_ms SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    bitrate_ms SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    upscale_ms SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    upscale_max SimpleAggregateFunction(max, UInt32) CODEC(T64, LZ4),
    downscale_ms SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    downscale_max SimpleAggregateFunction(max, UInt32) CODEC(T64, LZ4),
    frames SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    dropped_frames SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    requests SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    requests_failed SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    request_bytes SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    ttfb_ms SimpleAggregateFunction(sum, UInt64) CODEC(T64, LZ4),
    -- type, id and verb of each action, separated by U+001F
    actions SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    INDEX visitors visitor TYPE bloom_filter(0.01) GRANULARITY 8,
    INDEX identities identity TYPE bloom_filter(0.01) GRANULARITY 8
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(opened_at)
ORDER BY (account_id, media_id, opened_at, view_id, bot)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    index_granularity = 1024;

-- Heatmaps: +1 at the first second an interval covers, -1 after the last, so a
-- running sum over cell counts how often each second was watched and costs the
-- same whatever the number of intervals. kind is first or repeat; rows of kind
-- exit count the views that were watched no further than the cell, without a
-- running sum. Rows of grain all are of all time, those of grain month by the
-- month in which views were opened, those of grain day by the day; these are kept
-- for busy media only, which a row of grain day and kind busy names (see busy.go).
-- Views of bots are left out.
CREATE TABLE IF NOT EXISTS heat
(
    account_id LowCardinality(String),
    media_id String,
    grain LowCardinality(String),
    bucket Date,
    kind LowCardinality(String),
    cell UInt32,
    delta Int64
)
ENGINE = SummingMergeTree(delta)
ORDER BY (account_id, media_id, grain, bucket, kind, cell)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    index_granularity = 1024;

-- Figures that are sums over views, so that a report costs the same at any number
-- of views. dimension is empty for the totals, in quarters of an hour (every time
-- zone's hours are made of those); otherwise it names what value is of, by month.
-- Each batch adds what it changed about its views; a view of which something
-- turns out otherwise (its page arrives late, it is a bot) is taken back and put
-- where it belongs.
CREATE TABLE IF NOT EXISTS figures
(
    account_id LowCardinality(String),
    media_id String,
    dimension LowCardinality(String),
    bucket DateTime('UTC') CODEC(DoubleDelta, LZ4),
    value String CODEC(ZSTD(1)),
    loads Int64 CODEC(T64, LZ4),
    plays Int64 CODEC(T64, LZ4),
    views Int64 CODEC(T64, LZ4),
    finished Int64 CODEC(T64, LZ4),
    engagement_ppb Int64 CODEC(T64, LZ4),
    watched_ms Int64 CODEC(T64, LZ4)
)
ENGINE = SummingMergeTree
ORDER BY (account_id, media_id, dimension, bucket, value)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    index_granularity = 1024;

-- Distinct visitors by day and month (grain), as states that merge; who plays is
-- among the players too. Exact up to 512, then within about 1 %. A row repeated
-- changes nothing.
CREATE TABLE IF NOT EXISTS uniques
(
    account_id LowCardinality(String),
    media_id String,
    grain LowCardinality(String),
    bucket Date,
    who String EPHEMERAL,
    player String EPHEMERAL,
    visitors AggregateFunction(uniqCombined64(14), String) DEFAULT initializeAggregation('uniqCombined64State(14)', who),
    players AggregateFunction(uniqCombined64If(14), String, UInt8) DEFAULT initializeAggregation('uniqCombined64IfState(14)', player, toUInt8(player != ''))
)
ENGINE = AggregatingMergeTree
ORDER BY (account_id, media_id, grain, bucket)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    index_granularity = 64;

-- One row per received beacon: what became of it. A record that is in the log
-- twice is met once as taken and once as a repeat of itself; the class that
-- merges to the lowest is the one that counts (see package beacon). account_id is
-- empty when the token of the beacon could not be verified.
CREATE TABLE IF NOT EXISTS receipts
(
    account_id LowCardinality(String),
    hour DateTime('UTC') CODEC(DoubleDelta, LZ4),
    receipt UInt64,
    class SimpleAggregateFunction(min, UInt8)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (account_id, hour, receipt)
TTL hour + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- Pauses of the sinks, while someone repairs, compares or erases. version names a
-- pause; it lasts until the latest of its times, renewed while the one who made
-- it lives, or until a row says that it ended.
CREATE TABLE IF NOT EXISTS sink_pauses
(
    version UInt64,
    holder String,
    until DateTime64(3, 'UTC'),
    ended UInt8
)
ENGINE = MergeTree
ORDER BY version
TTL toDateTime(until) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
