package beacon_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/beacon"
)

var update = flag.Bool("update", false, "write docs/beacons.md anew")

const page = "../../docs/beacons.md"

func TestTheDocumentationPageIsMadeFromTheSchema(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	intro, err := os.ReadFile("testdata/beacons.intro.md")
	require.NoError(t, err)
	ledger, err := os.ReadFile("testdata/beacons.ledger.md")
	require.NoError(t, err)
	fmt.Fprintf(&b, "%s\n## Batch\n\n%s\n## Page\n\n%s\n## Events\n\nEvery event has `k`, its kind, and `at_ms`, when it happened: Unix milliseconds of the viewer's clock, 2020 to 2100. Fields that are left out read as 0, false or empty. Fields a kind does not name are ignored.\n",
		intro, table(beacon.BatchSchema()), table(beacon.PageSchema()))
	for _, k := range beacon.Schema() {
		fmt.Fprintf(&b, "\n### `%s`\n\n%s\n", k.Kind, k.Meaning)
		if len(k.Fields) > 0 {
			b.WriteString("\n" + table(k.Fields))
		}
	}
	fmt.Fprintf(&b, "\n%s", ledger)
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(b.String()), 0o644))
	}
	got, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, b.String(), string(got), "renew it with: go test ./internal/beacon -run Documentation -update")
}

func table(fields []beacon.FieldDoc) string {
	var b strings.Builder
	b.WriteString("| field | type | bounds | meaning |\n|---|---|---|---|\n")
	for _, f := range fields {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, f.Type, f.Bounds, f.Meaning)
	}
	return b.String()
}

func names(fields []beacon.FieldDoc) []string {
	var all []string
	for _, f := range fields {
		all = append(all, f.Name)
	}
	slices.Sort(all)
	return all
}

// jsonNames returns the JSON names of a struct's fields, only those not zero if
// set is true.
func jsonNames(v any, set bool) []string {
	var all []string
	s := reflect.ValueOf(v)
	for i := range s.NumField() {
		if name, _, _ := strings.Cut(s.Type().Field(i).Tag.Get("json"), ","); !set || !s.Field(i).IsZero() {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

func TestTheSchemaNamesEveryFieldOfBatchAndPage(t *testing.T) {
	t.Parallel()
	require.Equal(t, jsonNames(beacon.Batch{}, false), names(beacon.BatchSchema()))
	require.Equal(t, jsonNames(beacon.Page{}, false), names(beacon.PageSchema()))
}

// A full event of each kind keeps exactly the fields the schema names for it.
func TestEveryKindKeepsTheFieldsTheSchemaNames(t *testing.T) {
	t.Parallel()
	const at = 1790000000000
	seen := map[string]bool{"k": true, "at_ms": true}
	for _, k := range beacon.Schema() {
		full := beacon.Event{
			Kind: k.Kind, AtMS: at, PosMS: 1, FromMS: 1, ToMS: 2, Rate: 1, Repeat: true, Autoplay: true, TookMS: 1,
			Muted: true, Fullscreen: true, Hidden: true, Height: 1, BitrateBPS: 1, Shift: beacon.ShiftUp,
			PlayedMS: 1, Frames: 1, DroppedFrames: 1, UpscaleAvgPct: 1, UpscaleMaxPct: 1, DownscaleAvgPct: 1, DownscaleMaxPct: 1,
			Requests: 1, Failed: 1, Bytes: 1, TTFBMS: 1, BufferMS: 1, ThroughputBPS: 1,
			Code: "x", Severity: beacon.SeverityFatal, Fatal: true, Message: "x", Type: "cta", ID: "x", Verb: "click", Content: "x",
		}
		require.Len(t, jsonNames(full, true), reflect.TypeFor[beacon.Event]().NumField(), "a field is missing above")
		body, err := json.Marshal(beacon.Batch{V: 1, Token: "t", SentAtMS: at, Events: []beacon.Event{full}})
		require.NoError(t, err)
		b, err := beacon.Decode(body)
		require.NoError(t, err, k.Kind)
		want := append(names(k.Fields), "k", "at_ms")
		slices.Sort(want)
		require.Equal(t, want, jsonNames(b.Events[0], true), k.Kind)
		for _, name := range want {
			seen[name] = true
		}
	}
	require.Len(t, seen, reflect.TypeFor[beacon.Event]().NumField(), "fields no kind uses")
}
