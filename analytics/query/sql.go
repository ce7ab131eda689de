package query

// Statements. In each the account comes first.

// mergedViews is one row per view of an account, bots left out; %s narrows it.
// Names differ from the columns': an alias would otherwise stand for itself in
// its own aggregate.
const mergedViews = `
	SELECT media_id AS media, view_id AS view, max(visitor) AS visitor_of_day,
		if(visitor_of_day = '', toString(view), visitor_of_day) AS who,
		min(started_at) AS began, max(last_seen_at) AS seen,
		max(page_url) AS page, max(referrer) AS came_from, max(country) AS place, max(device) AS machine, max(browser) AS program, max(os) AS system,
		max(duration_ms) AS length_ms, sum(watched_ms) AS once_ms, sum(rewatched_ms) AS again_ms,
		sum(plays) > 0 OR once_ms > 0 OR again_ms > 0 AS played,
		sum(ends) > 0 OR max(max_watched_to_ms) + 2000 >= length_ms AS reached_end
	FROM views WHERE account_id = ? %s
	GROUP BY account_id, media_id, view_id
	HAVING max(bot) = 0`

const totalsColumns = `
	count() AS loads, uniqExact(who) AS visitors, countIf(played) AS plays, uniqExactIf(who, played) AS players,
	countIf(once_ms + again_ms > 0) AS views,
	sumIf(least(1., once_ms / greatest(length_ms, 1)), played) AS engagement_sum,
	sum(once_ms + again_ms) AS total_ms, countIf(played AND reached_end) AS finished, uniqExact(media) AS media_count`

const heatSQL = `
	SELECT kind, cell, sum(delta) FROM heat
	WHERE account_id = ? AND media_id = ? GROUP BY kind, cell ORDER BY kind, cell`

const viewsPageSQL = `
	SELECT view, visitor_of_day, began, seen, page, came_from, place, machine, program, system, length_ms, once_ms, again_ms
	FROM (%s) WHERE played AND (began, toString(view)) < (fromUnixTimestamp64Milli(?, 'UTC'), ?)
	ORDER BY began DESC, toString(view) DESC LIMIT ?`

const spansSQL = `
	SELECT view_id, from_ms, to_ms FROM events
	WHERE account_id = ? AND media_id = ? AND view_id IN (?) AND kind = 'watch'`
