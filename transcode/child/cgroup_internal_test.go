package child

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAGroupEndsWhatTakesTooMuch needs a kernel that gives this user cgroups: others
// have the other caps.
func TestAGroupEndsWhatTakesTooMuch(t *testing.T) {
	t.Parallel()
	g := findGroups()
	if g.dir == "" {
		t.Skip("there is no cgroup in which this user may make others")
	}
	for name, c := range map[string]struct {
		script string
		over   bool
	}{
		"more":   {"read line; head -c 300000000 /dev/zero | tail -c 300000000 >/dev/null", true},
		"enough": {"read line; head -c 1000000 /dev/zero | tail -c 1000000 >/dev/null", false},
	} {
		made, err := g.make(64 << 20)
		require.NoError(t, err)
		cmd := exec.CommandContext(t.Context(), "sh", "-c", c.script)
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		require.NoError(t, made.take(cmd.Process.Pid))
		require.NoError(t, in.Close())
		err = cmd.Wait()
		require.Equal(t, c.over, err != nil, "%s: %v", name, err)
		require.Equal(t, c.over, made.outOfMemory(), name)
		require.NoError(t, made.close())
		require.NoDirExists(t, made.dir)
	}
}

func TestWithoutGroupsThereAreTheOtherCaps(t *testing.T) {
	t.Parallel()
	none, err := groups{}.make(1)
	require.NoError(t, err)
	require.NoError(t, none.take(os.Getpid()))
	require.False(t, none.outOfMemory())
	require.NoError(t, none.close())
}
