-- +goose NO TRANSACTION
-- +goose Up

-- Distinct visitors of all time (grain all) beside those of days and months, and
-- both of all time and of days as bits too: each visitor sets one of 2^18, and how
-- many are set says how many visitors there are (linear counting: within about
-- 0.5 % up to a million, see package analytics/query). Bits merge fifty times
-- faster than the states of uniqCombined64. A row repeated changes nothing; a month
-- has none. Migration 5 (see visitors.go) adds them for the views so far.
ALTER TABLE uniques
    ADD COLUMN IF NOT EXISTS visitor_bits AggregateFunction(groupBitmapIf, UInt32, UInt8) DEFAULT initializeAggregation('groupBitmapIfState', toUInt32(sipHash64(who) % 262144), toUInt8(grain != 'month' AND who != '')),
    ADD COLUMN IF NOT EXISTS player_bits AggregateFunction(groupBitmapIf, UInt32, UInt8) DEFAULT initializeAggregation('groupBitmapIfState', toUInt32(sipHash64(player) % 262144), toUInt8(grain != 'month' AND player != ''));
