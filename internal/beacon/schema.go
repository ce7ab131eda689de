package beacon

import (
	"fmt"
	"strings"
)

// FieldDoc documents one field of the wire.
type FieldDoc struct {
	Name    string
	Type    string // JSON type, with the unit where it has one
	Bounds  string
	Meaning string
}

// KindDoc documents one kind of event.
type KindDoc struct {
	Kind    Kind
	Meaning string
	Fields  []FieldDoc // beside k and at_ms, which every event has
}

func media(name, meaning string) FieldDoc {
	return FieldDoc{name, "integer, ms of media time", fmt.Sprintf("0 to %d (7 days), then at most the duration", MaxMediaMS), meaning}
}

func wait(name, meaning string) FieldDoc {
	return FieldDoc{name, "integer, ms", fmt.Sprintf("0 to %d", MaxMediaMS), meaning}
}

func count(name, bounds, meaning string) FieldDoc {
	return FieldDoc{name, "integer", bounds, meaning}
}

func flag(name, meaning string) FieldDoc { return FieldDoc{name, "boolean", "default false", meaning} }

func percent(name, meaning string) FieldDoc {
	return FieldDoc{name, "number, percent", fmt.Sprintf("0 to %d", MaxPercent), meaning}
}

func text(name string, most int, past, meaning string) FieldDoc {
	return FieldDoc{name, "string", fmt.Sprintf("at most %d bytes, %s", most, past), meaning}
}

func word(name, meaning string, words ...string) FieldDoc {
	return FieldDoc{name, "string", strings.Join(words, ", "), meaning}
}

const isCut, isRefused = "longer ones are cut", "longer ones are refused"

func bitrate(meaning string) FieldDoc {
	return FieldDoc{"bitrate_bps", "integer, bits a second", fmt.Sprintf("0 to %d", int64(MaxBitrate)), meaning}
}

func height(meaning string) FieldDoc {
	return FieldDoc{"height", "integer, pixels", fmt.Sprintf("0 to %d", MaxPlayerSide), meaning}
}

func rateDoc(meaning string) FieldDoc {
	return FieldDoc{"rate", "number", fmt.Sprintf("above 0, at most %d", MaxRate), meaning}
}

