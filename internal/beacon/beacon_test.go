package beacon_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/beacon"
)

type sample struct {
	File string      `json:"file"`
	Code beacon.Code `json:"code"`
}

func samples(t testing.TB) []sample {
	t.Helper()
	var all []sample
	readJSON(t, "index.json", &all)
	return all
}

func readJSON(t testing.TB, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, into))
}

func codeOf(err error) beacon.Code {
	if e, ok := errors.AsType[*beacon.Error](err); ok {
		return e.Code
	}
	return ""
}

func TestSamplesAreAcceptedOrRefusedAsTheIndexSays(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*-*.json")
	require.NoError(t, err)
	require.Len(t, files, len(samples(t)), "samples in testdata and in index.json")
	for _, s := range samples(t) {
		t.Run(s.File, func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(filepath.Join("testdata", s.File))
			require.NoError(t, err)
			b, err := beacon.Decode(body)
			if s.Code != "" {
				require.Equal(t, s.Code, codeOf(err), "got %v", err)
				return
			}
			require.NoError(t, err)
			require.NotEmpty(t, b.Events)
			require.True(t, strings.HasPrefix(s.File, "valid-"))
		})
	}
}

func TestClampKeepsMediaTimeInsideAndMovesTimesToTheServersClock(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/valid-past-the-end.json")
	require.NoError(t, err)
	b, err := beacon.Decode(body)
	require.NoError(t, err)
	received := time.UnixMilli(b.SentAtMS).Add(3 * time.Hour) // the viewer's clock is 3 h behind
	b.Clamp(time.Minute, received)
	require.Len(t, b.Events, 2, "the interval past the end is gone")
	require.Equal(t, beacon.Event{Kind: beacon.KindWatch, AtMS: received.UnixMilli() - 200, FromMS: 59000, ToMS: 60000, Rate: 1}, b.Events[0])
	require.Equal(t, beacon.Event{Kind: beacon.KindEnd, AtMS: received.UnixMilli() - 10000, PosMS: 60000}, b.Events[1])
}

func TestClampBoundsTimesAndCutsPageStrings(t *testing.T) {
	t.Parallel()
	sent := time.UnixMilli(1790000000000)
	b := &beacon.Batch{
		SentAtMS: sent.UnixMilli(),
		Page:     &beacon.Page{URL: strings.Repeat("é", 2000), UTMSource: strings.Repeat("x", 300)},
		Events: []beacon.Event{
			{Kind: beacon.KindLoad, AtMS: sent.Add(-48 * time.Hour).UnixMilli()},
			{Kind: beacon.KindLoad, AtMS: sent.Add(time.Hour).UnixMilli()},
		},
	}
	b.Clamp(time.Minute, sent)
	require.Equal(t, sent.Add(-beacon.MaxAge).UnixMilli(), b.Events[0].AtMS)
	require.Equal(t, sent.UnixMilli(), b.Events[1].AtMS)
	require.Equal(t, strings.Repeat("é", 1024), b.Page.URL)
	require.Len(t, b.Page.UTMSource, beacon.MaxTextLen)
}

func TestCampaignParametersLeftOutAreTakenFromTheURL(t *testing.T) {
	t.Parallel()
	b := &beacon.Batch{
		Page: &beacon.Page{URL: "https://example.com/?utm_source=news%20letter&utm_term=tea&x=1", UTMTerm: "told"},
	}
	b.Clamp(time.Minute, time.UnixMilli(1790000000000))
	require.Equal(t, beacon.Page{URL: b.Page.URL, UTMSource: "news letter", UTMTerm: "told"}, *b.Page)
	b.Page.URL, b.Page.UTMSource = "https://example.com/%zz?utm_source=x", ""
	b.Clamp(time.Minute, time.UnixMilli(1790000000000))
	require.Empty(t, b.Page.UTMSource)
}

func TestViewTokens(t *testing.T) {
	t.Parallel()
	key, now := []byte("0123456789abcdef0123456789abcdef"), time.Unix(1790000000, 0)
	want := beacon.Claims{
		Account: "account001", Media: "media00001", View: "0199b0a0-0000-7000-8000-000000000000",
		Generation: 2, Duration: 60123 * time.Millisecond, IssuedAt: now, ExpiresAt: now.Add(beacon.TokenLife),
	}
	token, err := beacon.SignViewToken(key, want)
	require.NoError(t, err)
	got, err := beacon.VerifyViewToken(key, token, now.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, want, got)

	late, err := beacon.VerifyViewToken(key, token, now.Add(beacon.TokenLife+time.Second))
	require.Equal(t, beacon.CodeTokenExpired, codeOf(err))
	require.Equal(t, got, late, "a late beacon still tells whose it is")
	_, err = beacon.VerifyViewToken([]byte("another key, just as long as that"), token, now)
	require.Equal(t, beacon.CodeTokenInvalid, codeOf(err))
	for i := range token { // any changed character is refused
		other := []byte(token)
		other[i] ^= 1
		_, err = beacon.VerifyViewToken(key, string(other), now)
		require.Error(t, err, "character %d", i)
	}
	none := "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + strings.Split(token, ".")[1] + "."
	_, err = beacon.VerifyViewToken(key, none, now)
	require.Equal(t, beacon.CodeTokenInvalid, codeOf(err))
	_, err = beacon.SignViewToken(key, beacon.Claims{Account: "a", Media: "m", View: "v"})
	require.Error(t, err)
}

