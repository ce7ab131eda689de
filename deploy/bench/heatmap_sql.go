package main

import "fmt"

// generateSQL makes views of account ? from number ?, ? of them: media by Zipf,
// opened over the last year, watched in jumps. The second ? goes into os, to tell
// the views of one call. Everything follows from the number, so that a run can be
// repeated.
var generateSQL = fmt.Sprintf(`
INSERT INTO views (account_id, media_id, opened_at, view_id, bot, started_at, last_seen_at, visitor, page_url, page, referrer, referrer_host,
	utm_source, country, device, browser, os, duration_ms, batches, loads, plays, watched_ms, rewatched_ms, playing_ms, max_watched_to_ms,
	first_lo, first_hi, again_lo, again_hi, first_spans, again_spans, startups, startup_ms)
SELECT ?, media, opened, toUUID(concat(substring(id, 1, 8), '-', substring(id, 9, 4), '-7', substring(id, 14, 3), '-8', substring(id, 18, 3), '-', substring(id, 21, 12))),
	0, opened, opened + 60, toString(h %% 400000), concat(page, '?s=', toString(n)), page, '', concat('site', toString(h %% 50), '.example'),
	['', 'news', 'mail'][h %% 3 + 1], ['DE', 'US', 'FR', 'GB', 'IN', 'BR', 'JP', ''][bitShiftRight(h, 8) %% 8 + 1], ['desktop', 'mobile', 'tablet'][bitShiftRight(h, 12) %% 3 + 1],
	['Chrome', 'Firefox', 'Safari', 'Edge'][bitShiftRight(h, 16) %% 4 + 1], ?, %[1]d, 1, 1, 1,
	least(arraySum(arrayMap((a, b) -> b - a, lo, hi)) * 1000, %[1]d), 0, arraySum(arrayMap((a, b) -> b - a, lo, hi)) * 1000, arrayMax(hi) * 1000,
	arraySlice(lo, 1, 8), arraySlice(hi, 1, 8), arraySlice(lo, 9), arraySlice(hi, 9), 8, %[2]d - 8, 1, 400
FROM (
	SELECT number AS n, sipHash64(number) AS h,
		concat('m', leftPad(toString(least(%[3]d, toUInt64(floor(pow(%[3]d + 1, (sipHash64(number, 1) %% 1000000007) / 1000000007))))), 10, '0')) AS media,
		concat('https://site.example/page', toString(h %% 40)) AS page,
		toDateTime64(toStartOfDay(now('UTC'), 'UTC'), 3, 'UTC') - INTERVAL (sipHash64(number, 2) %% (365 * 86400000)) MILLISECOND AS opened,
		lower(concat(leftPad(hex(toUInt64(toUnixTimestamp64Milli(opened))), 12, '0'), hex(sipHash128(number)))) AS id,
		arrayMap(i -> toUInt32(sipHash64(number, 3, i) %% %[4]d), range(%[2]d)) AS lo,
		arrayMap((a, i) -> toUInt32(least(%[4]d, a + 1 + sipHash64(number, 4, i) %% 29)), lo, range(%[2]d)) AS hi
	FROM numbers(?, ?))`, heatSeconds*1000, heatPerView, heatMedia, heatSeconds)