// Schema documents every kind. The page docs/beacons.md is made from it.
func Schema() []KindDoc {
	pos := media("pos_ms", "where playback was")
	return []KindDoc{
		{KindLoad, "The player was shown. Once a view, in batch 0.", nil},
		{KindPlay, "The first frame was asked for. Once a view.", []FieldDoc{pos, flag("autoplay", "asked for by the page, not by the viewer")}},
		{KindStartup, "The first frame came, with the playhead moving. Once a view.", []FieldDoc{wait("took_ms", "since it was asked for")}},
		{KindPause, "The viewer paused.", []FieldDoc{pos}},
		{KindSeek, "The viewer moved the playhead.", []FieldDoc{media("from_ms", "where playback was"), media("to_ms", "where it went on")}},
		{KindEnd, "The end was reached.", []FieldDoc{pos}},
		{KindWatch, "The media time [from_ms, to_ms) was played, under one set of the conditions below. An interval is split where a condition changes and where time seen before in this view meets time that was not.", []FieldDoc{
			media("from_ms", "start of the interval"), media("to_ms", "its end, not part of it; after from_ms"), rateDoc("playback rate"),
			flag("repeat", "seen before in this view; first-time intervals of a view never overlap"),
			flag("muted", "without sound"), flag("fullscreen", "in full screen"), flag("hidden", "the page was not visible"),
		}},
		{KindRate, "The playback rate was changed.", []FieldDoc{pos, rateDoc("the new one")}},
		{KindStall, "Playback began to wait for data, not because of a seek. A rebuffer follows when it goes on.", []FieldDoc{pos}},
		{KindRebuffer, "Playback had stalled and went on.", []FieldDoc{pos, wait("took_ms", "how long it stood")}},
		{KindSeekWait, "The first frame after a seek was shown: seek latency, which is not rebuffering.", []FieldDoc{media("pos_ms", "where the seek went"), wait("took_ms", "since the seek was asked for")}},
		{KindRung, "Another rendition is shown.", []FieldDoc{pos, height("of the rendition shown from now on"), bitrate("of that rendition"), word("shift", "direction of the change", ShiftFirst, ShiftUp, ShiftDown)}},
		{KindQuality, "How playback looked since the last such event. Averages over a view weight each by its played_ms.", []FieldDoc{
			wait("played_ms", "wall time of playing it covers"), count("frames", fmt.Sprintf("0 to %d", MaxFrames), "frames decoded"), count("dropped_frames", fmt.Sprintf("0 to %d", MaxFrames), "frames not shown"),
			percent("upscale_avg_pct", "how much larger than the rendition the picture was shown, average over played_ms: max(0, shown side / rendition side - 1) x 100"), percent("upscale_max_pct", "the largest such value"),
			percent("downscale_avg_pct", "how much smaller, average: max(0, rendition side / shown side - 1) x 100"), percent("downscale_max_pct", "the largest such value"),
			height("of the rendition shown last"), bitrate("average over played_ms of the renditions shown"),
		}},
		{KindRequests, "What the requests for media since the last such event took (after CMCD, CTA-5004).", []FieldDoc{
			count("requests", fmt.Sprintf("0 to %d", MaxRequests), "how many were answered or failed"), count("failed", "0 to requests", "how many of them failed"),
			count("bytes", fmt.Sprintf("0 to %d", int64(MaxBytes)), "bytes of body received"), wait("took_ms", "time until the last byte, summed"), wait("ttfb_ms", "time until the first byte, summed"),
			wait("buffer_ms", "media buffered ahead, at the end (bl)"), FieldDoc{"throughput_bps", "integer, bits a second", fmt.Sprintf("0 to %d", int64(MaxBitrate)), "as measured by the player (mtp)"},
		}},
		{KindError, "Something failed.", []FieldDoc{
			media("pos_ms", "where playback was"), text("code", MaxCodeLen, isRefused, "stable name of the failure; needed"),
			word("severity", "fatal: playback stopped for good; warning: it went on; business: it is not allowed, such as outside a domain. Default: fatal if fatal is true, else warning", SeverityFatal, SeverityWarning, SeverityBusiness),
			flag("fatal", "older players' severity; read when there is none"), text("message", MaxMessageLen, isCut, "for people"),
		}},
		{KindAction, "Something offered on the player was shown or used.", []FieldDoc{
			pos, word("type", "what it was", ActionTypes()...), text("id", MaxIDLen, isRefused, "which one; needed"),
			word("verb", "what became of it", ActionVerbs()...), text("content", MaxTextLen, isCut, "what it said or led to, such as the language of captions"),
		}},
	}
}

// BatchSchema documents the fields of a batch, PageSchema those of its page.
func BatchSchema() []FieldDoc {
	clock := fmt.Sprintf("%d to %d (2020 to 2100)", int64(minTimeMS), int64(maxTimeMS))
	return []FieldDoc{
		count("v", fmt.Sprint(Version), "version of the schema"),
		text("token", MaxTokenLen, isRefused, "view token of the embed; needed, and valid for "+TokenLife.String()),
		count("seq", fmt.Sprintf("0 to %d", MaxSeq), "number of the batch in its view, from 0; needed"),
		{"sent_at_ms", "integer, Unix ms", clock, "when the batch was packed, by the viewer's clock; needed"},
		text("viewer", MaxTokenLen, isRefused, "viewer token: a signed identity that became known after the view token; ignored when it cannot be verified"),
		flag("leaving", "packed as the viewer left, who is back with the next batch in which something plays"),
		{"page", "object", "", "facts of the page, in the first batch of a view"},
		{"events", "array of objects", fmt.Sprintf("1 to %d", MaxEvents), "what happened, in order"},
	}
}

// PageSchema documents the fields of page.
func PageSchema() []FieldDoc {
	side := func(name, meaning string) FieldDoc {
		return FieldDoc{name, "integer, CSS pixels", fmt.Sprintf("0 to %d", MaxPlayerSide), meaning}
	}
	return []FieldDoc{
		text("url", MaxURLLen, isCut, "address of the page the player is on"), text("referrer", MaxURLLen, isCut, "where the viewer came from"),
		text("utm_source", MaxTextLen, isCut, "campaign parameters of url, from which they are taken when left out"), text("utm_medium", MaxTextLen, isCut, ""), text("utm_campaign", MaxTextLen, isCut, ""),
		text("utm_term", MaxTextLen, isCut, ""), text("utm_content", MaxTextLen, isCut, ""),
		text("variant", MaxIDLen, isCut, "which arm of an A/B test was shown"), text("language", MaxLanguageLen, isCut, "of the browser, RFC 5646"),
		side("screen_width", "of the screen"), side("screen_height", ""), side("player_width", "of the player"), side("player_height", ""),
	}
}
