package child_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/transcode/child"
)

var update = flag.Bool("update", false, "write the codes into docs/inputs.md")

const inputsPage = "../../docs/inputs.md"

// TestEveryCodeIsDocumented holds the page about inputs to the codes that there are.
func TestEveryCodeIsDocumented(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	for _, c := range child.Codes() {
		again := map[bool]string{true: "yes", false: "no"}[c.Retryable()]
		fmt.Fprintf(&rows, "| `%s` | %s | %s |\n", c, c.Sentence(), again)
	}
	rows.WriteString("| `upload_abandoned` | The upload stopped and was not resumed within 7 days. Upload the file again. | no |\n")
	rows.WriteString("| `internal_error` | Something went wrong on the server while processing this file. Try again later. | yes |\n")
	page, err := os.ReadFile(inputsPage)
	require.NoError(t, err)
	const head = "| code | sentence | again |\n|---|---|---|\n"
	before, after, ok := strings.Cut(string(page), head)
	require.True(t, ok)
	if *update {
		require.NoError(t, os.WriteFile(inputsPage, []byte(before+head+rows.String()), 0o644))
		return
	}
	require.Equal(t, rows.String(), after, "go test ./transcode/child -run Documented -update")
}
