package query

// Definitions returns the formula of each figure, in a sentence.
func Definitions() map[string]string {
	return map[string]string{
		"loads":              "Times the player was shown: playbacks of which at least one beacon arrived. The first is sent when somebody comes near to play (pointer, focus, click), or when the player has been in or near the visible part of the page for a second and the page is idle; what was left sooner does not count. Bots are left out, here and everywhere.",
		"visitors":           "Distinct visitors among the loads. A visitor is one address and browser on one day (UTC); who opted out by Global Privacy Control or Do Not Track counts once per load.",
		"plays":              "Loads in which playback was asked for, by the viewer or by autoplay.",
		"play_rate":          "Distinct visitors with a play divided by distinct visitors, 0 to 1.",
		"views":              "Plays of which at least a moment was watched.",
		"average_engagement": "Mean over plays of the share of the video seen: milliseconds watched, each counted once, divided by the duration, 0 to 1.",
		"hours_watched":      "Hours of video played, repeats included, whatever the playback speed.",
		"finished":           "Plays that reached the end or were watched to within 2 seconds of it.",
		"engagement":         "For each cell, how many plays covered the middle of its middle second at least once.",
		"rewatches":          "For each cell, how many more times the middle of its middle second was covered by plays that had covered it before.",
		"strip":              "For each cell of one view, how many times the middle of its middle second was covered, up to 5.",
		"percent_watched":    "Milliseconds of the video watched in this view, each counted once, divided by the duration, 0 to 1.",
		"drop_off":           "For each cell, how many plays were watched no further than it: their furthest moment lies in it. Plays that finished are left out.",
		"media":              "Media with at least one load.",
		"live":               "Views heard of within the last 30 seconds whose last word was not a pause or the end, nor said as the viewer left.",
		"minutes":            "For each minute, the views of which something was playing, starting or rebuffering in it.",

		"startup_seconds_average":   "Mean time from asking for playback (by the viewer or by autoplay) to the first frame, over plays that report one.",
		"startup_seconds_median":    "Half of the plays that report a startup time had a shorter one.",
		"startup_seconds_p95":       "95 of 100 plays that report a startup time had a shorter one.",
		"exits_before_start":        "Plays without a first frame, left without an error and not heard of for 30 seconds, divided by plays.",
		"playback_failures":         "Plays with an error that ended playback, divided by plays. Warnings, and refusals that are no fault (not allowed here), are left out.",
		"startup_failures":          "Plays with an error that ended playback before the first frame, divided by plays.",
		"rebuffer_share":            "Time spent rebuffering divided by watch time; watch time is playing and rebuffering together. Waiting after a seek is not rebuffering.",
		"rebuffers_per_minute":      "Rebuffering events divided by minutes of watch time.",
		"rebuffers_per_view":        "Rebuffering events divided by plays.",
		"rebuffer_seconds_per_view": "Seconds spent rebuffering divided by plays.",
		"seek_seconds_average":      "Mean time from a seek to the next frame, over seeks that report it.",
		"watch_hours":               "Hours spent playing (by the clock, so double speed counts half) and rebuffering.",
		"bitrate_bps_average":       "Bit rate of what was played, weighted by how long it was played.",
		"upscale_average":           "Upscaling of the picture weighted by how long it was played: 0.5 when each side is drawn half as large again as it is encoded.",
		"downscale_average":         "Downscaling of the picture weighted by how long it was played.",
		"upshifts_per_view":         "Changes to a higher rung divided by plays.",
		"downshifts_per_view":       "Changes to a lower rung divided by plays.",
		"dropped_frames":            "Frames dropped divided by frames decoded or dropped.",
		"request_failures":          "Media requests that failed divided by media requests.",
		"request_ttfb_seconds":      "Mean time to the first byte of a media request.",
		"startup_score":             "Mean over plays of 100 × 8 / (8 + t), t being the startup time in seconds: 2 s give 80. Plays without a startup time have none.",
		"smoothness_score":          "Mean over plays of the mean of 100 / √(1 + (n / 2)²) and 100 × e^(−10 s), with n rebuffering events and s the rebuffer share: 4 events and 5 % give 52.7.",
		"video_quality_score":       "Mean over sampled plays of 100 − 30 × (0.85 × average upscaling + 0.15 × greatest upscaling): none gives 100, 50 % throughout 85.",
		"playback_success_score":    "Mean over plays: 100 when it played, 50 when the viewer left before the first frame, 0 when it failed. Who left within a second has none.",
		"viewer_experience_score":   "Mean over plays of the success score × (3 × smoothness + 2 × startup + video quality) / 6, all out of 100; scores that a play does not have are left out with their weight.",
		"errors":                    "Plays by the code of the error that ended them.",

		"received":  "Beacons answered for good, accepted or refused: the sum of accepted, opted out, bot, duplicate, late and invalid ones, to the unit.",
		"accepted":  "Beacons in the figures, with a visitor.",
		"opted_out": "Beacons in the figures whose viewer asked not to be told apart (Global Privacy Control, Do Not Track).",
		"bot":       "Beacons that came with the marks of a bot: kept and marked, in no figure.",
		"duplicate": "Beacons received before under the same view and number.",
		"late":      "Beacons refused because their view token had expired.",
		"invalid":   "Beacons refused because they are malformed or their token is not ours. Those that name no account are counted under none.",

		"impressions": "Views in which it was shown at least once.",
		"clicks":      "Views in which it was clicked or switched at least once.",
		"conversions": "Views in which it was completed, such as a form sent.",
		"skips":       "Views in which the viewer passed it over.",
		"actors":      "Views in which it was clicked, switched or completed.",
		"rate":        "Views in which it was shown and acted on divided by views in which it was shown.",
	}
}

func definitions(names ...string) map[string]string {
	all, some := Definitions(), make(map[string]string, len(names))
	for _, n := range names {
		some[n] = all[n]
	}
	return some
}
