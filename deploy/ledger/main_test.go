package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/deploy/engines"
)

func TestMain(m *testing.M) {
	engines.MaybeRunChild()
	if len(os.Args) == 2 && (os.Args[1] == roleBroker || os.Args[1] == roleSink) {
		exit(runRole(os.Args[1]))
	}
	os.Exit(m.Run())
}

// short is a run that a test has time for.
func short(t *testing.T, change func(*options)) {
	t.Helper()
	o := options{program: filepath.Join(t.TempDir(), "vitascope"), seed: 20, rate: 60, authors: 8, films: 12}
	change(&o)
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", o.program, "../../cmd/vitascope").CombinedOutput()
	require.NoError(t, err, string(built))
	require.NoError(t, run(t.Context(), o))
}

func TestNothingIsLostOrCountedTwiceOverFaults(t *testing.T) {
	t.Parallel()
	short(t, func(o *options) { o.rounds = 3 })
}

func TestStrangersCostLittleAndChangeNoFigure(t *testing.T) {
	t.Parallel()
	short(t, func(o *options) { o.abuse, o.strangers = true, 2000 })
}