func TestRecordsReadBackAsWritten(t *testing.T) {
	t.Parallel()
	r := &beacon.Record{
		V: 1, Account: "account001", Media: "media00001", View: "view", Seq: 3, ReceivedAtMS: 1790000000000, DurationMS: 60000,
		Page: &beacon.Page{URL: "https://shop.example/"}, Device: "desktop",
		Events: []beacon.Event{{Kind: beacon.KindWatch, AtMS: 1790000000000, FromMS: 0, ToMS: 1000, Rate: 1, Repeat: true}},
	}
	value, err := beacon.EncodeRecord(r)
	require.NoError(t, err)
	got, err := beacon.DecodeRecord(value)
	require.NoError(t, err)
	require.Equal(t, r, got)
	for name, poison := range map[string]string{
		"not JSON":          "\x00\xff",
		"another version":   strings.Replace(string(value), `"v":1`, `"v":9`, 1),
		"refused events":    strings.Replace(string(value), `"v":1`, `"v":1,"refused":"not_json","rid":1`, 1),
		"no view":           strings.Replace(string(value), `"view":"view"`, `"view":""`, 1),
		"no duration":       strings.Replace(string(value), `"dur_ms":60000`, `"dur_ms":0`, 1),
		"past the end":      strings.Replace(string(value), `"to_ms":1000`, `"to_ms":60001`, 1),
		"an unknown kind":   strings.Replace(string(value), `"k":"watch"`, `"k":"x"`, 1),
		"backward interval": strings.Replace(string(value), `"to_ms":1000`, `"to_ms":0`, 1),
	} {
		_, err := beacon.DecodeRecord([]byte(poison))
		require.ErrorIs(t, err, beacon.ErrRecord, name)
	}
}

func TestEventsTheSameInEveryFieldCountOnce(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/valid-repeated-events.json")
	require.NoError(t, err)
	b, err := beacon.Decode(body)
	require.NoError(t, err)
	b.Clamp(time.Minute, time.UnixMilli(b.SentAtMS))
	require.Len(t, b.Events, 1)
}

func TestABatchThatWaitedIsDatedByWhenItWasSent(t *testing.T) {
	t.Parallel()
	packed := time.UnixMilli(1790000000000)
	for name, c := range map[string]struct {
		sentAt int64
		want   time.Duration // before its arrival
	}{
		"sent at once":        {packed.UnixMilli(), 0},
		"sent an hour later":  {packed.Add(time.Hour).UnixMilli(), time.Hour},
		"not said":            {0, 0},
		"before it was made":  {packed.Add(-time.Hour).UnixMilli(), 0},
		"not a time of today": {1 << 60, 0},
	} {
		b := &beacon.Batch{SentAtMS: packed.UnixMilli(), Events: []beacon.Event{{Kind: beacon.KindLoad, AtMS: packed.UnixMilli()}}}
		b.Sent(c.sentAt)
		received := packed.Add(5 * time.Hour)
		b.Clamp(time.Minute, received)
		require.Equal(t, received.Add(-c.want).UnixMilli(), b.Events[0].AtMS, name)
	}
}

func TestSeverityIsKnownOfOldAndNewErrors(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/valid-error-severities.json")
	require.NoError(t, err)
	b, err := beacon.Decode(body)
	require.NoError(t, err)
	var got []string
	for _, e := range b.Events {
		require.Equal(t, e.Severity == beacon.SeverityFatal, e.Fatal)
		got = append(got, e.Severity)
	}
	require.Equal(t, []string{"warning", "business", "fatal", "fatal"}, got)
}

func TestViewerTokens(t *testing.T) {
	t.Parallel()
	key, now := []byte("0123456789abcdef0123456789abcdef"), time.Unix(1790000000, 0)
	want := beacon.Viewer{Account: "account001", Identity: "jo@example.com", ExpiresAt: now.Add(time.Hour)}
	token, err := beacon.SignViewerToken(key, want)
	require.NoError(t, err)
	got, err := beacon.VerifyViewerToken(key, token, now)
	require.NoError(t, err)
	require.Equal(t, want, got)
	_, err = beacon.VerifyViewerToken(key, token, now.Add(2*time.Hour))
	require.Equal(t, beacon.CodeTokenExpired, codeOf(err))
	_, err = beacon.VerifyViewToken(key, token, now)
	require.Equal(t, beacon.CodeTokenInvalid, codeOf(err), "a viewer token is no view token")
}

