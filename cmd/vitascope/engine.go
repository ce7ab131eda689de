package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/vitascope/vitascope/deploy/engines"
)

// newEngine runs an embedded engine as a server of its own, which the cluster
// tests use where a real ClickHouse server is not to be had.
func newEngine() *cobra.Command {
	cmd := &cobra.Command{Use: "engine", Short: "Run an embedded engine as a server of its own", Hidden: true}
	defaults := engines.DefaultConfig("vitascope-clickhouse")
	cfg := engines.ClickHouseConfig{
		Addr: "127.0.0.1:8123", DataDir: defaults.DataDir, Database: "vitascope",
		MemoryBytes: defaults.ClickHouseMemoryBytes, Concurrency: defaults.ClickHouseConcurrency, StopGrace: defaults.StopGrace,
	}
	ch := &cobra.Command{
		Use:   "clickhouse",
		Short: "Serve ClickHouse's HTTP protocol; CLICKHOUSE_USER and CLICKHOUSE_PASSWORD open it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.User, cfg.Password = os.Getenv("CLICKHOUSE_USER"), os.Getenv("CLICKHOUSE_PASSWORD")
			if cfg.User == "" || cfg.Password == "" {
				return errors.New("CLICKHOUSE_USER and CLICKHOUSE_PASSWORD must be set")
			}
			return engines.RunClickHouseServer(cmd.Context(), cfg, slog.New(slog.NewTextHandler(os.Stderr, nil)), func(addr string) {
				fmt.Fprintf(cmd.OutOrStdout(), "ClickHouse answers at http://%s/\n", addr)
			})
		},
	}
	ch.Flags().StringVar(&cfg.Addr, "listen", cfg.Addr, "address, host:port")
	ch.Flags().StringVar(&cfg.DataDir, "data", cfg.DataDir, "data folder")
	ch.Flags().StringVar(&cfg.Database, "database", cfg.Database, "database that exists once it answers")
	ch.Flags().StringVar(&cfg.LibraryPath, "clickhouse-library", "", "libchdb.so (default: looked for)")
	ch.Flags().Int64Var(&cfg.MemoryBytes, "clickhouse-memory-bytes", cfg.MemoryBytes, "memory cap")
	ch.Flags().BoolVar(&cfg.AllowUnsandboxed, "insecure-engines", false, "start even where the kernel has no Landlock")
	cmd.AddCommand(ch)
	return cmd
}
