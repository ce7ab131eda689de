//go:build cluster

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain runs the tests beside real servers: those of "cluster run", or its
// own. Called as "cluster" it is the program, for the tests of the program.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_AS_CLUSTER") != "" {
		main()
		return
	}
	if os.Getenv("TEST_KAFKA_BROKERS") != "" {
		os.Exit(m.Run())
	}
	code := 1
	err := with(context.Background(), config{only: []string{"kafka", "minio", "postgres"}}, func(_ context.Context, c *cluster) error {
		for name, value := range c.env {
			os.Setenv(name, value)
		}
		code = m.Run()
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// program starts this test's binary as the cluster command.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "TEST_AS_CLUSTER=1")
	cmd.Stderr = t.Output()
	return cmd
}

// pidOf reads the id of the server's first process from its data folder.
func pidOf(t *testing.T, dir string) int {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "postgres", "postmaster.pid"))
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(first)
	require.NoError(t, err)
	return pid
}

func gone(pid int) func() bool {
	return func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH }
}

// scratch is a folder that another user may enter, as PostgreSQL's must be.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vitascope-cluster-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func TestServersEndWithTheProgramHoweverItEnds(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			dir := scratch(t)
			env := filepath.Join(dir, "env")
			cmd := program(t, "up", "--only", "postgres", "--dir", dir, "--env-file", env)
			require.NoError(t, cmd.Start())
			require.Eventually(t, func() bool { _, err := os.Stat(env); return err == nil }, time.Minute, 50*time.Millisecond)
			text, err := os.ReadFile(env)
			require.NoError(t, err)
			require.Contains(t, string(text), "VITASCOPE_CATALOG=postgres://")
			pid := pidOf(t, dir)
			require.NoError(t, cmd.Process.Signal(sig))
			err = cmd.Wait()
			if sig == syscall.SIGTERM {
				require.NoError(t, err)
				require.NoFileExists(t, env)
			}
			require.Eventually(t, gone(pid), time.Minute, 50*time.Millisecond)
		})
	}
}

func TestServersEndWhenTheParentDoes(t *testing.T) {
	t.Parallel()
	dir := scratch(t)
	env := filepath.Join(dir, "env")
	cmd := program(t, "up", "--only", "postgres", "--dir", dir, "--env-file", env)
	shell := exec.CommandContext(t.Context(), "sh", append([]string{"-c", `"$0" "$@" & wait`}, cmd.Args...)...)
	shell.Env = cmd.Env
	require.NoError(t, shell.Start())
	require.Eventually(t, func() bool { _, err := os.Stat(env); return err == nil }, time.Minute, 50*time.Millisecond)
	pid := pidOf(t, dir)
	require.NoError(t, shell.Process.Kill())
	require.Error(t, shell.Wait())
	require.Eventually(t, gone(pid), time.Minute, 50*time.Millisecond)
}

func TestADyingServerEndsTheRun(t *testing.T) {
	t.Parallel()
	dir := scratch(t)
	cfg := config{dir: dir, only: []string{"postgres"}}
	err := with(t.Context(), cfg, func(ctx context.Context, c *cluster) error {
		require.NoError(t, syscall.Kill(c.processes[0].PID, syscall.SIGKILL))
		<-ctx.Done()
		return nil
	})
	require.ErrorContains(t, err, "postgres ended by itself")
}

func TestRunExitsAsItsCommandDoes(t *testing.T) {
	t.Parallel()
	cmd := program(t, "run", "--only", "postgres", "--", "sh", "-c", `test -n "$VITASCOPE_CATALOG" && exit 7`)
	err := cmd.Run()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 7, exit.ExitCode())
}

func TestUnknownServersAreRefused(t *testing.T) {
	t.Parallel()
	err := with(t.Context(), config{only: []string{"redis"}}, nil)
	require.ErrorContains(t, err, `"redis" is not one of`)
}

func TestAServerThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--only", "clickhouse", "--vitascope", "false"},
		{"--only", "clickhouse", "--vitascope", filepath.Join(t.TempDir(), "missing")},
	} {
		cmd := program(t, append([]string{"run"}, append(args, "--", "true")...)...)
		var out strings.Builder
		cmd.Stderr = &out
		require.Error(t, cmd.Run())
		require.Contains(t, out.String(), "clickhouse")
	}
}

func TestAMissingProgramSaysHowToGetIt(t *testing.T) {
	t.Parallel()
	cfg := config{dir: scratch(t), cache: t.TempDir(), only: []string{"minio"}}
	c, err := startCluster(t.Context(), cfg, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "install.sh")
	require.NoError(t, c.stop())
}
