package query

import (
	"strings"
	"time"

	"github.com/vitascope/vitascope/internal/fault"
)

// None is the value of a filter that asks for views without one, such as those
// that came from no other page.
const None = "(none)"

// Filter narrows the views that a figure counts. Empty fields narrow nothing;
// all others must hold.
type Filter struct {
	From        time.Time `query:"from" doc:"Views opened at or after this time."`
	To          time.Time `query:"to" doc:"Views opened before this time."`
	Page        string    `query:"page" maxLength:"2048" doc:"Address of the embedding page, without query and fragment. Here and below, (none) asks for views without one."`
	Referrer    string    `query:"referrer" maxLength:"256" doc:"Host the viewer came from, such as www.example.com."`
	UTMSource   string    `query:"utm_source" maxLength:"256"`
	UTMMedium   string    `query:"utm_medium" maxLength:"256"`
	UTMCampaign string    `query:"utm_campaign" maxLength:"256"`
	Country     string    `query:"country" maxLength:"8" doc:"ISO 3166-1 alpha-2, such as DE."`
	Device      string    `query:"device" maxLength:"16" doc:"desktop, mobile, tablet or tv."`
	Browser     string    `query:"browser" maxLength:"64"`
	OS          string    `query:"os" maxLength:"64"`
	Language    string    `query:"language" maxLength:"35" doc:"RFC 5646 tag, such as de-AT."`
	Rung        int       `query:"rung" minimum:"0" maximum:"32768" doc:"Highest rung of the view, as height in pixels; 0 for all."`
	Variant     string    `query:"variant" maxLength:"64" doc:"Arm of an A/B test."`
	Identity    string    `query:"identity" maxLength:"256" doc:"Who the viewer is, as the embedding site signed it."`
	Visitor     string    `query:"visitor" maxLength:"64" doc:"Pseudonym of one day."`
	Bots        string    `query:"bots" enum:"no,yes,all" default:"no" doc:"Whether what came with the marks of a bot counts: no, only that, or all."`
	Autoplay    string    `query:"autoplay" enum:"yes,no" doc:"Views that began by autoplay (yes) or by the viewer (no)."`
}

// clause is a condition with its arguments.
type clause struct {
	sql  strings.Builder
	args []any
}

func (c *clause) and(condition string, args ...any) {
	if c.sql.Len() > 0 {
		c.sql.WriteString(" AND ")
	}
	c.sql.WriteString(condition)
	c.args = append(c.args, args...)
}

// values are the filters that compare one column with one value.
func (f *Filter) values() [13]struct{ column, value string } {
	return [13]struct{ column, value string }{
		{"page", f.Page}, {"referrer_host", f.Referrer}, {"utm_source", f.UTMSource}, {"utm_medium", f.UTMMedium},
		{"utm_campaign", f.UTMCampaign}, {"country", f.Country}, {"device", f.Device}, {"browser", f.Browser}, {"os", f.OS},
		{"language", f.Language}, {"variant", f.Variant}, {"identity", f.Identity}, {"visitor", f.Visitor},
	}
}

// narrows reports whether f asks for more than a range of time.
func (f *Filter) narrows() bool {
	for _, v := range f.values() {
		if v.value != "" {
			return true
		}
	}
	return f.Rung != 0 || f.Bots != "" && f.Bots != "no" || f.Autoplay != ""
}

// where returns the condition on views of an account, and of a media unless it
// is "". The account comes first.
func (f *Filter) where(account, media string) *clause {
	c := &clause{}
	c.and("account_id = ?", account)
	if media != "" {
		c.and("media_id = ?", media)
	}
	if !f.From.IsZero() {
		c.and("opened_at >= fromUnixTimestamp64Milli(?, 'UTC')", f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		c.and("opened_at < fromUnixTimestamp64Milli(?, 'UTC')", f.To.UnixMilli())
	}
	for _, v := range f.values() {
		switch v.value {
		case "":
		case None:
			c.and(v.column + " = ''")
		default:
			c.and(v.column+" = ?", v.value)
		}
	}
	if f.Rung != 0 {
		c.and("top_height = ?", uint16(f.Rung))
	}
	switch f.Bots {
	case "yes":
		c.and("bot = 1")
	case "all":
	default:
		c.and("bot = 0")
	}
	switch f.Autoplay {
	case "yes":
		c.and("autoplays > 0")
	case "no":
		c.and("autoplays = 0")
	}
	return c
}

// check refuses a range of time that is none.
func (f *Filter) check() error {
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return fault.New(fault.Invalid, "wrong-range", "“from” must be before “to”.")
	}
	return nil
}
