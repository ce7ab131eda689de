package child_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/transcode/child"
	"github.com/vitascope/vitascope/transcode/internal/mediatest"
)

// withoutNamespaces makes this test program a server on a machine that allows
// no user namespaces: it tells on standard output what comes of that.
const withoutNamespaces = "VITASCOPE_TEST_WITHOUT_NAMESPACES"

func TestMain(m *testing.M) {
	if binary := os.Getenv(withoutNamespaces); binary != "" {
		if err := serveWithoutNamespaces(binary); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	if folder := os.Getenv(audited); folder != "" {
		if err := serveAudited(folder); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	mediatest.Remove()
	os.Exit(code)
}

func TestAChildCannotBreakOut(t *testing.T) {
	t.Parallel()
	test, err := mediatest.Runner(t).SelfTest(t.Context())
	require.NoError(t, err)
	for _, f := range test.Findings {
		t.Logf("%s: %v", f.What, f.Err)
	}
	require.Equal(t, 8, test.Attempts)
	if mediatest.Insecure(t) {
		requireRefused(t)
		return
	}
	require.Equal(t, 8, test.Denied)
}

// requireRefused requires that nothing is decoded here, where a layer is missing.
func requireRefused(t *testing.T) {
	t.Helper()
	r, err := child.NewRunner(child.Config{Binary: mediatest.Binary(t), Temp: t.TempDir()}, mediatest.Log(t))
	require.NoError(t, err)
	err = r.Run(t.Context(), child.Job{Op: child.OpProbe}, bytesInput("media"), child.HandlerFunc(nothing))
	require.ErrorIs(t, err, child.ErrNoSandbox)
}

func nothing(context.Context, child.Event, *os.File) error { return nil }

func TestWithoutNamespacesNothingIsDecodedUnlessInsecure(t *testing.T) {
	t.Parallel()
	if mediatest.Insecure(t) {
		requireRefused(t)
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), withoutNamespaces+"="+mediatest.Binary(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	lines := strings.Split(string(out), "\n")
	require.Contains(t, lines[0], "media cannot be confined: media children have namespaces of their own:")
	require.Contains(t, lines[1], "media cannot be confined: namespaces:")
	require.Equal(t, "insecure: unsupported_container: is a text", lines[2])
}

// serveWithoutNamespaces forbids itself more user namespaces and tries.
func serveWithoutNamespaces(binary string) error {
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
		return err
	}
	ctx, log, job := context.Background(), slog.New(slog.DiscardHandler), child.Job{Op: child.OpProbe}
	strict, err := child.NewRunner(child.Config{Binary: binary}, log)
	if err != nil {
		return err
	}
	test, err := strict.SelfTest(ctx)
	if err != nil {
		return err
	}
	fmt.Println(test.Err())
	fmt.Println(strict.Run(ctx, job, bytesInput("media"), child.HandlerFunc(nothing)))
	insecure, err := child.NewRunner(child.Config{Binary: binary, Insecure: true}, log)
	if err != nil {
		return err
	}
	fmt.Println("insecure:", insecure.Run(ctx, job, bytesInput("media"), child.HandlerFunc(nothing)))
	return nil
}
