package jit_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// rewriteBoxes copies boxes, letting change replace the body of some; it descends
// into the containers on the way to the sample tables.
func rewriteBoxes(b []byte, change func(kind string, body []byte) (string, []byte)) []byte {
	var out []byte
	for len(b) >= 8 {
		size := int(binary.BigEndian.Uint32(b))
		kind, body := string(b[4:8]), b[8:size]
		switch kind {
		case "moov", "trak", "mdia", "minf", "stbl", "edts":
			body = rewriteBoxes(body, change)
		}
		kind, body = change(kind, body)
		out = binary.BigEndian.AppendUint32(out, uint32(len(body)+8))
		out = append(append(out, kind...), body...)
		b = b[size:]
	}
	return out
}

// rewritten stores a changed copy of a file whose moov box comes last, so that
// chunk offsets stay true.
func rewritten(t testing.TB, file string, change func(kind string, body []byte) (string, []byte)) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "rewritten"+filepath.Ext(file))
	require.NoError(t, os.WriteFile(out, rewriteBoxes(load(t, file), change), 0o600))
	return out
}

// wideOffsets turns stco into co64.
func wideOffsets(t testing.TB, file string) string {
	t.Helper()
	return rewritten(t, file, func(kind string, body []byte) (string, []byte) {
		if kind != "stco" {
			return kind, body
		}
		wide := append([]byte(nil), body[:8]...)
		for row := body[8:]; len(row) > 0; row = row[4:] {
			wide = binary.BigEndian.AppendUint64(wide, uint64(binary.BigEndian.Uint32(row)))
		}
		return "co64", wide
	})
}

// without renames a box to free.
func without(box string) func(testing.TB, string) string {
	return func(t testing.TB, file string) string {
		return rewritten(t, file, func(kind string, body []byte) (string, []byte) {
			if kind == box {
				kind = "free"
			}
			return kind, body
		})
	}
}
