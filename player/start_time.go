package player

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// clockTime matches what people write a start as: 90, 90s, 1m30s or 1h2m3s.
var clockTime = regexp.MustCompile(`^(?:([0-9]{1,3})h)?(?:([0-9]{1,4})m)?(?:([0-9]{1,6}(?:\.[0-9]{1,3})?)s?)?$`)

// startTime returns the seconds that a start time says, as an attribute holds them.
func startTime(text string) (string, bool) {
	m := clockTime.FindStringSubmatch(text)
	if m == nil || text == "" {
		return "", false
	}
	total := 0.0
	for i, unit := range []float64{3600, 60, 1} {
		if n, err := strconv.ParseFloat(m[i+1], 64); err == nil {
			total += n * unit
		}
	}
	return strconv.FormatFloat(total, 'f', -1, 64), total > 0
}

// isoDuration writes a length as ISO 8601 does, PT1H2M3S, by the rule of [length]:
// search engines show it beside the page.
func isoDuration(d time.Duration) string {
	return "PT" + strings.ToUpper(max(time.Second, d.Truncate(time.Second)).String())
}