func TestClassesAreExclusive(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		record   beacon.Record
		repeated bool
		want     beacon.Class
	}{
		"taken":                      {beacon.Record{}, false, beacon.ClassAccepted},
		"taken, opted out":           {beacon.Record{OptedOut: true}, false, beacon.ClassOptedOut},
		"a bot that opted out":       {beacon.Record{OptedOut: true, Bot: true}, false, beacon.ClassBot},
		"a bot's repeat":             {beacon.Record{Bot: true}, true, beacon.ClassDuplicate},
		"a token that expired":       {beacon.Record{Refused: beacon.CodeTokenExpired}, false, beacon.ClassLate},
		"refused for another reason": {beacon.Record{Refused: beacon.CodeNotJSON}, true, beacon.ClassInvalid},
	} {
		require.Equal(t, c.want, c.record.Class(c.repeated), name)
	}
}

func TestRefusalsReadBackAsWritten(t *testing.T) {
	t.Parallel()
	r := &beacon.Record{V: 1, ReceivedAtMS: 1790000000000, Receipt: 1<<64 - 1, Refused: beacon.CodeNotJSON}
	value, err := beacon.EncodeRecord(r)
	require.NoError(t, err)
	got, err := beacon.DecodeRecord(value)
	require.NoError(t, err)
	require.Equal(t, r, got)
}

func FuzzDecode(f *testing.F) {
	for _, s := range samples(f) {
		body, err := os.ReadFile(filepath.Join("testdata", s.File))
		require.NoError(f, err)
		if len(body) < 8<<10 {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := beacon.Decode(body)
		if err != nil {
			require.NotEmpty(t, codeOf(err))
			return
		}
		again, err := json.Marshal(b)
		require.NoError(t, err)
		if len(again) <= beacon.MaxBody { // escapes can make it longer
			same, err := beacon.Decode(again)
			require.NoError(t, err)
			require.Equal(t, b.Events, same.Events)
		}
		received := time.UnixMilli(1790000000000)
		b.Clamp(time.Minute, received)
		for _, e := range b.Events {
			require.LessOrEqual(t, max(e.PosMS, e.FromMS, e.ToMS), int64(60000))
			require.LessOrEqual(t, e.AtMS, received.UnixMilli())
			if e.Kind == beacon.KindWatch {
				require.Less(t, e.FromMS, e.ToMS)
			}
		}
		value, err := beacon.EncodeRecord(&beacon.Record{V: 1, Account: "a", Media: "m", View: "v", Seq: b.Seq,
			ReceivedAtMS: received.UnixMilli(), DurationMS: 60000, Page: b.Page, Events: b.Events})
		require.NoError(t, err)
		_, err = beacon.DecodeRecord(value)
		require.NoError(t, err)
	})
}

// BenchmarkBeacon is all that a beacon goes through on its way, but for the network:
// read, checked, clamped, written for the log and read from it.
func BenchmarkBeacon(b *testing.B) {
	for _, n := range []int{2, 50} {
		events := make([]string, n)
		for i := range events {
			events[i] = fmt.Sprintf(`{"k":"watch","at_ms":1790000000000,"from_ms":%d,"to_ms":%d,"rate":1,"repeat":%t}`, i/2*5000, i/2*5000+5000, i%2 == 1)
		}
		body := []byte(`{"v":1,"token":"` + strings.Repeat("x", 300) + `","seq":1,"sent_at_ms":1790000000000,"events":[` + strings.Join(events, ",") + `]}`)
		received := time.UnixMilli(1_790_000_000_500)
		batch := &beacon.Batch{}
		var value []byte
		for _, step := range []struct {
			name string
			do   func() error
		}{
			{"decode", func() (err error) { _, err = batch.Decode(body); return err }},
			{"clamp", func() error { batch.Clamp(time.Hour, received); return nil }},
			{"encode", func() (err error) {
				value, err = beacon.AppendRecord(value[:0], &beacon.Record{V: 1, Account: "a", Media: "m", View: "0199b0a0-0000-7000-8000-000000000000", ReceivedAtMS: received.UnixMilli(), DurationMS: 3_600_000, Events: batch.Events})
				return err
			}},
			{"read", func() error { _, err := beacon.DecodeRecord(value); return err }},
		} {
			require.NoError(b, step.do()) // the next step takes what it makes
			b.Run(fmt.Sprintf("%s/%d", step.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := step.do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	body, err := os.ReadFile("testdata/valid-first-batch.json")
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := beacon.Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}
