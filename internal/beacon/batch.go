package beacon

// Version is the schema version this package reads and writes.
const Version = 1

// Limits of one batch. A body past them is refused, except that page strings,
// which belong to the host page and not to the player, are cut to length.
const (
	MaxBody        = 64 << 10 // bytes; also what fetch keepalive and sendBeacon allow
	MaxEvents      = 200
	MaxSeq         = 1 << 20 // a batch each 10 s for 121 days
	MaxTokenLen    = 2048
	MaxURLLen      = 2048
	MaxTextLen     = 256
	MaxLanguageLen = 35 // RFC 5646 section 4.4.1
	MaxCodeLen     = 64
	MaxMessageLen  = 1024
	MaxRate        = 16 // HTMLMediaElement.playbackRate stops there in Chromium
	MaxPlayerSide  = 1 << 15
	// MaxMediaMS bounds positions, intervals and waits: 7 days.
	MaxMediaMS = 7 * 24 * 3600 * 1000
)

// Kind names what an event tells.
type Kind string

// The kinds of version 1.
const (
	KindLoad     Kind = "load"     // the player was shown
	KindPlay     Kind = "play"     // playback was asked for, by the viewer or by autoplay
	KindPause    Kind = "pause"    // playback was paused at pos_ms
	KindSeek     Kind = "seek"     // the playhead was moved from from_ms to to_ms
	KindEnd      Kind = "end"      // the end was reached
	KindWatch    Kind = "watch"    // [from_ms, to_ms) was played
	KindStartup  Kind = "startup"  // the first frame came took_ms after it was asked for
	KindRebuffer Kind = "rebuffer" // playback stalled at pos_ms for took_ms
	KindError    Kind = "error"    // playback failed, for good when fatal
)

// Batch is one beacon body as a player sends it.
type Batch struct {
	V        int     `json:"v"`
	Token    string  `json:"token"`
	Seq      int64   `json:"seq"`        // number of the batch in its view, from 0
	SentAtMS int64   `json:"sent_at_ms"` // viewer's clock, Unix milliseconds
	Page     *Page   `json:"page,omitempty"`
	Events   []Event `json:"events"`
}

// Page is what is known of the page around the player.
type Page struct {
	URL          string `json:"url,omitempty"`
	Referrer     string `json:"referrer,omitempty"`
	UTMSource    string `json:"utm_source,omitempty"`
	UTMMedium    string `json:"utm_medium,omitempty"`
	UTMCampaign  string `json:"utm_campaign,omitempty"`
	Language     string `json:"language,omitempty"`
	PlayerWidth  int    `json:"player_width,omitempty"`  // CSS pixels
	PlayerHeight int    `json:"player_height,omitempty"` // CSS pixels
}

// Event is one fact. Which fields count depends on the kind; the others are
// zero after Decode.
type Event struct {
	Kind     Kind    `json:"k"`
	AtMS     int64   `json:"at_ms"`              // Unix milliseconds; viewer's clock until Clamp
	PosMS    int64   `json:"pos_ms,omitempty"`   // media time: play, pause, end, rebuffer
	FromMS   int64   `json:"from_ms,omitempty"`  // media time: watch, seek
	ToMS     int64   `json:"to_ms,omitempty"`    // media time: watch, seek
	Rate     float64 `json:"rate,omitempty"`     // playback rate: watch
	Repeat   bool    `json:"repeat,omitempty"`   // watch: already seen in this view
	Autoplay bool    `json:"autoplay,omitempty"` // play: not asked for by the viewer
	TookMS   int64   `json:"took_ms,omitempty"`  // startup, rebuffer
	Code     string  `json:"code,omitempty"`     // error
	Fatal    bool    `json:"fatal,omitempty"`    // error
	Message  string  `json:"message,omitempty"`  // error
}
