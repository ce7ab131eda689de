package query

// Definitions returns the formula of each figure, in a sentence.
func Definitions() map[string]string {
	return map[string]string{
		"loads":              "Times the player was shown: playbacks of which at least one beacon arrived. Bots are left out, here and everywhere.",
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
		"media":              "Media with at least one load.",
	}
}

func definitions(names ...string) map[string]string {
	all, some := Definitions(), make(map[string]string, len(names))
	for _, n := range names {
		some[n] = all[n]
	}
	return some
}
