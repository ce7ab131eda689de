package beacon

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mailru/easyjson"
	"github.com/mailru/easyjson/jwriter"
	"github.com/stretchr/testify/require"
)

// FuzzQuick compares what is read and written quickly with the generated code.
func FuzzQuick(f *testing.F) {
	files, err := filepath.Glob("testdata/*valid-*.json")
	require.NoError(f, err)
	for _, name := range files {
		body, err := os.ReadFile(name)
		require.NoError(f, err)
		if len(body) < 8<<10 {
			f.Add(body)
		}
	}
	for _, body := range []string{
		`{"v":1,"token":"t","seq":0,"sent_at_ms":1790000000000,"events":[{"k":"watch","at_ms":1790000000000,"from_ms":0,"to_ms":5000,"rate":1.25,"repeat":true}]}`,
		`{"v":1,"token":"\u0074","seq":01,"sent_at_ms":1e3,"events":[{"k":"watch","rate":0.5.5,"repeat":truely}]}`,
		`{"v":1,"account":"a","media":"m","view":"v","seq":0,"received_at_ms":1,"rid":18446744073709551615,"dur_ms":60000,"events":[{"k":"pause","at_ms":1,"pos_ms":7,"muted":false}]}`,
		`{"v":1,"events":[{"k":"load"}],"events":[{"k":"end"}]}`,
		`{"v":1,"leaving":true,"events":[{"k":"end"}]}`,
		`{"v":1,"account":"a","media":"m","view":"v","seq":0,"received_at_ms":1,"opted_out":true,"leaving":true,"dur_ms":60000,"events":[{"k":"pause","at_ms":1}]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got := Batch{Seq: -1}
		if q := (quick{data: body}); q.batch(&got) {
			w, err := readBatch(body)
			require.NoError(t, err)
			want := Batch{V: w.V, Token: w.Token, Seq: -1, SentAtMS: w.SentAtMS, Viewer: w.Viewer, Leaving: w.Leaving, Events: w.Events}
			if w.Seq != nil {
				want.Seq = *w.Seq
			}
			require.Equal(t, want, got)
		}
		var record, same Record
		if q := (quick{data: body}); q.record(&record) {
			require.NoError(t, easyjson.Unmarshal(body, &same))
			require.Equal(t, same, record)
		}
		if easyjson.Unmarshal(body, &same) == nil {
			if quickly, ok := appendQuick(nil, &same); ok {
				var w jwriter.Writer
				same.MarshalEasyJSON(&w)
				want, err := w.BuildBytes()
				require.NoError(t, err)
				require.Equal(t, string(want), string(quickly))
			}
		}
	})
}
