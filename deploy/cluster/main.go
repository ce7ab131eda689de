// Command cluster starts the servers that a scaled-out Vitascope uses, the real
// ones, as plain processes on loopback: Apache Kafka (KRaft), MinIO, PostgreSQL
// and the ClickHouse engine's HTTP port. It needs no container engine;
// install.sh fetches what it runs.
//
//	go run ./deploy/cluster run -- go test ./internal/...
//	go run ./deploy/cluster up --env-file /tmp/cluster.env
//
// "run" gives a command the variables that lead to the servers, VITASCOPE_* for
// the program and TEST_* for its test suites, and exits as the command does.
// "up" writes them to a file once all servers answer and stays until a signal.
//
// Whatever it started ends with it: in order at a signal or when its parent
// process is gone, and by the kernel's hand when it is killed itself. Linux only.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vitascope/vitascope/deploy/internal/process"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	go func() {
		<-ctx.Done()
		cancel() // a second signal ends the program at once
	}()
	err := newRoot().ExecuteContext(ctx)
	if failed, ok := errors.AsType[*commandFailed](err); ok && failed.ExitCode() > 0 {
		os.Exit(failed.ExitCode()) // the command has said why
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster: "+err.Error())
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	var cfg config
	root := &cobra.Command{
		Use: "cluster", Short: "Run real servers for the cluster tests", SilenceUsage: true, SilenceErrors: true,
	}
	fs := root.PersistentFlags()
	fs.StringVar(&cfg.dir, "dir", "", "folder of data and logs, kept (default: a temporary one, removed)")
	fs.StringVar(&cfg.vitascope, "vitascope", "bin/vitascope", "the vitascope program")
	fs.StringSliceVar(&cfg.only, "only", serverNames(), "servers to run")

	var envFile string
	up := &cobra.Command{
		Use: "up", Short: "Run the servers until a signal", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd.Context(), cfg, func(ctx context.Context, c *cluster) error {
				if envFile != "" {
					if err := c.writeEnv(envFile); err != nil {
						return err
					}
					defer os.Remove(envFile)
				}
				fmt.Fprintln(cmd.OutOrStdout(), strings.Join(c.environ(), "\n"))
				<-ctx.Done()
				return nil
			})
		},
	}
	up.Flags().StringVar(&envFile, "env-file", "", "file for the variables, written once all servers answer")
	run := &cobra.Command{
		Use: "run -- COMMAND", Short: "Run a command beside the servers", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return with(cmd.Context(), cfg, func(ctx context.Context, c *cluster) error { return runBeside(ctx, c, args) })
		},
	}
	run.Flags().SetInterspersed(false)
	root.AddCommand(up, run)
	return root
}

// with runs f while the servers do. Its context ends at a signal, when a server
// dies or when the parent process is gone.
func with(ctx context.Context, cfg config, f func(context.Context, *cluster) error) (err error) {
	for _, name := range cfg.only {
		if !slices.Contains(serverNames(), name) {
			return fmt.Errorf("only: %q is not one of %s", name, strings.Join(serverNames(), ", "))
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go watchParent(ctx, cancel)
	cleanUp, err := makeFolders(&cfg)
	if err != nil {
		return err
	}
	defer cleanUp()
	c, err := startCluster(ctx, cfg, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	defer func() { err = errors.Join(err, c.stop()) }()
	if err != nil {
		return err
	}
	watched := make(chan error, 1)
	go func() {
		err := c.wait(ctx)
		cancel(err)
		watched <- err
	}()
	err = f(ctx, c)
	cancel(nil)
	return errors.Join(err, <-watched)
}

// makeFolders completes cfg. The data folder can be entered by all, because
// PostgreSQL runs as another user when we are root.
func makeFolders(cfg *config) (cleanUp func(), err error) {
	cleanUp = func() {}
	base, err := os.UserCacheDir()
	if err != nil {
		return cleanUp, err
	}
	cfg.cache = filepath.Join(base, "vitascope-cluster")
	if cfg.dir == "" {
		if cfg.dir, err = os.MkdirTemp("", "vitascope-cluster-"); err != nil {
			return cleanUp, err
		}
		cleanUp = func() { _ = os.RemoveAll(cfg.dir) }
	}
	if cfg.dir, err = filepath.Abs(cfg.dir); err != nil {
		return cleanUp, err
	}
	if err := os.MkdirAll(cfg.dir, 0o711); err != nil {
		return cleanUp, err
	}
	return cleanUp, os.Chmod(cfg.dir, 0o711)
}

// watchParent ends the cluster when the process that started it is gone: a
// killed `go run` or test runner must not leave servers behind.
func watchParent(ctx context.Context, cancel context.CancelCauseFunc) {
	parent := os.Getppid()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for os.Getppid() == parent {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	cancel(errors.New("the parent process is gone"))
}

// commandFailed is the unsuccessful end of the command that run was given.
type commandFailed struct{ *exec.ExitError }

// runBeside runs the command with the cluster's variables, and asks it to stop
// when ctx ends.
func runBeside(ctx context.Context, c *cluster, args []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), c.environ()...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = process.StopGrace
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return &commandFailed{exit}
	}
	return err
}
